"""Cleaning of lyrics by named rules, each of which can be switched off; cleaning a text twice changes nothing more.

`rules` holds every rule; `cleaner` applies them to columns of texts.
"""

from lyrist.corpus.cleaning.cleaner import Cleaning, bits, clean, clean_names, clean_rows, clean_series, clean_texts
from lyrist.corpus.cleaning.rules import KINDS, RULES, Rule, is_instrumental, is_placeholder, non_songs, word_count

__all__ = [
    "KINDS",
    "RULES",
    "Cleaning",
    "Rule",
    "bits",
    "clean",
    "clean_names",
    "clean_rows",
    "clean_series",
    "clean_texts",
    "is_instrumental",
    "is_placeholder",
    "non_songs",
    "word_count",
]
