"""Tests of the operator's commands, against a real HTTP server."""
