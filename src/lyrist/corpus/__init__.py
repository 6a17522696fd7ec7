"""A table of songs becomes a corpus that can be trusted."""
