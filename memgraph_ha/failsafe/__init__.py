"""The failsafe: how a leader goes on while nobody can reach the lease (docs/decisions/0011). Pure, like the core."""
