"""Properties of the pure core over arbitrary facts and views."""
