"""Tests of the pure core: no clock, no I/O."""
