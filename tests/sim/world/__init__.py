"""The simulated world: each primitive does what it says, and each check can fail."""
