"""Tests of the adapters, against the real thing: sockets, files, processes."""
