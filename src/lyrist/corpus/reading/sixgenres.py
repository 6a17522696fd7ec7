"""The join of the six-genres data: its songs name an artist by a link, and the genre stands in the table of artists.

That table is small (thousands of rows) and is held in memory. Of an artist's genres the first counts. Without the table
an artist is called as in the link (``/10000-maniacs/``), and there are no genres.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pyarrow as pa

Artists = Mapping[str, tuple[str | None, str | None]]
"""From the key of an artist's link to name and genre."""

_BETWEEN = re.compile(r"\s*[;,]\s*")


def artists_of(tables: Iterable[pa.Table], link: str) -> Artists:
    """Return the lookup made of the table of artists: columns ``artist``, ``genre`` and that of the links."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for table in tables:
        columns = (table[name].to_pylist() for name in (link, "artist", "genre"))
        for place, artist, genre in zip(*columns, strict=True):
            if place:
                found.setdefault(_key(place), (artist, _first(genre)))
    return found


def joined(songs: pa.Table, link: str, artists: Artists, *, name: bool, genre: bool) -> pa.Table:
    """Return songs with the ``artist`` (when ``name``) and ``genre`` (when ``genre``) that their links lead to."""
    keys = [_key(place) if place else "" for place in songs[link].to_pylist()]
    facts = [artists.get(key, (None, None)) for key in keys]
    if name:
        names = [fact[0] or key.replace("-", " ") or None for fact, key in zip(facts, keys, strict=True)]
        songs = _replaced(songs, "artist", names)
    return _replaced(songs, "genre", [fact[1] for fact in facts]) if genre else songs


def _key(link: str) -> str:
    return link.strip().strip("/").rsplit("/", 1)[-1].casefold()


def _first(genres: str | None) -> str | None:
    return next(filter(None, _BETWEEN.split(genres or "")), None)


def _replaced(songs: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    return songs.set_column(songs.column_names.index(name), name, pa.array(values, songs.schema.field(name).type))
