"""Thin trio adapters: they run the commands of the core and report facts back; they decide nothing."""
