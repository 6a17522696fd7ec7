"""The built-in songbook, and a generator of large test tables."""

from lyrist.sample.generating import Truth, generate

__all__ = ["Truth", "generate"]
