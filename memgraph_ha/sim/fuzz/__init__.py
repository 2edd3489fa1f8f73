"""Random lives by the thousand: drawn by seed, played, counted, and made small when they break a promise."""
