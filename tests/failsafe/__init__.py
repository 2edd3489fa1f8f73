"""The failsafe: its parts, and a search of all that a few controllers and one lease can do to each other."""
