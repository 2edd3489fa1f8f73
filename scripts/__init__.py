"""Generators of documentation, tables and pictures; run by `make docs` or by name."""
