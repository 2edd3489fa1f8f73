"""A trace as a timeline that people can read: one HTML page, or one line per event."""
