"""Songs by the thousand: sections of lines of words, drawn for all songs at once and written by three look-ups.

Words are numbers into the pool of pieces, sections are numbers into the words, songs are numbers into the sections (the
chorus several times). Only the look-ups of pyarrow touch text, so a song costs some microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from songtables.vocabulary import (
    CLOSINGS,
    COMMON_DRAWS,
    DRAWS,
    EMPTY,
    MIDDLE,
    TITLED,
    TITLED_ON,
    Ints,
    Vocabulary,
    drawn,
)

WORDS_A_SLOT = 2.45
"""Words that a connector and its content word come to, on average: for the lengths only."""

_FORMS_OF_SONGS = ("VCVC", "VCVCBC", "VCVCVC", "CVCVC", "VCVCC", "VVVV", "VVV", "VVCVC", "VBVB", "CVCVCBCC")
_KINDS = "VCB"
_LENGTHS = np.array([1.2, 0.8, 0.7])  # of a verse, a chorus, a bridge, against the song's mean section
_LONGEST = max(map(len, _FORMS_OF_SONGS))

# What ends a line, and how a line goes on, for four habits of writing: none, commas, full stops, with backing vocals.
_HABITS = np.array(
    [
        [0.98, 0.00, 0.00, 0.00, 0.02, 0.00, 0.00],
        [0.55, 0.37, 0.02, 0.02, 0.03, 0.00, 0.01],
        [0.10, 0.35, 0.40, 0.07, 0.08, 0.00, 0.00],
        [0.72, 0.10, 0.00, 0.04, 0.03, 0.07, 0.04],
    ]
)
HABITS = len(_HABITS)
_CLOSING = np.stack([drawn(row, 256) for row in _HABITS])
_COMMAS = np.array([0, 6, 20, 10])  # of 256 words inside a line


def _structure() -> tuple[Ints, Ints, Ints]:
    """Return, for each form of song: the unit at each place (-1: none), and the kind and number of each unit."""
    units = np.full((len(_FORMS_OF_SONGS), _LONGEST), -1)
    kinds, numbers = np.zeros_like(units), np.zeros_like(units)
    for row, form in enumerate(_FORMS_OF_SONGS):
        chorus, used = -1, 0
        for place, letter in enumerate(form):
            if letter == "C" and chorus >= 0:
                units[row, place] = chorus
                continue
            chorus = used if letter == "C" else chorus
            units[row, place] = used
            kinds[row, used] = _KINDS.index(letter)
            numbers[row, used] = form[:place].count(letter)
            used += 1
    return units, kinds, numbers


_UNITS, _UNIT_KINDS, _UNIT_NUMBERS = _structure()
_PLACES = (_UNITS >= 0).sum(axis=1)
_NUMBER_OF_UNITS = _UNITS.max(axis=1) + 1

_BREAK = "\n\n"
_HEADERS = ("", _BREAK, *(f"[Verse {n + 1}]\n" for n in range(_LONGEST)), "[Chorus]\n", "[Bridge]\n", "[Hook]\n")
_VERSE, _CHORUS, _BRIDGE, _HOOK = 2, 2 + _LONGEST, 3 + _LONGEST, 4 + _LONGEST


@dataclass(frozen=True)
class Songs:
    """What is asked of each song: arrays of equal length, a song each."""

    words: Ints
    """About how many words it shall have."""
    slots: Ints
    """Pairs of connector and content word in a short line, at least 1; a line has up to two more."""
    artist: Ints
    """The row of `Tables.own` for its words."""
    signal: Ints
    """Of 256 content words, how many come from the artist's own table."""
    habit: Ints
    """How it ends its lines: 0 to `HABITS` - 1."""
    headed: Ints
    """0: without section headers; 1: with them; 2: with the artist's name in them; 3: the chorus is called hook."""


@dataclass(frozen=True)
class Tables:
    """From which content words are drawn."""

    common: npt.NDArray[np.uint16]
    """(`COMMON_DRAWS`,) for all."""
    own: npt.NDArray[np.uint16]
    """(artists, `DRAWS`)"""
    headers: pa.StringArray
    """Two an artist: the first verse's and the chorus's header with the name; may be empty when no song asks for it."""


def sing(rng: np.random.Generator, vocabulary: Vocabulary, tables: Tables, songs: Songs) -> pa.StringArray:
    """Return the lyrics of all ``songs``."""
    count = len(songs.words)
    form = rng.integers(0, len(_FORMS_OF_SONGS), count)
    units = _NUMBER_OF_UNITS[form]
    song = np.repeat(np.arange(count), units)
    unit = _within(units)
    kind = _UNIT_KINDS[form[song], unit]
    lines = songs.words / (WORDS_A_SLOT * (songs.slots + 1) * _PLACES[form])
    lines = np.maximum(np.rint(lines[song] * _LENGTHS[kind] * rng.uniform(0.85, 1.15, len(song))).astype(np.int64), 1)
    sections = _sections(rng, vocabulary, tables, songs, song, lines)
    return _songs(sections, tables, songs, form)


