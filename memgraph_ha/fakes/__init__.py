"""Stand-ins that behave as the real thing was measured to behave."""
