"""The promises, S1-S14 and L1-L9 of the catalogue, as checks on what only the simulator can see."""
