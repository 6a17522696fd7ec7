"""Invented artists: names, genres, habits, and the words that each of them likes.

How likely an artist sings a word is the word's frequency, times a factor of the genre, times a factor of the artist, both
log-normal. How strongly a song shows it differs from song to song. `GENRE_SPREAD`, `ARTIST_SPREAD` and `SIGNAL` are set
so that a linear model finds about what it finds in real tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from songtables.verses import HABITS, Tables
from songtables.vocabulary import COMMON_DRAWS, DRAWS, Ints, Vocabulary, drawn

GENRES = ("pop", "rap", "rock", "rb", "misc", "country")
SHARES = np.array([0.43, 0.33, 0.155, 0.04, 0.025, 0.02])
"""Of the songs, as in the table of five million songs of Genius."""

WORDS = np.array([185.0, 370.0, 170.0, 215.0, 230.0, 175.0])
"""Median words of a song, by genre."""

SLOTS = np.array([2, 3, 2, 2, 2, 2])
"""Pairs of connector and content word in the shortest lines, by genre: rap has long ones."""

GENRE_SPREAD, ARTIST_SPREAD = 0.5, 0.5
SIGNAL = (2.0, 2.6)
"""Parameters of the beta distribution of the share of content words that are the artist's own."""

OTHER_GENRE = 0.08
"""Share of songs in another genre than the artist's usual one."""

_HEAVY = 0.9  # songs by artist: rank r has 1 / (r + 3) ** 0.9
_FIRST, _SYLLABLES, _ENDS, _THINGS = (
    text.split()
    for text in (
        "Abel Ada Alma Anton Arlo Asta Basil Bela Bruno Cato Celia Clem Cora Dario Delphine Dora Edda Elio Enid Esko Fenna"
        " Fidel Flora Gideon Greta Halla Hugo Ida Ilse Ivo Jonas Juno Kasper Kit Lalo Lena Lotte Mabel Marek Mina Nico Nora"
        " Odile Olaf Otis Pepe Petra Quincy Rafe Rhea Rolf Rosa Saul Selma Silas Sunniva Tamar Theo Tilda Ugo Vera Viggo"
        " Wanda Xenia Yara Yves Zelda Zoë",
        "bar bel bran cal cor dal dor el fen gal gor hal hol jar kel kor lan lor mar mel mor nar nel nor or pel quil ral ren"
        " ros sal sel sol tam tar tel tor ul val vel vin vor wen wol yar zan zel",
        "ane ber by den do dale ett fast gate han ick ing ko lan low man more net ock on owe rick sen son ter to ven vik"
        " wick",
        "Anchors Bells Cousins Drifters Engines Ferries Gardens Hammers Islands Kettles Ladders Mirrors Owls Parades Rivers"
        " Sparrows",
    )
)


@dataclass(frozen=True)
class Artists:
    """Arrays of equal length, an artist each; the commonest first."""

    names: npt.NDArray[np.object_]
    genres: Ints
    """Numbers into `GENRES`."""
    habits: Ints
    cumulated: npt.NDArray[np.float64]
    """Cumulated shares of the songs."""
    tables: Tables

    def pick(self, rng: np.random.Generator, count: int) -> Ints:
        """Return the artists of ``count`` songs."""
        return np.searchsorted(self.cumulated, rng.random(count)).clip(max=len(self.names) - 1)


def make_artists(rng: np.random.Generator, count: int, vocabulary: Vocabulary) -> Artists:
    """Return ``count`` artists who sing in the words of ``vocabulary``."""
    shares = 1 / (np.arange(count) + 3.0) ** _HEAVY
    genres = _spread_genres(rng, shares / shares.sum())
    names = _names(rng, count)
    headers = [header for name in names for header in (f"[Verse 1: {name}]\n", f"[Chorus: {name}]\n")]
    tables = Tables(
        drawn(vocabulary.chances, COMMON_DRAWS).astype(np.uint16),
        _own_words(rng, genres, vocabulary),
        pa.array(headers, pa.string()),
    )
    cumulated = np.cumsum(shares) / shares.sum()
    return Artists(np.array(names, object), genres, rng.integers(0, HABITS, count), cumulated, tables)


def even_tables(vocabulary: Vocabulary, artists: Artists) -> Tables:
    """Return tables for a foreign language, in which all artists sing the same words."""
    row = drawn(vocabulary.chances, DRAWS).astype(np.uint16)
    own = np.broadcast_to(row, (len(artists.names), DRAWS))
    return Tables(drawn(vocabulary.chances, COMMON_DRAWS).astype(np.uint16), own, artists.tables.headers)


def _spread_genres(rng: np.random.Generator, shares: npt.NDArray[np.float64]) -> Ints:
    """Give each artist a genre so that the genres have their shares of the songs, and not of the artists only."""
    left = SHARES.copy()
    genres = np.zeros(len(shares), np.int64)
    for artist, share in enumerate(shares):
        chances = np.maximum(left, 1e-9)
        genres[artist] = rng.choice(len(left), p=chances / chances.sum())
        left[genres[artist]] -= share
    return genres


def _own_words(rng: np.random.Generator, genres: Ints, vocabulary: Vocabulary) -> npt.NDArray[np.uint16]:
    words = len(vocabulary.chances)
    by_genre = np.log(vocabulary.chances) + GENRE_SPREAD * rng.standard_normal((len(GENRES), words))
    own = np.empty((len(genres), DRAWS), np.uint16)
    for artist, genre in enumerate(genres):
        chances = np.exp(by_genre[genre] + ARTIST_SPREAD * rng.standard_normal(words))
        own[artist] = drawn(chances, DRAWS, rng.random())
    return own


def _names(rng: np.random.Generator, count: int) -> list[str]:
    """Return different invented names; a few hold what trips up careless readers: commas, quotes, an ampersand."""

    def one(options: list[str]) -> Any:
        return options[int(rng.integers(len(options)))]

    names: dict[str, None] = {}
    while len(names) < count:
        last = (one(_SYLLABLES) + (one(_SYLLABLES) if rng.random() < 0.3 else "") + one(_ENDS)).capitalize()
        first, shape = one(_FIRST), rng.random()
        if shape < 0.6:
            name = f"{first} {last}"
        elif shape < 0.8:
            name = f"The {last} {one(_THINGS)}"
        elif shape < 0.9:
            name = f"{one(['DJ', 'MC', 'Young', 'Kid'])} {last}"
        elif shape < 0.96:
            name = f"{first} {last} & The {one(_THINGS)}"
        elif shape < 0.98:
            name = f'{first} "{one(_SYLLABLES).capitalize()}" {last}'
        else:
            name = f"{first}, {one(_FIRST)} & {last}"
        names.setdefault(name)
    return list(names)
