"""Tests of the gateway and the relay, against real sockets and processes."""
