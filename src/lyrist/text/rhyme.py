"""Rhyme: the sounds at the end of words, the quality of a rhyme, and the rhyme scheme of a stanza.

Pronunciations are looked up in the CMU Pronouncing Dictionary if the package ``pronouncing`` is installed (the extra
``lyrist[rhyme]``). Other words, and all words without it, use spelling rules (`lyrist.text.pronunciation`). A word does not rhyme
with itself: the same word at the end of two lines is a refrain, not a rhyme.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any

from lyrist import text
from lyrist.text import pronunciation as spelling

Sounds = tuple[str, ...]
"""ARPAbet phonemes without stress: ``("AY", "T")``."""

VOWELS = spelling.VOWELS
_ALIKE = {"AO": "AA", "IH": "AH", "UH": "AH"}
"""Vowels that count as equal in a slant rhyme: *dawn* and *don*, the weak vowels of *heaven* and *given*."""
_FAMILY = {
    sound: name
    for name, sounds in {
        "nasal": "M N NG",
        "stop": "P T K",
        "voiced stop": "B D G",
        "hiss": "S Z SH ZH CH JH",
        "breath": "F TH V DH",
        "liquid": "L R",
    }.items()
    for sound in sounds.split()
}
"""Families of similar consonants at the end of a line: a family rhyme (Pattison, *Songwriting*, 1991)."""
_OPEN = {"IY", "OW", "EY", "AY", "UW"}
_ENDINGS = {"S", "Z", "T", "D"}


class Rhyme(IntEnum):
    """The quality of a rhyme; higher is better, and `NONE` is false."""

    NONE = 0
    ASSONANCE = 1
    """Only the stressed vowels agree: *time* and *light*."""
    SLANT = 2
    """Vowels agree and consonants are of one family, or one word has an ending more: *time* and *mine*, *line* and *lines*."""
    PERFECT = 3
    """All sounds from the last stressed vowel on agree: *night* and *light*."""


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    """Return the look-up function of the CMU dictionary; None if it is not installed."""
    try:
        return importlib.import_module("pronouncing").phones_for_word
    except ImportError:
        return None


def source() -> str:
    """Return the source of pronunciations: ``"dictionary"`` (with rules for missing words) or ``"spelling"``."""
    return "spelling" if _dictionary() is None else "dictionary"


@lru_cache(maxsize=65536)
def pronunciations(word: str) -> tuple[Sounds, ...]:
    """Return the pronunciations of a word: phonemes with stress (0, 1 or 2) on vowels; none for other scripts."""
    word = word.lower().replace("’", "'").strip("'")
    look = _dictionary()
    found = look(word) if look else []
    if not found and look and word.endswith("in"):  # gettin': the dictionary has most of these with a g only
        found = [said[:-3] + " N" for said in look(word + "g") if said.endswith(" NG")]
    return tuple(tuple(said.split()) for said in found) or spelling.sound(word)


@lru_cache(maxsize=65536)
def _endings(word: str) -> tuple[Sounds, ...]:
    """Return the sounds of a word from its last stressed vowel on, one for each pronunciation."""
    found = []
    for said in pronunciations(word):
        places = [i for i, sound in enumerate(said) if sound[-1].isdigit()]
        stressed = [i for i in places if said[i][-1] != "0"] or places
        if stressed:
            found.append(_merged([sound.rstrip("012") for sound in said[stressed[-1] :]]))
    return tuple(dict.fromkeys(found))


def _merged(sounds: list[str]) -> Sounds:
    """Return the sounds with two notations of the dictionary unified: *here* and *fear*, *fire* and *wire*."""
    same = {("IY", "R"): "IH", ("ER", "AY"): "R", ("ER", "AW"): "R"}
    with_next = [same.get(pair, pair[0]) for pair in pairwise([*sounds, ""])]
    return tuple(same.get((sound, before), sound) for before, sound in pairwise(["", *with_next]))


def rhyme_key(word: str) -> str:
    """Return the sounds of a word from its last stressed vowel on, such as ``"AY T"`` for *tonight*.

    Words with equal keys are perfect rhymes, or the same word. Empty for words without a pronunciation (other scripts, digits).
    """
    found = _endings(word)
    return " ".join(found[0]) if found else ""


def rhymes(a: str, b: str) -> Rhyme:
    """Return the quality of the rhyme of two words, the best over their pronunciations; `Rhyme.NONE` for the same word.

    Examples
    --------
    >>> rhymes("night", "light"), rhymes("time", "mine"), rhymes("time", "light")
    (<Rhyme.PERFECT: 3>, <Rhyme.SLANT: 2>, <Rhyme.ASSONANCE: 1>)
    >>> rhymes("night", "night")
    <Rhyme.NONE: 0>
    """
    return _rhymes(*sorted((text.key(a), text.key(b))), a, b)


@lru_cache(maxsize=262144)
def _rhymes(key_a: str, key_b: str, a: str, b: str) -> Rhyme:
    if key_a == key_b:
        return Rhyme.NONE
    return max((_grade(x, y) for x in _endings(a) for y in _endings(b)), default=Rhyme.NONE)


def _grade(a: Sounds, b: Sounds) -> Rhyme:
    """Return the quality of the rhyme of two endings."""
    if a == b:
        return Rhyme.PERFECT
    if _weak_ending(a, b):
        return Rhyme.SLANT
    (vowels_a, rest_a), (vowels_b, rest_b) = _parts(a), _parts(b)
    if len(vowels_a) != len(vowels_b) or _ALIKE.get(vowels_a[0], vowels_a[0]) != _ALIKE.get(vowels_b[0], vowels_b[0]):
        return Rhyme.NONE
    alike = vowels_a[1:] == vowels_b[1:] and rest_a[:-1] == rest_b[:-1] and _close(a, b)
    return Rhyme.SLANT if alike else Rhyme.ASSONANCE


def _parts(sounds: Sounds) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the vowels, and the consonant families after each."""
    vowels: list[str] = []
    rest: list[tuple[str, ...]] = []
    for sound in sounds:
        if sound in VOWELS:
            vowels.append(_ALIKE.get(sound, sound) if vowels else sound)
            rest.append(())
        else:
            rest[-1] = (*rest[-1], _FAMILY.get(sound, sound))
    return vowels, rest


