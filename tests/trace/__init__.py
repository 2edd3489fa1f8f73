"""Tests of traces: lines, their JSON form, recorders, files."""
