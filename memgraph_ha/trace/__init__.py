"""What a controller was told, what it decided and what came of it, as JSON Lines: one schema for all who record."""
