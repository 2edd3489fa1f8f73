"""The soak: one cluster of real processes, faults of every kind by lot, and a ledger that is checked at the end."""
