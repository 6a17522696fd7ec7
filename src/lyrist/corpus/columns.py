"""Which column of a table is the title, the artist, the lyrics ...

Widely used tables are recognised by their columns (`PRESETS`; a new one is one entry there). Any other table is read by the
common names of columns. Nothing is guessed between two candidates, because a wrong guess would show only in the finished
report: two columns that could both be the lyrics are an error that names the option to choose one.
"""

from __future__ import annotations

import functools
import itertools
import re
import statistics
import unicodedata
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
        "title", "song", "song_title", "song_name", "songtitle", "songname", "track", "track_name", "track_title",
        "trackname", "tracktitle", "name", "titel", "songtitel", "liedtitel", "titre", "chanson", "título", "titulo", "cancion",
        "canción", "título_da_música", "titolo", "canzone", "tytuł", "название", "песня", "曲名", "歌名", "제목",
    ),
    "artist": (
        "artist", "artist_name", "artistname", "artists", "artist_names", "primary_artist", "singer", "singer_name",
        "band", "band_name", "performer", "interpret", "interprète", "interprete", "intérprete", "künstler", "artiste", "artista",
        "cantante", "cantor", "wykonawca", "исполнитель", "артист", "歌手", "アーティスト", "가수",
    ),
    "genre": ("genre", "genres", "main_genre", "music_genre", "tag", "style", "género", "gênero", "genere", "gatunek", "жанр"),
    "lyrics": (
        "lyrics", "lyric", "text", "song_lyrics", "song_lyric", "song_text", "songtext", "full_lyrics", "lyrics_text",
        "lyric_text", "lyrics_body", "subtitle_body", "richsync_body",
        "plain_lyrics", "plainlyrics", "synced_lyrics", "syncedlyrics", "lrc", "songlyrics", "liedtext", "letra", "letras",
        "paroles", "testo", "tekst",
        "текст", "текст_песни", "歌詞", "歌词", "가사",
    ),
    "language": ("language", "lang", "language_code", "idiom", "sprache", "langue", "idioma", "lingua", "язык"),
    "year": (
        "year", "release_year", "released", "release_date", "date", "jahr", "année", "annee", "año", "anio", "ano", "anno",
        "rok", "год",
    ),
}  # fmt: skip
"""Common names of columns, as `normal` writes them."""

PLAIN = ("plain_lyrics", "plainlyrics")
"""Columns of lyrics without times: used where another column holds the same lyrics with times."""

LINE_TEXTS = ("line", "line_text", "lyric_line", "lyrics_line", "verse", "verse_text", "words")
"""Names of the column of lyrics in a table with one row per line, if its values are no numbers."""

LINE_NUMBERS = {
    "line", "line_number", "line_no", "line_nr", "line_num", "line_n", "line_id", "line_index", "line_order", "lineno",
    "linenumber", "line_position", "n_line", "linea", "linha", "ligne", "riga", "zeile", "zeile_nr", "zeilennummer", "строка",
}  # fmt: skip
"""Names of the column that counts the lines of a song, in a table with one row per line."""

SECTIONS = {
    "section", "section_name", "section_type", "section_number", "section_no", "section_id", "part", "part_name", "song_part",
    "stanza", "stanza_number", "verse_number", "verse_no", "block",
}  # fmt: skip
"""Names of the column that says which section of its song a row is."""

STRUCTURES = ("sections", "lines", "verses", "stanzas", "segments")
"""Names of columns of JSON that hold lyrics as a list."""

SONG_KEYS = (
    "song_id", "songid", "track_id", "trackid", "track_uri", "track_n", "track_no", "track_num", "track_number",
    "tracknumber", "album", "album_name", "album_title", "disc_number",
)  # fmt: skip
"""Names of columns that, with title and artist, say which song a line is of."""

LINES_OF = 3
"""A table holds lines when so many rows of a sample, on average, have one title and artist."""
DOUBTFUL_LINES_OF = 1.5
"""With fewer rows, but more than this, it is refused."""
LINE_WORDS = 12
"""Median number of words up to which a text can be one line."""
FEWEST_LINES = 12
"""A sample with fewer rows says nothing about lines."""

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
    line: str | None = None
    """The column that counts the lines of a song, where a row is a line."""
    joined_by: tuple[str, ...] = ()
    """The columns whose equal values make rows one song; empty where each row is a song."""
    short: bool = False
    """Whether rows are taken for songs although the first of them are as short as lines; then the reader counts titles."""


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


