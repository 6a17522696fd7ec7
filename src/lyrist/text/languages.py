"""The languages that have rules for syllables, stress and rhyme."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lyrist.errors import UsageError

SUPPORTED = ("en", "es", "pt", "fr", "it", "de")
NAMES = {"en": "English", "es": "Spanish", "pt": "Portuguese", "fr": "French", "it": "Italian", "de": "German"}

Sounds = tuple[str, ...]


def check_language(code: str) -> str:
    """Return the code of a language that has rules for syllables, stress and rhyme; its English name is accepted.

    Raises
    ------
    UsageError
        It has none.
    """
    given = code.strip().lower()
    found = next((each for each, name in NAMES.items() if given in (each, name.lower())), None)
    if found is None:
        known = ", ".join(f"{each} ({name})" for each, name in NAMES.items())
        raise UsageError(f"Rhymes and syllables have no rules for the language '{code}'; choose one of {known}.")
    return found


def main_language(counts: Mapping[str, int]) -> str | None:
    """Return the most frequent language by the numbers of its songs, which ``corpus.json`` has; None if none is known.

    The main language of the corpus of a writer is the language of its rhymes, so `check_language` follows.
    """
    known = {code: n for code, n in counts.items() if code != "und" and n}
    return max(known, key=known.__getitem__, default=None)


def is_latin(word: str) -> bool:
    """Return whether all letters of a word are Latin and all digits European."""
    return all(c < "\u0250" or "\u1e00" <= c <= "\u1eff" for c in word)


def sounds(word: str, language: str) -> tuple[Sounds, ...]:
    """Return the pronunciations of a word by the rules of a language other than English."""
    return ()


FUNCTION_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(re.findall(r"[\w']+", listed))
    for language, listed in {
        "en": """
            a an the and or but nor so yet if as than that though while when where since till until because of to in on at
            by for from with into onto upon through about over under between around like without i'm i you he she it we
            they me him us them my your his its our their this these those who whom whose which what there here am is are
            was were be been being do does did have has had can could will would shall should may might must ain't isn't
            aren't wasn't don't won't can't let's i'll i've i'd you're you'll you've you'd he's she's it's we're we'll
            we've they're they'll they've that's there's what's just not no oh cause em gonna wanna gotta ya""",
    }.items()
}
"""Words without stress inside a line, and that do not carry a rhyme well."""