def _sections(
    rng: np.random.Generator, vocabulary: Vocabulary, tables: Tables, songs: Songs, song: Ints, lines: Ints
) -> pa.StringArray:
    """Return the text of each section (its song and its number of lines are given), without a line end at its end."""
    line_song = np.repeat(song, lines)
    slots = songs.slots[line_song] + rng.integers(0, 3, len(line_song))
    ends = np.cumsum(slots)
    slot_song = np.repeat(line_song, slots)
    opens = np.zeros(ends[-1], bool)
    opens[ends - slots] = True
    bits = rng.integers(0, 2**64, ends[-1], dtype=np.uint64).view(np.int64)  # one draw a slot, cut into fields

    connector = vocabulary.connectors[bits & (DRAWS - 1)] + opens
    connector[((bits >> 12) & 3 == 0) & ~opens] = EMPTY
    own = ((bits >> 14) & 255) < songs.signal[slot_song]
    at = (bits >> 22) & (COMMON_DRAWS - 1)
    word = tables.common[at]
    word[own] = tables.own[songs.artist[slot_song[own]], at[own] & (DRAWS - 1)]
    chance = (bits >> 40) & 255
    habit = songs.habit[slot_song]
    ending = (chance < _COMMAS[habit]).astype(np.int64)
    last = ends - 1
    ending[last] = len(MIDDLE) + _CLOSING[habit[last], chance[last]]
    ending[last[np.cumsum(lines) - 1]] += len(CLOSINGS)

    pieces = np.empty(2 * len(bits), np.int32)
    pieces[0::2] = connector
    pieces[1::2] = vocabulary.content_piece(word.astype(np.int64), ending)
    starts = np.append(0, 2 * ends[np.cumsum(lines) - 1])
    return _joined(vocabulary.pieces.take(pa.array(pieces)), starts)


def _songs(sections: pa.StringArray, tables: Tables, songs: Songs, form: Ints) -> pa.StringArray:
    """Put header, section and empty line after another, place by place."""
    places, units = _PLACES[form], _NUMBER_OF_UNITS[form]
    song = np.repeat(np.arange(len(form)), places)
    unit = _UNITS[form[song], _within(places)]
    elements = np.empty((len(song), 3), np.int32)
    elements[:, 1] = (np.cumsum(units) - units)[song] + unit
    elements[:, 2] = len(sections) + 1
    elements[np.cumsum(places) - 1, 2] = len(sections)
    elements[:, 0] = len(sections) + _header(songs, form, song, unit)
    pool = pa.concat_arrays([sections, pa.array(_HEADERS, pa.string()), tables.headers])
    return _joined(pool.take(pa.array(elements.ravel())), np.append(0, 3 * np.cumsum(places)))


def _header(songs: Songs, form: Ints, song: Ints, unit: Ints) -> Ints:
    """Return the number of the header of each section, in `_HEADERS` and then in the artists' own."""
    kind, number = _UNIT_KINDS[form[song], unit], _UNIT_NUMBERS[form[song], unit]
    headed = songs.headed[song]
    header = np.choose(kind, [_VERSE + number, np.where(headed == 3, _HOOK, _CHORUS), _BRIDGE])
    named = (headed == 2) & ((kind == 1) | ((kind == 0) & (number == 0)))
    header = np.where(named, len(_HEADERS) + 2 * songs.artist[song] + kind, header)
    return np.where(headed == 0, 0, header)


def titles(rng: np.random.Generator, vocabulary: Vocabulary, tables: Tables, songs: Songs) -> pa.StringArray:
    """Return a title of one to four words or so for each song: ``Harbour``, ``In the Harbour``, ``Whistle in the Harbour``."""
    count = len(songs.words)
    at = rng.integers(0, COMMON_DRAWS, (count, 2))
    own = rng.integers(0, 256, (count, 2)) < songs.signal[:, None]
    word = np.where(own, tables.own[songs.artist[:, None], at & (DRAWS - 1)], tables.common[at]).astype(np.int64)
    shape = rng.integers(0, 3, count)
    pieces = np.zeros((count, 3), np.int64)
    pieces[:, 0] = np.where(shape == 2, vocabulary.content_piece(word[:, 0], TITLED_ON), EMPTY)
    connector = vocabulary.connectors[rng.integers(0, DRAWS, count)]
    pieces[:, 1] = np.where(shape == 0, EMPTY, connector + 1)
    pieces[:, 2] = vocabulary.content_piece(word[:, 1], TITLED)
    return _joined(vocabulary.pieces.take(pa.array(pieces.ravel())), 3 * np.arange(count + 1))


def _within(counts: Ints) -> Ints:
    """Return 0, 1 ... for each group of so many."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)


def _joined(parts: pa.StringArray, starts: Ints) -> pa.StringArray:
    """Return the concatenations of runs of ``parts``; they lie one after the other already, so no text is copied."""
    _, offsets, data = parts.buffers()
    cuts = np.frombuffer(offsets, np.int32, len(parts) + 1)[starts]
    return pa.StringArray.from_buffers(len(starts) - 1, pa.py_buffer(np.ascontiguousarray(cuts)), data)
