"""Cleaning of lyrics: named rules, each of which can be switched off, and no text changed by cleaning it twice.

`engine` applies the rules, `rules` says what one is; the others hold the rules themselves, a file for each kind.
"""

from lyrist.corpus.cleaning.engine import (
    KINDS,
    RULES,
    Cleaning,
    Rule,
    clean,
    clean_series,
    is_instrumental,
    is_placeholder,
    word_count,
)

__all__ = [
    "KINDS",
    "RULES",
    "Cleaning",
    "Rule",
    "clean",
    "clean_series",
    "is_instrumental",
    "is_placeholder",
    "word_count",
]
