"""Tests of the kit for other people's adapters and controllers."""