@functools.lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """Return the name of a column as it is compared: ``song_text`` for ``Song Text``, ``song-text`` and ``SongText``."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", unicodedata.normalize("NFC", name.strip()))
    return re.sub(r"[\W_]+", "_", parted.casefold()).strip("_")


def recognise(
    header: Sequence[str],
    *,
    preset: str = "auto",
    given: Mapping[str, str | None] | None = None,
    keep: Sequence[str] = (),
    sample: Sequence[Mapping[str, str | None]] = (),
    source_name: str = "the table",
    lines: str = "auto",
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
        Several names, separated by commas, are alternatives: the first that the table has is used.
    keep
        Further columns to keep.
    sample
        Some rows: where no column has the name of lyrics, and to see whether a row is a song or a line.
    source_name
        Names the table in errors.
    lines
        ``auto``: a table with one row per line is recognised, and its rows are joined; ``join``: rows are lines; ``keep``:
        each row is a song.

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
        else:
            preset_column = _first(header, chosen.columns.get(role, ()), role, source_name) if chosen else None
            roles[role] = preset_column or _by_name(header, role, source_name, certain=chosen is None, taken=roles)
    lyrics = roles.pop("lyrics") or _by_content(header, sample, list(roles.values()), source_name)
    line, joined_by, short = _lines(header, sample, lyrics, [roles["title"], roles["artist"]], lines, source_name)
    return Columns(
        **roles,
        lyrics=lyrics,
        split=named.get("split"),
        keep=_kept(header, keep, source_name),
        preset=chosen.name if chosen else "names",
        link=_first(header, ("alink",), "link", source_name) if chosen and chosen.name == SIX_GENRES else None,
        line=line,
        joined_by=joined_by,
        short=short,
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


def has_lyrics(header: Sequence[str], *, lines: bool = False) -> bool:
    """Return whether a column has a common name for lyrics, or with ``lines`` for a line of them."""
    return any(normal(name) in (*NAMES["lyrics"], *(LINE_TEXTS if lines else ())) for name in header)


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
    """Return the column that the user calls ``name``: exactly so, or in other case when one is.

    A name such as ``lyrics,text`` is that of the first of these columns that the table has.
    """
    if list(header).count(name) == 1:
        return name
    if "," in name:
        names = [each.strip() for each in name.split(",")]
        name = next((each for each in names if normal(each) in map(normal, header)), names[0])
        return _column(header, name, source)
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
    if role == "lyrics":
        found = [column for column in found if normal(column) in PLAIN] or found
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
    values = {name: [row.get(name) for row in sample] for name in header if name not in taken}
    found = [name for name in values if _looks_like_lyrics(values[name])]
    found = found or [name for name in values if normal(name) in LINE_TEXTS and _are_words(values[name])]
    found = found or [name for name in values if normal(name) in STRUCTURES and _are_lists(values[name])]
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


def _are_lists(values: Sequence[str | None]) -> bool:
    """Return whether all values are lists or objects, or text of several lines that was made of these."""
    texts = [value.strip() for value in values if value and value.strip()]
    return bool(texts) and all(text[0] in "[{" or "\n" in text for text in texts)


def _are_words(values: Sequence[str | None]) -> bool:
    """Return whether most values are several words."""
    texts = [value for value in values if value]
    return bool(texts) and sum(" " in text.strip() for text in texts) > len(texts) / 2


def _lines(
    header: Sequence[str],
    sample: Sequence[Mapping[str, str | None]],
    lyrics: str,
    names: Sequence[str | None],
    lines: str,
    source: str,
) -> tuple[str | None, tuple[str, ...], bool]:
    """Return the column of line numbers, those that say which song a line is of, and whether that is in doubt.

    There are no such columns where each row is a song.
    """
    if lines == "keep":
        return None, (), False
    texts = [text.strip() for row in sample if (text := row.get(lyrics)) and text.strip()]
    words = statistics.median([len(text.split()) for text in texts]) if texts else 0
    single = sum("\n" not in text for text in texts) >= 0.95 * len(texts) and words <= LINE_WORDS
    number = _line_numbers(header, sample, lyrics)
    if lines == "auto" and not single and (parts := _sections(header, sample, names, lyrics)):
        return parts
    varied = len(texts) >= (4 if number else FEWEST_LINES) and len(set(texts)) > 0.3 * len(texts)
    if lines == "auto" and (not varied or not single or max(map(len, texts)) >= LONG_TEXT):
        return None, (), False
    key = _song_key(header, sample, [name for name in names if name and name != lyrics], {lyrics, number})
    songs = len({tuple(row.get(name) for name in key) for row in sample})
    per_song = len(sample) / songs if key else 0
    nameless = not key and normal(lyrics) in (*NAMES["lyrics"], *LINE_TEXTS) and len(header) == 1
    keep = "or, if each row is a song, give --lines keep"
    rows = f"The rows of {source} look like single lines (half of them have at most {words:g} words)"
    if lines == "auto" and not key and (name := _repeated(header, sample, lyrics)):
        raise LyristError(
            f"{rows}, and '{_short(name)}' may say of which song; name it with --title {_quoted(name)}, {keep}."
        )
    if lines == "auto" and number is None and per_song < DOUBTFUL_LINES_OF and not nameless:
        return None, (), True
    if not key:
        raise LyristError(f"{rows}, and no column says of which song; name it with --title COLUMN, {keep}.")
    if lines == "auto" and number is None and per_song < LINES_OF:
        way = "sort the table by song and line, and give --lines join"
        raise LyristError(f"{rows}, and songs have {per_song:.1f} rows in its first part; {way}, {keep}.")
    if sum(len(text.split()) <= 1 for text in texts) > 0.9 * len(texts) and all(text.isascii() for text in texts):
        raise LyristError(f"The rows of {source} are single words; join the words of each line first, {keep}.")
    return number, key, False


def _sections(
    header: Sequence[str], sample: Sequence[Mapping[str, str | None]], names: Sequence[str | None], lyrics: str
) -> tuple[str | None, tuple[str, ...], bool] | None:
    """Return what `_lines` does for a table with one row per section of a song; None for any other table."""
    column = next((name for name in header if normal(name) in SECTIONS and name != lyrics), None)
    key = _song_key(header, sample, [name for name in names if name and name != lyrics], {lyrics, column})
    songs = {tuple(row.get(name) for name in key) for row in sample}
    if not column or not key or len(sample) < DOUBTFUL_LINES_OF * len(songs):
        return None
    pairs = {(*(row.get(name) for name in key), row.get(column)) for row in sample}
    numbered = all(re.fullmatch(r"\s*\d+\s*", row.get(column) or "") for row in sample)
    return (column if numbered and len(pairs) == len(sample) else None), key, False


def _repeated(header: Sequence[str], sample: Sequence[Mapping[str, str | None]], lyrics: str) -> str | None:
    """Return the first column of names whose equal values are in neighbouring rows, several of each; None if there is none."""
    for name in header:
        values = [row.get(name) or "" for row in sample]
        runs = sum(one != other for one, other in itertools.pairwise(values)) + 1
        words = sum(any(c.isalpha() for c in value) for value in values)
        different = len(set(values))
        if name != lyrics and words > 0.9 * len(values) and 1 < different == runs <= len(values) / LINES_OF:
            return name
    return None


def _line_numbers(header: Sequence[str], sample: Sequence[Mapping[str, str | None]], lyrics: str) -> str | None:
    """Return the column that counts lines: it has the name of one, and holds whole numbers."""
    for name in header:
        if normal(name) in LINE_NUMBERS and name != lyrics:
            values = [value for row in sample if (value := row.get(name))]
            numeric = all(re.fullmatch(r"\s*\d+(?:\.0)?\s*", value) for value in values)
            if numeric and len(set(values)) < len(values):  # a number that never occurs again counts rows
                return name
    return None


def _song_key(
    header: Sequence[str], sample: Sequence[Mapping[str, str | None]], names: Sequence[str], others: set[str | None]
) -> tuple[str, ...]:
    """Return the columns that say of which song a line is: title and artist, and any other that changes with them only."""
    key = list(names)
    for name in header:
        if normal(name) not in SONG_KEYS or name in key or name in others:
            continue
        pairs = itertools.pairwise(sample)
        same = [(one, other) for one, other in pairs if all(one.get(k) == other.get(k) for k in key)]
        if sum(one.get(name) == other.get(name) for one, other in same) >= (0.9 if names else 0.5) * len(same):
            key.append(name)
    return tuple(key)


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
