"""Rhyme: the sounds at the end of words, the grade of a rhyme, the rhyme scheme of a stanza, syllables and stress of a line.

English pronunciations are looked up in the CMU Pronouncing Dictionary if the package ``pronouncing`` is installed (the extra
``lyrist[rhyme]``). Other words, and all words without it, use `lyrist.text.pronunciation`; other languages use the rules of
`lyrist.text.languages`. A word does not rhyme with itself: the same word at the end of two lines is a refrain, not a rhyme.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any

from lyrist import text
from lyrist.text import languages, pronunciation

Sounds = tuple[str, ...]
"""Phonemes: ARPAbet in English (``("AY", "T")``); in other languages vowels are in lower case."""

_ALIKE = {
    "en": ("AA AO", "IH IY", "UH UW"),
    "en before r": ("AO UH",),
    "pt": ("e ɛ", "o ɔ"),
    "fr": ("e ɛ", "o ɔ", "ø œ", "ɛ̃ œ̃"),
    "de": ("i ʏ", "ī ü", "e œ", "ē ø æ", "ai oi", "a ā", "o ō", "u ū"),
}
"""Families of vowels: stressed vowels of one family make a near rhyme if all that follows is the same."""
_WEAK = {"IH", "AH", "UH"}
"""English vowels that count as equal when they have no stress: the weak vowels of *heaven* and *given*."""
_AFTER_WEAK = {"N", "Z", "D", "T", "S", "L", "M"}
_MANNER = ("M N NG NY", "P T K", "B D G", "S SH F TH", "Z ZH V DH", "CH JH")
_VOICE = ("T D", "P B", "K G", "S Z", "F V", "TH DH", "SH ZH", "SH CH", "ZH JH")
_CLOSE = frozenset((a, b) for family in (*_MANNER, *_VOICE) for a in family.split() for b in family.split())
"""Consonants that differ in one feature: place (*time*, *mine*) or voice (*ice*, *eyes*) (Zwicky, *Well, this rock and roll has
got to stop*, 1976; Hirjee and Brown, *Using automated rhyme detection to characterize rhyming style in rap music*, 2010)."""
_OPEN = {"IY", "OW", "EY", "AY", "UW", "ER"}
_ENDINGS = {"S", "Z", "T", "D"}
_ELIDING = {"es", "pt", "it"}
_MUTE = "ə0"
_PAUSE = re.compile(r"[^\w\s'’-]")

NEARBY = 4
"""A line rhymes if its last word rhymes with that of a line of the same section at most this many lines away."""

_HEADER = re.compile(r"\s*\[[^\]\n]{1,80}\]\s*")
_BLANK = re.compile(r"\n\s*\n")


class Rhyme(IntEnum):
    """The grade of a rhyme; higher is better, and `NONE` is false."""

    NONE = 0
    ASSONANCE = 1
    """Only the stressed vowels agree: *time* and *light*. It does not count as a rhyme."""
    NEAR = 2
    """The stressed vowels are equal and the consonants after them of one family or one more (*time* and *mine*, *line* and
    *lines*), or the consonants are equal and the vowels of one family (*dawn* and *gone*). In Spanish, Portuguese and Italian:
    all vowels from the stressed one on are equal."""
    SLANT = 2
    """The name of `NEAR` in version 0.1."""
    PERFECT = 3
    """All sounds from the last stressed vowel on agree: *night* and *light*."""


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    """Return the look-up function of the CMU dictionary; None if it is not installed."""
    try:
        return importlib.import_module("pronouncing").phones_for_word
    except ImportError:
        return None


def source(language: str = "en") -> str:
    """Return the source of pronunciations: ``"CMU dictionary"`` (with rules for missing words) or ``"rules"``."""
    return "rules" if language != "en" or _dictionary() is None else "CMU dictionary"


def _plain(word: str) -> str:
    """Return a word as it is looked up: in lower case, composed, with plain apostrophes."""
    return unicodedata.normalize("NFC", word.lower()).replace("’", "'").strip("'")


def pronunciations(word: str, language: str = "en") -> tuple[Sounds, ...]:
    """Return the pronunciations of a word: phonemes with stress (0, 1 or 2) on vowels; none for other scripts."""
    return _pronunciations(_plain(word), language)


@lru_cache(maxsize=65536)
def _pronunciations(word: str, language: str) -> tuple[Sounds, ...]:
    if language != "en":
        return languages.sounds(word, language)
    look = None if word in pronunciation.common() else _dictionary()
    found = look(word) if look else []
    if not found and look and word.endswith("in"):  # gettin': the dictionary has most of these with a g only
        found = [said[:-3] + " N" for said in look(word + "g") if said.endswith(" NG")]
    sounds = tuple(tuple(said.split()) for said in found) or pronunciation.sound(word)
    return tuple(
        said for said in sounds if not word.endswith("n't") or said[-1] == "T"
    )  # the dictionary has don't without its t


def _voiced(said: Sounds) -> Sounds:
    """Return the sounds without the e muet at the end of a French word."""
    return said[:-1] if said[-1:] == (_MUTE,) and len(_places(said)) > 1 else said


def _places(said: Sounds) -> list[int]:
    """Return the indices of the vowels."""
    return [i for i, sound in enumerate(said) if sound[-1].isdigit()]


def _stressed(said: Sounds) -> list[int]:
    """Return the indices of the stressed vowels from which a word can rhyme.

    These are the main stress, and a secondary stress after it (*hurricane*, *midnight*), but not the weak open end of *window*.
    """
    places = _places(said)
    main = max((i for i in places if said[i].endswith("1")), default=-1)
    found = [main] if main >= 0 else []
    for before, i in pairwise([-1, *places]):
        weak = i == len(said) - 1 and before == main and said[i][:-1] in ("OW", "IY", "UW")
        if i > main and said[i].endswith("2") and not weak:
            found.append(i)
    return found


@lru_cache(maxsize=65536)
def _endings(word: str, language: str) -> tuple[Sounds, ...]:
    """Return the sounds of a word from a stressed vowel on, one for each pronunciation; none for a word without stress."""
    found = [
        _merged([sound.rstrip("012") for sound in said[place:]])
        for said in map(_voiced, _pronunciations(word, language))
        for place in _stressed(said)
    ]
    return tuple(dict.fromkeys(found))


def _merged(sounds: list[str]) -> Sounds:
    """Return the sounds with notations of the dictionary unified: *here* and *fear*, *fire* and *wire*, weak *-en* and *-in*."""
    for i, pair in enumerate(pairwise(sounds)):
        if i and pair[0] == "IH" and pair[1] in _AFTER_WEAK:
            sounds[i] = "AH"
    same = {("IY", "R"): "IH", ("UW", "R"): "UH", ("ER", "AY"): "R", ("ER", "AW"): "R"}
    with_next = [same.get(pair, pair[0]) for pair in pairwise([*sounds, ""])]
    return tuple(same.get((sound, before), sound) for before, sound in pairwise(["", *with_next]))


def rhyme_key(word: str, language: str = "en") -> str:
    """Return the sounds of a word from its last stressed vowel on, such as ``"AY T"`` for *tonight*.

    Words with equal keys are perfect rhymes, or the same word. Empty for words without a pronunciation (other scripts, digits)
    and for words without stress (*the*).
    """
    found = _endings(_plain(word), language)
    return " ".join(found[0]) if found else ""


def rhymes(a: str, b: str, language: str = "en") -> Rhyme:
    """Return the grade of the rhyme of two words, the best over their pronunciations; `Rhyme.NONE` for the same word.

    Examples
    --------
    >>> rhymes("night", "light"), rhymes("time", "mine"), rhymes("time", "light")
    (<Rhyme.PERFECT: 3>, <Rhyme.NEAR: 2>, <Rhyme.ASSONANCE: 1>)
    >>> rhymes("night", "night")
    <Rhyme.NONE: 0>
    """
    return _rhymes(*sorted((_plain(a), _plain(b))), language)


@lru_cache(maxsize=262144)
def _rhymes(a: str, b: str, language: str) -> Rhyme:
    if text.key(a) == text.key(b):
        return Rhyme.NONE
    ends_a, ends_b = _endings(a, language), _endings(b, language)
    return max((_grade(x, y, language) for x in ends_a for y in ends_b), default=Rhyme.NONE)


def _grade(a: Sounds, b: Sounds, language: str) -> Rhyme:
    """Return the grade of the rhyme of two endings."""
    if a == b:
        return Rhyme.PERFECT
    if language == "en" and _weak_ending(a, b):
        return Rhyme.NEAR
    (vowels_a, rest_a), (vowels_b, rest_b) = _parts(a), _parts(b)
    if language in _ELIDING and vowels_a == vowels_b:
        return Rhyme.NEAR
    if len(vowels_a) != len(vowels_b):
        return Rhyme.NONE
    if vowels_a[0] != vowels_b[0]:
        families = _ALIKE.get(f"{language} before r" if language == "en" and rest_a[0][:1] == ("R",) else language, ())
        one_family = any({vowels_a[0], vowels_b[0]} <= set(family.split()) for family in families)
        alike = vowels_a[1:] == vowels_b[1:] and rest_a == rest_b and one_family
        return Rhyme.NEAR if alike else Rhyme.NONE
    differing = [_close(x, y) for x, y in zip(rest_a[:-1], rest_b[:-1], strict=True) if x != y]
    if rest_a[-1] != rest_b[-1]:
        differing.append(_close(rest_a[-1], rest_b[-1]) or _one_more(rest_a[-1], rest_b[-1]))
    return Rhyme.NEAR if vowels_a == vowels_b and differing == [True] else Rhyme.ASSONANCE


def _is_vowel(sound: str) -> bool:
    return sound in pronunciation.VOWELS or sound.islower()


def _parts(sounds: Sounds) -> tuple[list[str], list[Sounds]]:
    """Return the vowels, weak ones as one, and the consonants after each."""
    vowels: list[str] = []
    rest: list[Sounds] = []
    for sound in sounds:
        if _is_vowel(sound):
            vowels.append("AH" if vowels and sound in _WEAK else sound)
            rest.append(())
        else:
            rest[-1] = (*rest[-1], sound)
    return vowels, rest


def _close(a: Sounds, b: Sounds) -> bool:
    """Return whether two groups of consonants differ in one consonant, and there in one feature only."""
    return len(a) == len(b) and [(x, y) in _CLOSE for x, y in zip(a, b, strict=True) if x != y] == [True]


def _one_more(a: Sounds, b: Sounds) -> bool:
    """Return whether one of two final groups has an ending more than the other: *line* and *lines*, *go* and *goes*."""
    x, y = sorted((a, b), key=len)
    return len(y) == len(x) + 1 and y[:-1] == x and y[-1] in (_ENDINGS if x else {"Z", "D"})


def _weak_ending(a: Sounds, b: Sounds) -> bool:
    """Return whether both end in one open vowel, stressed or not: *me* and *baby*, *go* and *tomorrow*."""
    return a[-1] == b[-1] and a[-1] in _OPEN and (len(a) == 1) != (len(b) == 1)


def rhyming(
    word: str,
    language: str = "en",
    at_least: Rhyme = Rhyme.PERFECT,
    *,
    vocabulary: Iterable[str] | None = None,
    syllables: int = 1,
) -> list[str]:
    """Return the words that rhyme with a word, better rhymes first, and then in the order of the vocabulary.

    Parameters
    ----------
    at_least
        The lowest grade.
    vocabulary
        Words to choose from, the most frequent first: by default common words of English, and no words of other languages. A
        tuple is indexed, which makes further calls with it fast.
    syllables
        How many syllables at the end must agree (`agreeing_syllables`): 2 and more give multi-syllable rhymes.
    """
    plain = _plain(word)
    endings = set(_endings(plain, language))
    if vocabulary is None:
        firsts = {ending[0] for ending in endings}
        firsts |= {
            v for a in firsts for family in sum(_ALIKE.values(), ()) if a in family.split() for v in family.split()
        }
        index = _vocabulary(language)
        places = sorted({place for first in (firsts if plain else ()) for place in index.get(first, ())})
        words = list(pronunciation.common())
        vocabulary = [words[place] for place in places]
    if at_least == Rhyme.PERFECT:  # words with an equal ending: grading every word of a vocabulary takes a second
        if isinstance(vocabulary, tuple):
            by_ending = _by_ending(vocabulary, language)
            places = sorted({place for ending in endings for place in by_ending.get(ending, ())})
            vocabulary = [vocabulary[place] for place in places]
        else:
            vocabulary = [other for other in vocabulary if not endings.isdisjoint(_endings(_plain(other), language))]
    found = []
    for other in vocabulary:
        grade = rhymes(plain, other, language)
        same = grade < Rhyme.PERFECT and (other.startswith(plain) or plain.startswith(other))  # limit and limits
        if grade >= at_least and not same and (syllables < 2 or agreeing_syllables(word, other, language) >= syllables):
            found.append((-grade, other))
    return [other for _, other in sorted(found, key=lambda each: each[0])]


@lru_cache(maxsize=8)
def _by_ending(words: tuple[str, ...], language: str) -> dict[Sounds, list[int]]:
    """Return the places of words by the sounds of their endings."""
    found: dict[Sounds, list[int]] = {}
    for place, word in enumerate(words):
        for end in dict.fromkeys(_endings(_plain(word), language)):
            found.setdefault(end, []).append(place)
    return found


@lru_cache(maxsize=8)
def _vocabulary(language: str) -> dict[str, list[int]]:
    """Return the places of common words by their stressed vowels."""
    found: dict[str, list[int]] = {}
    for place, said in enumerate(pronunciation.common().values() if language == "en" else ()):
        for vowel in set(re.findall(r"([A-Z]+)[12]", said)):
            found.setdefault(vowel, []).append(place)
    return found


def agreeing_syllables(a: str, b: str, language: str = "en") -> int:
    """Return how many syllables at the ends of two words or phrases rhyme, at least nearly: the multi-syllable rhyme of rap.

    Vowels must be equal (weak ones count as equal), and the final consonants close. 0 without a stressed vowel among these
    syllables, and for the same words.
    """
    if text.key(a) == text.key(b):
        return 0
    first, second = (_syllables_from_the_end(phrase, language) for phrase in (a, b))
    found = 0
    for n, ((vowel, digit, after), (other, other_digit, other_after)) in enumerate(zip(first, second, strict=False)):
        near = n or after == other_after or _close(after, other_after) or _one_more(after, other_after)
        weak = digit == other_digit == "0" and language == "en" and {vowel, other} <= _WEAK
        if not (near and (vowel == other or weak)):
            break
        found = n + 1 if "0" not in (digit, other_digit) else found
    return found


def _syllables_from_the_end(phrase: str, language: str) -> Iterator[tuple[str, str, Sounds]]:
    """Yield vowel, stress and the consonants up to the next vowel, from the last syllable of a phrase backwards."""
    said = [sound for word in text.words(phrase) for sound in (pronunciations(word, language) or ((),))[0]]
    after: Sounds = ()
    for sound in reversed(said):
        if sound[-1].isdigit():
            yield sound[:-1], sound[-1], after
            after = ()
        else:
            after = (sound, *after)


def internal_rhymes(
    lines: Sequence[str], language: str = "en", at_least: Rhyme = Rhyme.NEAR
) -> list[tuple[tuple[int, int], tuple[int, int], Rhyme]]:
    """Return the rhymes inside lines: two words of one line, or of two successive ones where at least one is not at the end.

    Each rhyme is the place (line, word) of both words, and its grade. Function words are left out.
    """
    light = languages.FUNCTION_WORDS.get(language, frozenset())
    split = [text.words(line) for line in lines]
    placed = [
        (i, j, word)
        for i, words in enumerate(split)
        for j, word in enumerate(words)
        if word not in light and len(word) > 1
    ]
    found = []
    for n, (i, j, word) in enumerate(placed):
        for k, m, other in placed[n + 1 :]:
            if k > i + 1:
                break
            ends = j == len(split[i]) - 1 and m == len(split[k]) - 1
            if not ends and (grade := rhymes(word, other, language)) >= at_least:
                found.append(((i, j), (k, m), grade))
    return found


def last_word(line: str) -> str:
    """Return the last word of a line in lower case, including ad-libs in parentheses; empty if it has none."""
    found = text.words(line)
    return found[-1] if found else ""


def syllables(word: str, language: str = "en") -> int | None:
    """Return the number of syllables of a word; None in a language or script without rules."""
    return line_syllables(word, language)


def line_syllables(line: str, language: str = "en") -> int | None:
    """Return the number of syllables of a line as they are sung; None in a language or script without rules.

    In Spanish, Portuguese and Italian a vowel at the end of a word and one at the start of the next are one syllable
    (sinalefa), unless there is punctuation between them. In French an e muet counts before a consonant inside the line, but not
    before a vowel, before punctuation and at the end.
    """
    beats = stress(line, language)
    return None if beats is None else len(beats)


@lru_cache(maxsize=4096)
def stress(line: str, language: str = "en") -> str | None:
    """Return the stress of each syllable of a line, 1 or 0; None in a language or script without rules.

    Function words have no stress, except English ones of several syllables.

    Examples
    --------
    >>> stress("The water is wide tonight")
    '0100101'
    """
    if language not in languages.SUPPORTED:
        return None
    line = unicodedata.normalize("NFC", line)
    found, end = "", 0
    open_end = False  # the last syllable can be one with the next vowel
    for word in text.WORD.finditer(line):
        plain = _plain(word[0])
        beats = _beats(plain, language)
        if beats is None:
            return None
        said = (_pronunciations(plain, language) or ((),))[0]
        starts_open = said[:1] != () and said[0][-1].isdigit()
        pause = _PAUSE.search(line, end, word.start()) is not None
        if found.endswith("-"):
            found = found[:-1] + ("" if starts_open or pause else "0")
        elif language in _ELIDING and open_end and starts_open and not pause:
            found, beats = found[:-1], max(found[-1], beats[0]) + beats[1:]
        found += beats
        open_end, end = said[-1:] != () and said[-1][-1].isdigit(), word.end()
    return found.removesuffix("-")


@lru_cache(maxsize=65536)
def _beats(word: str, language: str) -> str | None:
    """Return the stress of each syllable of a word; "-" is an e muet at the end of a French one."""
    if not languages.is_latin(word):
        return None
    if word.isdecimal():
        return stress(pronunciation.spelt(int(word))) if language == "en" and len(word) < 7 else None
    said = (_pronunciations(word, language) or ((),))[0]
    digits = "".join(said[i][-1] for i in _places(_voiced(said))) or "0"
    beats = re.sub("(?<!1)2(?!1)", "1", digits).replace(
        "2", "0"
    )  # no two stresses in a row: day-light, but mid-sum-mer night
    if (len(beats) == 1 or language != "en") and word in languages.FUNCTION_WORDS.get(language, ()):
        beats = "0" * len(beats)
    return beats if said == _voiced(said) else beats + "-"


def scheme(lines: Sequence[str], at_least: Rhyme = Rhyme.NEAR, language: str = "en") -> str:
    """Return the rhyme scheme of a stanza, one letter per line: ``"AABB"``.

    A line gets the letter of the nearest previous line that rhymes with it with at least the grade ``at_least``, else a new
    letter. Lines that end in the same word do not rhyme. After Z follow lower-case letters, then ``?``.
    """
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    ends = [last_word(line) for line in lines]
    found: list[str] = []
    used = 0
    for number, end in enumerate(ends):
        near = (found[i] for i in reversed(range(number)) if rhymes(end, ends[i], language) >= at_least)
        letter = next(near, None)
        if letter is None:
            letter = letters[used] if used < len(letters) else "?"
            used += 1
        found.append(letter)
    return "".join(found)


def sections(lyrics: str) -> list[list[str]]:
    """Return the lines of each section; a header such as ``[Chorus]`` starts a section and is not a line."""
    found: list[list[str]] = []
    for block in _BLANK.split(lyrics):
        found.append([])
        for line in text.lines(block):
            if _HEADER.fullmatch(line):
                found.append([])
            else:
                found[-1].append(line)
    return [section for section in found if section]


def density(sections: Sequence[Sequence[str]], at_least: Rhyme = Rhyme.NEAR, language: str = "en") -> float | None:
    """Return the share of lines that rhyme with a line of the same section at most `NEARBY` lines away; None without lines."""
    hits = 0
    for section in sections:
        ends = [last_word(line) for line in section]
        for place, end in enumerate(ends):
            others = ends[max(0, place - NEARBY) : place] + ends[place + 1 : place + 1 + NEARBY]
            hits += any(rhymes(end, other, language) >= at_least for other in others)
    lines = sum(map(len, sections))
    return hits / lines if lines else None
