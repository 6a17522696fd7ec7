"""The built-in songbook, and a generator of large test tables."""
