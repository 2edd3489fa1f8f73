"""The simulator: the shipping core in worlds that are not real, and what it is asked about them."""
