"""Tests; packages, so that helpers are imported by name and two files may share one."""
