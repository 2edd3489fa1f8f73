"""Random lives: drawn, played, counted, made small."""
