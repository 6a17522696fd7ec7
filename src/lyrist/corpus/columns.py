"""Which column of a table is the title, the artist, the lyrics ...

Widely used tables are recognised by their columns (`PRESETS`; a new one is one entry there). Any other table is read by the
common names of columns. Nothing is guessed between two candidates, because a wrong guess would show only in the finished
report: two columns that could both be the lyrics are an error that names the option to choose one.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lyrist.errors import LyristError, UsageError, unknown
from lyrist.text import printable

ROLES = ("title", "artist", "genre", "lyrics", "language", "year")
"""Fields whose column can be found by its name; ``split`` is used only when an option names it."""

RESERVED = {"row", "id", "source", "cluster", "split", "reason", "detail", *ROLES}
"""Names that every corpus has, in ``songs/`` or ``dropped/``; a kept column cannot have them."""

NAMES: dict[str, tuple[str, ...]] = {
    "title": (
        "title", "song", "song_title", "song_name", "songtitle", "songname", "track", "track_name", "track_title", "name",
    ),
    "artist": (
        "artist", "artist_name", "artistname", "artists", "artist_names", "primary_artist", "singer", "singer_name",
        "band", "band_name", "performer",
    ),
    "genre": ("genre", "genres", "main_genre", "music_genre", "tag", "style"),
    "lyrics": (
        "lyrics", "lyric", "text", "song_lyrics", "song_lyric", "song_text", "songtext", "full_lyrics", "lyrics_text",
        "lyric_text", "letra", "paroles",
    ),
    "language": ("language", "lang", "language_code", "idiom"),
    "year": ("year", "release_year", "released", "release_date", "date"),
}  # fmt: skip
"""Common names of columns, as `normal` writes them."""

LONG_TEXT = 200
"""A column without a common name can be the lyrics when its median value has at least this many characters."""


@dataclass(frozen=True)
class Columns:
    """The column of one table for each field of a song; None where the table has none."""

    title: str | None
    artist: str | None
    genre: str | None
    lyrics: str
    """Empty for a table that holds no songs but facts about artists (preset `ARTISTS`)."""
    language: str | None
    year: str | None
    split: str | None
    keep: tuple[str, ...]
    """Further columns that go into the corpus as text."""
    preset: str
    """The preset by which the table was recognised, or ``names``."""
    link: str | None = None
    """The column by which a table of artists joins a table of songs; on either side."""


@dataclass(frozen=True)
class Preset:
    """A widely used table."""

    name: str
    summary: str
    signature: tuple[str, ...]
    """The columns by which it is recognised: all must be there."""
    columns: Mapping[str, tuple[str, ...]]
    """For each field, the columns that may hold it; the first that the table has is used."""
    also: tuple[tuple[str, ...], ...] = field(default=())
    """Other signatures: older and newer forms of the same table."""

    def matches(self, header: Sequence[str]) -> int:
        """Return how many columns of ``header`` belong to this preset; 0 when it is not this table."""
        names = {normal(name) for name in header}
        return max((len(s) for s in (self.signature, *self.also) if names.issuperset(s)), default=0)


SIX_GENRES = "sixgenres"
ARTISTS = "sixgenres-artists"

_PRESETS = (
    Preset(
        "songdata",
        "57,650 songs by 643 artists, no genres",
        ("artist", "song", "link", "text"),
        {"title": ("song",), "artist": ("artist",), "lyrics": ("text",)},
    ),
    Preset(
        "genius",
        "5 million songs of Genius, with tags and years",
        ("title", "tag", "artist", "year", "views", "lyrics"),
        {
            "title": ("title",),
            "artist": ("artist",),
            "genre": ("tag",),
            "lyrics": ("lyrics",),
            "language": ("language",),
            "year": ("year",),
        },
    ),
    Preset(
        "multilingual",
        "290,000 songs in ten genres and many languages",
        ("artist", "song", "genre", "language", "lyrics"),
        {
            "title": ("song",),
            "artist": ("artist",),
            "genre": ("genre",),
            "lyrics": ("lyrics",),
            "language": ("language",),
        },
    ),
    Preset(
        "metrolyrics",
        "380,000 songs of MetroLyrics, with genres and years",
        ("song", "year", "artist", "genre", "lyrics"),
        {"title": ("song",), "artist": ("artist",), "genre": ("genre",), "lyrics": ("lyrics",), "year": ("year",)},
    ),
    Preset(
        SIX_GENRES,
        "songs whose genre is in a second table, of artists: give both",
        ("alink", "sname", "slink", "lyric"),
        {"title": ("sname",), "artist": ("alink",), "lyrics": ("lyric",), "language": ("language", "idiom")},
    ),
    Preset(
        ARTISTS,
        "the table of artists that goes with sixgenres; its rows are not songs",
        ("artist", "link", "songs", "popularity"),
        {"artist": ("artist",), "genre": ("genre", "genres")},
    ),
    Preset(
        "tcc",
        "28,000 songs from 1950 to 2019 with topics",
        ("artist_name", "track_name", "release_date", "genre", "lyrics"),
        {
            "title": ("track_name",),
            "artist": ("artist_name",),
            "genre": ("genre",),
            "lyrics": ("lyrics",),
            "year": ("release_date",),
        },
    ),
    Preset(
        "billboard",
        "songs of the yearly charts, with genres",
        ("artist", "title", "year", "genre", "lyrics"),
        {"title": ("title",), "artist": ("artist",), "genre": ("genre",), "lyrics": ("lyrics",), "year": ("year",)},
    ),
    Preset(
        "lyricsgenius",
        "JSON as the package lyricsgenius saves it, by song or by artist",
        ("title", "lyrics", "primary_artist"),
        {
            "title": ("title",),
            "artist": ("artist", "primary_artist", "primary_artist_names", "artist_names"),
            "genre": ("genre", "tag"),
            "lyrics": ("lyrics",),
            "language": ("language",),
            "year": ("year", "release_date", "release_date_for_display"),
        },
        also=(("title", "lyrics", "artist_names"), ("title", "album", "year", "lyrics", "image")),
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}
"""The known tables, by name."""


def normal(name: str) -> str:
    """Return the name of a column as it is compared: lower case, runs of other characters as one underscore."""
    return re.sub(r"[\W_]+", "_", name.strip().casefold()).strip("_")


def recognise(
    header: Sequence[str],
    *,
    preset: str = "auto",
    given: Mapping[str, str | None] | None = None,
    keep: Sequence[str] = (),
    sample: Sequence[Mapping[str, str | None]] = (),
    source_name: str = "the table",
) -> Columns:
    """Return which column of a table is which field of a song.

    Parameters
    ----------
    header
        The columns of the table.
    preset
        ``auto``, or the name of a known table.
    given
        Columns that the user named: any of title, artist, genre, lyrics, language, year, split; they override all else.
    keep
        Further columns to keep.
    sample
        Some rows; they help only where no column has the name of lyrics.
    source_name
        Names the table in errors.

    Raises
    ------
    LyristError
        No column can be recognised as the lyrics, two columns could be the same field, or the table does not have the
        columns of the preset.
    UsageError
        A column or preset is named that there is not.
    """
    chosen = _preset(header, preset, source_name)
    if chosen and chosen.name == ARTISTS:
        return _artists_table(header)
    named = _named(header, given or {}, source_name)
    roles: dict[str, str | None] = {}
    for role in ROLES:
        if role in named:
            roles[role] = named[role]
        elif chosen and role in chosen.columns:
            roles[role] = _first(header, chosen.columns[role], role, source_name)
        else:
            roles[role] = _by_name(header, role, source_name, certain=chosen is None, taken=roles)
    lyrics = roles.pop("lyrics") or _by_content(header, sample, list(roles.values()), source_name)
    return Columns(
        **roles,
        lyrics=lyrics,
        split=named.get("split"),
        keep=_kept(header, keep, source_name),
        preset=chosen.name if chosen else "names",
        link=_first(header, ("alink",), "link", source_name) if chosen and chosen.name == SIX_GENRES else None,
    )


def _preset(header: Sequence[str], name: str, source: str) -> Preset | None:
    if name == "auto":
        best = max(_PRESETS, key=lambda preset: preset.matches(header))
        if best.name == ARTISTS and has_lyrics(header):
            return None
        return best if best.matches(header) else None
    if name not in PRESETS:
        raise unknown("preset", name, ["auto", *PRESETS])
    if name == SIX_GENRES and PRESETS[ARTISTS].matches(header):
        return PRESETS[ARTISTS]
    if not PRESETS[name].matches(header):
        wanted = ", ".join(PRESETS[name].signature)
        raise LyristError(
            f"{source} is not the table of the preset {name}, which has {wanted}; its columns are {listed(header)}. "
            "Leave --preset out, or name the columns by --title, --artist, --lyrics."
        )
    return PRESETS[name]


def has_lyrics(header: Sequence[str]) -> bool:
    """Return whether a column has a common name for lyrics."""
    return any(normal(name) in NAMES["lyrics"] for name in header)


def _artists_table(header: Sequence[str]) -> Columns:
    column = {normal(name): name for name in reversed(header)}
    return Columns(
        title=None,
        artist=column["artist"],
        genre=column.get("genre", column.get("genres")),
        lyrics="",
        language=None,
        year=None,
        split=None,
        keep=(),
        preset=ARTISTS,
        link=column["link"],
    )


def _named(header: Sequence[str], given: Mapping[str, str | None], source: str) -> dict[str, str]:
    wanted = {role: name for role, name in given.items() if name is not None}
    for role in wanted:
        if role not in (*ROLES, "split"):
            raise unknown("field", role, [*ROLES, "split"])
    return {role: _column(header, name, source) for role, name in wanted.items()}


def _column(header: Sequence[str], name: str, source: str) -> str:
    """Return the column that the user calls ``name``: exactly so, or in other case when one is."""
    if list(header).count(name) == 1:
        return name
    alike = [column for column in header if normal(column) == normal(name)]
    if len(alike) > 1:
        raise LyristError(f"{source} has {len(alike)} columns called '{name}'; rename one of them in the table.")
    if not alike:
        raise unknown(f"column of {source} called", name, [_short(column) for column in header])
    return alike[0]


def _first(header: Sequence[str], names: Sequence[str], role: str, source: str) -> str | None:
    for name in names:
        found = [column for column in header if normal(column) == name]
        if found:
            return _only(found, role, source)
    return None


def _by_name(
    header: Sequence[str], role: str, source: str, *, certain: bool, taken: Mapping[str, str | None]
) -> str | None:
    """Return the column with a common name for the field; where a preset holds, doubt means none."""
    found = [column for column in header if normal(column) in NAMES[role] and column not in taken.values()]
    if role == "year":  # a date of release says the same with less ease, and any other date something else
        found = [column for column in found if normal(column) == "year"] or found
    if len(found) > 1 and not certain:
        return None
    return _only(found, role, source) if found else None


def _only(found: Sequence[str], role: str, source: str) -> str:
    if len(found) == 1:
        return found[0]
    if len(set(found)) == 1:
        raise LyristError(f"{source} has {len(found)} columns called '{_short(found[0])}'; rename one in the table.")
    names = " and ".join(f"'{_short(name)}'" for name in found)
    raise LyristError(
        f"{source} has {len(found)} columns that could be the {role}, {names}; choose one, such as --{role} {_quoted(found[0])}."
    )


def _by_content(
    header: Sequence[str], sample: Sequence[Mapping[str, str | None]], taken: Sequence[str | None], source: str
) -> str:
    """Return the one column whose values are long texts of several lines."""
    found = [name for name in header if name not in taken and _looks_like_lyrics([row.get(name) for row in sample])]
    if found:
        return _only(found, "lyrics", source)
    raise LyristError(
        f"No column of {source} can be recognised as the lyrics; its columns are {listed(header)}. "
        "Name it: --lyrics COLUMN."
    )


def _looks_like_lyrics(values: Sequence[str | None]) -> bool:
    texts = [value for value in values if value]
    if not texts or statistics.median(map(len, texts)) < LONG_TEXT:
        return False
    return sum("\n" in text.strip() for text in texts) > len(texts) / 2


def _kept(header: Sequence[str], keep: Sequence[str], source: str) -> tuple[str, ...]:
    for name in keep:
        if name in ROLES:
            raise UsageError(f"--keep {name}: every corpus has the column '{name}' already; leave it out.")
        if name not in header:
            raise unknown(f"column of {source} called", name, [_short(column) for column in header])
        _column(header, name, source)
    return tuple(dict.fromkeys(keep))


def kept_name(name: str) -> str:
    """Return the name of a kept column in the corpus: ``table_id`` for ``id``, which every corpus has of its own."""
    return f"table_{name}" if name in RESERVED else name


def listed(header: Sequence[str]) -> str:
    """Return the columns of a table for a sentence: the first twenty, long names cut."""
    names = ", ".join(_quoted(name) for name in header[:20])
    return names + (f" and {len(header) - 20} more" if len(header) > 20 else "")


def _short(name: str) -> str:
    name = printable(name.replace("\n", " "))
    return name if len(name) <= 40 else name[:39] + "…"


def _quoted(name: str) -> str:
    """Return a column as one would type it in a shell; an unnamed one as two quotes."""
    short = _short(name)
    return short if re.fullmatch(r"[\w.+-]+", short) else f"'{short}'"
