"""Tests of replay, diff and explain."""
