"""Mutation: the rules and their order broken one place at a time, to see whether anything notices (scenarios 6.5)."""
