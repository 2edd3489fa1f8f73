"""Feeding a trace to today's rules: do they decide the same, and if not, where and why."""