def _close(a: Sounds, b: Sounds) -> bool:
    """Return whether the consonants after the last vowel have the same families, up to one additional ending."""
    x, y = sorted((_tail(a), _tail(b)), key=len)
    family = [_FAMILY.get(sound, sound) for sound in x]
    if len(x) == len(y):
        return family == [_FAMILY.get(sound, sound) for sound in y]
    return len(y) == len(x) + 1 and y[-1] in _ENDINGS and x == y[:-1]


def _tail(sounds: Sounds) -> list[str]:
    """Return the consonants after the last vowel."""
    last = max(i for i, sound in enumerate(sounds) if sound in VOWELS)
    return list(sounds[last + 1 :])


def _weak_ending(a: Sounds, b: Sounds) -> bool:
    """Return whether both end in one open vowel, stressed or not: *me* and *baby*, *go* and *tomorrow*."""
    return a[-1] == b[-1] and a[-1] in _OPEN and (len(a) == 1) != (len(b) == 1)


def last_word(line: str) -> str:
    """Return the last word of a line in lower case, including ad-libs in parentheses; empty if it has none."""
    found = text.words(line)
    return found[-1] if found else ""


def syllables(word: str) -> int:
    """Return the number of syllables of a word by the dictionary, else by `lyrist.text.syllables`."""
    return _syllables(word.lower().replace("’", "'"))


@lru_cache(maxsize=65536)
def _syllables(word: str) -> int:
    look = _dictionary()
    found = look(word) if look else None
    return sum(sound[-1].isdigit() for sound in found[0].split()) if found else text.syllables(word)


def line_syllables(line: str) -> int:
    """Return the number of syllables in a line."""
    return sum(syllables(word) for word in text.words(line))


def scheme(lines: Sequence[str], at_least: Rhyme = Rhyme.SLANT) -> str:
    """Return the rhyme scheme of a stanza, one letter per line: ``"AABB"``.

    A line gets the letter of the nearest previous line that rhymes with it with at least the quality ``at_least``, else a new
    letter. Lines that end in the same word do not rhyme. After Z follow lower-case letters, then ``?``.
    """
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    ends = [last_word(line) for line in lines]
    found: list[str] = []
    used = 0
    for number, end in enumerate(ends):
        near = (found[i] for i in reversed(range(number)) if rhymes(end, ends[i]) >= at_least)
        letter = next(near, None)
        if letter is None:
            letter = letters[used] if used < len(letters) else "?"
            used += 1
        found.append(letter)
    return "".join(found)
