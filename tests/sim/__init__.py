"""The world and the core in virtual time: the very code that ships, several controllers, seeded faults."""
