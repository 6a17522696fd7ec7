"""What makes a line read well: content words, line ends that have rhymes, no slips, no clichés."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from lyrist import text as texts
from lyrist.text.languages import FUNCTION_WORDS
from lyrist.text.pronunciation import common
from lyrist.text.rhyme import rhyme_key, syllables

FEW = 6
"""Perfect rhymes that a word needs to end a line that a later line must rhyme with."""

KNOWN = 8_000
"""Words of the list that may end a line, for a model without a known vocabulary."""

_LIGHT = {
    "en": """very more most much many some any each every both either neither such own even still ever being oh ooh hey uh na la
        whoa woah ah yeah mine yours hers ours theirs myself yourself himself herself itself ourselves themselves something
        anything nothing everything someone anyone everyone isn't doesn't didn't hasn't haven't hadn't wouldn't couldn't shouldn't
        who's where's he'd she'd it'd it'll we'd they'd against within toward towards also only out off up then too why
        how th de et al um via per non re co ex"""
}
WEAK_ENDS = {
    language: words | frozenset(_LIGHT.get(language, "").split()) for language, words in FUNCTION_WORDS.items()
}
"""Function words, and other words that carry no rhyme."""

CLICHES = re.compile(
    r"\b(twilight'?s?|hush(ed)?|whisper(s|ed|ing)?|echo(es|ed|ing)?|tapestry|symphony|kaleidoscope|labyrinth|ethereal|serenade"
    r"|entwine[ds]?|cascad(e|es|ing)|shimmering|glimmering|testament|amidst|beneath the (moon|stars)|in the (silence|stillness)"
    r"|danc(e|es|ed|ing) (in|with) the (moonlight|shadows|wind|rain)|shadows? (dance|play)s?|hearts? of gold|stars? align(ed)?"
    r"|canvas of|sea of (dreams|stars)|bittersweet|solace|melody of|tale(s)? untold|memories unfold|beacon|embrace[ds]?"
    r"|syllables?|rhymes?|lyrics?|verses?|chorus|stanzas?|songwriter"
    r"|where dreams|love'?s sweet|heart'?s desire|time stands still|golden (glow|light|hue)|gentle breeze|realm|journey)\b",
    re.IGNORECASE,
)
"""Words that language models prefer in lyrics, whatever the song is about, and words of the request itself."""

FAULTS = (
    re.compile(r"^\s*[,.;:!?)\]}]"),
    re.compile(r"[,;:]\s*[,;:.!?]"),
    re.compile(r"\b(a|an|the|of|to|and|or|but|with|for|from|at|as|than|that|is|i)(?=,? \1\b)", re.IGNORECASE),
    re.compile(
        r"\b(an?|the) (?!\1\b)(?:an?|the|and|or|but|of|to|at|is|as|than|that|it|in|i|you|we|they|he|she)\b",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w'.&-])[b-hj-np-z](?![\w'.&-])"),
    re.compile(r"[*#_=/|\\<>{}~@]|https?:|\d"),
)
"""Slips: a comma at the start of a line, two in a row, 'the, the', 'a the', a single letter, signs of markup."""


_APPOSED = re.compile(r",\s+(?:an?|the|no|my|your|his|her|our|their)\b", re.IGNORECASE)


def weak(word: str, language: str = "en") -> bool:
    """Return whether a word is a function word, which should not end a line."""
    return word in WEAK_ENDS.get(language, ())


def content_words(line: str, language: str = "en") -> list[str]:
    """Return the words of a line that are no function words."""
    return [word for word in texts.words(line) if not weak(word, language)]


def faults(line: str) -> int:
    """Count the slips of a line: `FAULTS`, unbalanced brackets and an odd number of quotation marks."""
    odd = line.count("(") != line.count(")") or line.count("[") != line.count("]") or line.count('"') % 2 == 1
    return sum(len(fault.findall(line)) for fault in FAULTS) + odd


def cliches(line: str, subject: str = "") -> int:
    """Count the clichés of a line that are not part of the subject of the song."""
    return sum(found[0].lower() not in subject.lower() for found in CLICHES.finditer(line))


def apposed(line: str) -> bool:
    """Return whether a comma is followed by an article or a possessive, as in "My sister's bicycle, a mess".

    Small models end every other line so, since almost any noun fits there.
    """
    return bool(_APPOSED.search(line))


def ends_with(a: str, b: str, language: str = "en") -> bool:
    """Return whether one word is the end of the other, of fewer syllables: *tonight* and *night* sound like a repetition.

    Words that begin with a vowel are exempt (*all* and *recall*).
    """
    short, long = sorted((a, b), key=len)
    found = len(short) > 2 and short[0] not in "aeiou" and long.endswith(short)
    return found and syllables(short, language) != syllables(long, language)


def three_grams(line: str) -> set[tuple[str, ...]]:
    """Return the runs of three words of a line."""
    words = texts.words(line)
    return set(zip(words, words[1:], words[2:], strict=False))


def unknown_words(line: str) -> set[str]:
    """Return the English words of a line in lower case that are not common, such as halves of words and words run together."""
    known = common()
    return {word for word in re.findall(r"(?<![\w'’])[a-z]{2,}(?![\w'’])", line) if word not in known}


@lru_cache(maxsize=32)
def known_words(vocabulary: frozenset[str] | None, language: str) -> tuple[str, ...]:
    """Return the content words that may be inserted at the end of a line.

    These are the common words of the language that the model knows (its ``vocabulary``; None: all), or the whole vocabulary if
    the common words of the language are not known.
    """
    listed: Sequence[str] = list(common()) if language == "en" else []
    if vocabulary is None:
        found = listed[:KNOWN]
    else:
        found = [word for word in listed if word in vocabulary] if listed else sorted(vocabulary)
    return tuple(word for word in found if len(word) > 1 and not weak(word, language))


@lru_cache(maxsize=32)
def end_words(vocabulary: frozenset[str] | None, language: str) -> tuple[str, ...]:
    """Return the known words that have at least `FEW` perfect rhymes among them, or one where there are no such words."""
    words = known_words(vocabulary, language)
    keys = {word: rhyme_key(word, language) for word in words}
    counts = Counter(keys.values())
    for least in (FEW, 1):
        if found := tuple(word for word in words if keys[word] and counts[keys[word]] > least):
            return found
    return words
