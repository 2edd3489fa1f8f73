"""Whole clusters: real processes, real signals, real sockets, and a ledger of every acknowledged write."""
