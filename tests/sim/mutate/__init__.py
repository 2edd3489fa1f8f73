"""Tests of `sim mutate`: that mistakes are real mistakes, planted in memory only, and judged fairly."""
