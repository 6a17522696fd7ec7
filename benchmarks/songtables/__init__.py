"""The built-in songbook, and a generator of large test tables."""

from songtables.generating import Truth, generate

__all__ = ["Truth", "generate"]
