"""Texts of songs as programs for karaoke, subtitles and chords write them: LRC, SubRip, WebVTT, TTML, UltraStar, ChordPro.

The content decides the format, whatever the name of the file. `songs_in` returns the words that are sung, in the order in
which they are sung, and what the file says about the song. One parser is one function; add it to `_FORMATS`.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any

from lyrist.corpus.columns import normal


@dataclass(frozen=True)
class SongText:
    """What a text says about a song."""

    lyrics: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    year: str | None = None
    language: str | None = None
    form: str = ""
    """The format: ``LRC``, ``SubRip`` ...; empty for plain text."""


class BrokenTextError(ValueError):
    """A text is in a format of which the end is missing, so that words and marks cannot be separated."""


class MarkupError(ValueError):
    """A text is a document with markup, not the words of a song."""


class ManySongsError(ValueError):
    """A text is longer than a song and nothing marks where its songs begin."""


MARKED = (
    r"^\s*(?:\[\d{1,3}:\d\d|\[Script Info\]|\[(?i:ti|ar|al|by|au|re|ve|la|id|offset|length|tool):|WEBVTT|\d+\s*\r?\n\d\d:\d\d"
    r"|\d+:\d\d:\d\d\.\d{3},\d"
    r"|#[A-Z]{3,12}:|\{(?i:title|t|artist|st|subtitle|key|capo|tempo|c|comment|soc|sov|start_of_\w+)[:}]|<\?xml|<tt\b)"
)
"""Matches nearly every text that `in_format` can read, at its start (a byte order mark aside)."""


def in_format(text: str) -> list[SongText]:
    """Return the songs of a text in one of the formats; none where it is plain text.

    Raises
    ------
    BrokenTextError
        It is cut.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return next((songs for read in _FORMATS if (songs := read(text))), [])


def songs_in(text: str) -> list[SongText]:
    """Return the songs of a file: one, or several with a mark before each or a divider between them.

    Raises
    ------
    ManySongsError
        It has more lines than a song, and no marks.
    BrokenTextError
        It is cut.
    MarkupError
        It is a document of another program.
    """
    if songs := in_format(text):
        return songs
    if front := _FRONT.match(text):
        facts = {key.casefold(): value.strip(" '\"") for key, value in _FACT.findall(front[1])}
        known: dict[str, Any] = {
            name: facts.get(name) or None for name in ("title", "artist", "album", "genre", "year", "language")
        }
        if known["title"]:
            return [SongText(text[front.end() :].strip("\n"), **known)]
    if found := _MARKUP.match(text):
        kind = next(name for name, part in found.groupdict().items() if part)
        raise MarkupError(f"it is {kind}, not the plain text of a song")
    return _several(text.lstrip("\ufeff")) or [_headed(text) or SongText(text)]


_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n((?:[\w -]{1,40}:[^\n]*\n)+)---[ \t]*\r?\n")  # as pages of Markdown have it
_FACT = re.compile(r"^([\w -]+?) *:[ \t]*([^\r\n]*)", re.MULTILINE)
_MARKUP = re.compile(
    r"\ufeff?\s*(?:(?P<HTML><!doctype html|<html\b|<sami\b)|(?P<XML><\?xml\b|<(\w+)(?: [^<>]*)?>\s*<[\s\S]*</\3>\s*$)"
    r"|(?P<YAML>(?:---\s*\n)?(?:[ -]*\w+:[ \t]*[^\n]*\n){0,20}?[ -]*(?:lyrics|text):[ \t]*[|>])"
    r"|(?P<ABC>X:\s*\d+\s*\n(?:[a-z]:.*\n)*K:)|(?P<RTF>\{\\rtf)|(?P<PDF>%PDF-))",
    re.IGNORECASE,
)


# LRC -----------------------------------------------------------------------------------------------------------------

_TIME = r"\d{1,3}:\d\d(?:[.:]\d{1,3})?"
_STAMPED = re.compile(rf"((?:\[{_TIME}\]\s*)+)(.*)")
_STAMP = re.compile(rf"\[({_TIME})\]")
_WORD_STAMP = re.compile(rf"[<\[]{_TIME}[>\]]")
_LRC_TAG = re.compile(r"\[([a-zA-Z#]{1,10})\s*:\s*([^\]\n]*)\]\s*")
_BACKGROUND = re.compile(r"\[bg\s*:\s*(.*)\]\s*", re.IGNORECASE)
_VOICE = re.compile(r"(?:v\d{1,2}|[MFD])\s*:\s*(?=\S|$)")


def _lrc(text: str) -> list[SongText]:
    """Read LRC: a line is sung at each of its time stamps; two lines with one stamp are two languages."""
    timed: list[tuple[float, str]] = []
    tags: dict[str, str] = {}
    others = 0
    for line in text.split("\n"):
        if found := _BACKGROUND.fullmatch(line.strip()):
            inner = _WORD_STAMP.search(found[1])
            at = _seconds(inner[0][1:-1]) if inner else (timed[-1][0] if timed else 0.0)
            timed.append((at, _sung(found[1])))
        elif found := _STAMPED.fullmatch(line.strip()):
            sung = _sung(found[2])
            timed += [(_seconds(stamp), sung) for stamp in _STAMP.findall(found[1])]
        elif found := _LRC_TAG.fullmatch(line.strip()):
            tags[found[1].casefold()] = found[2].strip()
        elif line.strip():
            others += 1
    if len(timed) < 2 or others > len(timed):
        return []
    timed.sort(key=lambda item: item[0])
    song = SongText("", tags.get("ti"), tags.get("ar"), tags.get("al"), form="LRC")
    groups = [[line for _, line in group] for _, group in groupby(timed, key=lambda item: item[0])]
    return [replace(song, lyrics=lyrics) for lyrics in _languages(groups)]


def _sung(text: str) -> str:
    """Return the words of a line without stamps of words and the mark of a voice."""
    voiceless = _VOICE.sub("", text.strip(), count=1) if _VOICE.match(text.strip()) else text
    return " ".join(_WORD_STAMP.sub("", voiceless).split())


def _seconds(stamp: str) -> float:
    minutes, seconds, *parts = re.split("[.:]", stamp)
    return 60 * int(minutes) + int(seconds) + (float(f"0.{parts[0]}") if parts else 0.0)


def _languages(groups: Sequence[list[str]], sure: bool = True) -> list[str]:
    """Return the text, or each where most lines come in pairs or threes of one time: a song and its translations.

    Parameters
    ----------
    groups
        The lines of each time.
    sure
        Whether lines of one time are always different languages. A cue of subtitles may also be two lines of a song; then
        they are languages only if they differ as such.
    """
    groups = [[line for line in group if line] or [""] for group in groups]
    filled = [group for group in groups if any(group)]
    undivided = ["\n".join(chain(*groups))]
    slashed = sum(len(group) == 1 and group[0].count(" / ") == 1 for group in filled)
    if slashed > 0.8 * len(filled) > 2:  # "text / translation"
        parted = [group[0].split(" / ") if len(group) == 1 else group for group in groups]
        return found if len(found := _languages(parted, sure=False)) > 1 else undivided
    widths = Counter(len(group) for group in filled if len({*group}) == len(group) > 1)
    width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
    if count < max(2, 0.6 * len(filled)):
        return undivided
    examples = ["\n".join(lines) for lines in zip(*(group for group in groups if len(group) == width), strict=True)]
    if not sure and not _differ(examples):
        return undivided
    script, *others = map(_script, examples)
    other = next((place for place, each in enumerate(others, 1) if each != script), 0)
    texts: list[list[str]] = [[] for _ in examples]
    for group in groups:
        alone = len(group) == 1 and group[0] and _script(group[0]) != script
        for place, line in enumerate(group):
            texts[other if alone else min(place, width - 1)].append(line)
    return ["\n".join(lines) for lines in texts]


def _differ(texts: Sequence[str]) -> bool:
    """Return whether texts are in different scripts or languages."""
    if len({*map(_script, texts)}) == len(texts):
        return True
    import polars as pl

    from lyrist.corpus.languages import detect

    codes, scores = detect(pl.Series(list(texts)))
    return len({*codes}) == len(texts) and min(scores) > 0.5


def _script(text: str) -> str:
    """Return which kind of writing most letters belong to: the block of the middle letter."""
    letters = sorted(c for c in text if c.isalpha())
    return (
        ""
        if not letters
        else "latin"
        if letters[len(letters) // 2] < "\u0370"
        else str(ord(letters[len(letters) // 2]) >> 10)
    )


# Subtitles -----------------------------------------------------------------------------------------------------------

_CUE = re.compile(
    r"\s*(?:\d+:)?\d{1,2}:\d\d[.,]\d{1,3}\s*-->\s*(?:\d+:)?\d{1,2}:\d\d[.,]\d{1,3}.*"
    r"|\d+:\d\d:\d\d\.\d{3},\d+:\d\d:\d\d\.\d{3}"  # .sbv
)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>|<\d[\d:.]*>|\{\\[^}\n]*\}")
_NOTES = "♪♫♩♬🎵🎶"


def _subtitles(text: str) -> list[SongText]:
    """Read SubRip and WebVTT: the lines of each cue, without the notes around them."""
    vtt = text.startswith("WEBVTT")
    lines = text.split("\n")
    if not vtt and sum(bool(_CUE.fullmatch(line)) for line in lines) < 2:
        return []
    rolling = vtt and "<c>" in text  # captions made by programs: each cue repeats the line before
    cues: list[list[str]] = []
    blocks = [block.split("\n") for block in re.split(r"\n[ \t]*\n+", text.strip("\n"))]
    for block in blocks:
        at = next((i for i, line in enumerate(block) if _CUE.fullmatch(line)), None)
        if at is not None:
            cues.append(
                [line for raw in block[at + 1 :] if (line := html.unescape(_TAG.sub("", raw)).strip(f" \t{_NOTES}"))]
            )
    if not cues:
        return []
    sung: list[str] = []
    for cue in cues:
        sung += [line for line in cue if not (rolling and line in sung[-2:])]
    texts = ["\n".join(sung)] if rolling else _languages(cues, sure=False)
    language = re.search(r"^Language:\s*(\S+)", text, re.MULTILINE) if vtt else None
    named = language[1] if language and len(texts) == 1 else None
    return [SongText(lyrics, language=named, form="WebVTT" if vtt else "SubRip") for lyrics in texts]


_DIALOGUE = re.compile(r"Dialogue:\s*[^,]*,([\d:.]+),(?:[^,]*,){7}(.*)")


def _substation(text: str) -> list[SongText]:
    """Read SubStation Alpha (.ass, .ssa): the text of each dialogue line, in the order of their times."""
    if "[Events]" not in text:
        return []
    timed = [(found[1].rjust(11, "0"), found[2]) for found in map(_DIALOGUE.match, text.split("\n")) if found]
    lines = [re.sub(r"\{[^}]*\}", "", line) for _, line in sorted(timed, key=lambda item: item[0])]
    parted = [part.replace("\\h", " ").strip(f" \t{_NOTES}") for line in lines for part in re.split(r"\\[nN]", line)]
    title = re.search(r"^Title:[ \t]*(\S.*)", text, re.MULTILINE)
    return [SongText("\n".join(parted), title[1].strip() if title else None, form="SubStation Alpha")] if parted else []


def _ttml(text: str) -> list[SongText]:
    """Read TTML: one line for each ``p``, a blank line between its ``div``; translations and romanisations are left out."""
    if not re.match(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:\w+:)?tt\b", text, re.DOTALL) or "<!DOCTYPE" in text:
        return []
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        raise BrokenTextError(f"it is TTML that is damaged ({error})") from error
    parts = [[_spoken(line) for line in _all(part, "p")] for part in _all(root, "div")] or [
        [_spoken(line) for line in _all(root, "p")]
    ]
    lyrics = "\n\n".join("\n".join(line for line in part if line) for part in parts)
    title = next((element.text for element in _all(root, "title")), None)
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return [SongText(lyrics, title, language=language or None, form="TTML")] if lyrics.strip() else []


def _all(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (
        element for element in root.iter() if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == name
    )


def _spoken(element: ET.Element) -> str:
    lines = "".join(_pieces(element)).split("\x00")
    return "\n".join(" ".join(line.strip(_NOTES).split()) for line in lines)


def _pieces(element: ET.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        role = next((value for key, value in child.attrib.items() if key.endswith("role")), "")
        if isinstance(child.tag, str) and child.tag.endswith("br"):
            yield "\x00"
        elif role not in ("x-translation", "x-roman"):
            yield " " if role == "x-bg" else ""
            yield from _pieces(child)
        yield child.tail or ""


# UltraStar -----------------------------------------------------------------------------------------------------------

_NOTE = re.compile(r"[:*FRG] ?-?\d+ +\d+ +-?\d+ ?(.*)")
_HEADER = re.compile(r"#([A-Za-z0-9]+):(.*)")


def _ultrastar(text: str) -> list[SongText]:
    """Read UltraStar: syllables with their spaces, a line end at each ``-``; the parts of a duet follow one another."""
    lines: list[str] = [""]
    tags: dict[str, str] = {}
    notes = 0
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if found := _NOTE.fullmatch(line.lstrip()):
            lines[-1] += found[1].replace("~", "")
            notes += 1
        elif re.match(r"\s*-\s*\d", line):
            lines.append("")
        elif re.fullmatch(r"P\s*[123]\s*", line):
            lines += ["", ""]
        elif found := _HEADER.fullmatch(line.strip()):
            tags[found[1].casefold()] = found[2].strip()
    if notes < 4 or "title" not in tags:
        return []
    lyrics = re.sub(r"\n{3,}", "\n\n", "\n".join(" ".join(line.split()) for line in lines)).strip("\n")
    known = {name: tags.get(name) or None for name in ("title", "artist", "album", "genre", "year", "language")}
    return [SongText(lyrics, **known, form="UltraStar")]


# ChordPro ------------------------------------------------------------------------------------------------------------

_DIRECTIVE = re.compile(r"\s*\{\s*([a-zA-Z_]+)(?:-[\w!]+)?\s*(?:[:\s]\s*([^}]*))?\}\s*")
_LONG = {
    "t": "title",
    "st": "subtitle",
    "su": "subtitle",
    "a": "artist",
    "c": "comment",
    "ci": "comment",
    "cb": "comment",
}
_STARTS = {"soc": "chorus", "sov": "verse", "sob": "bridge", "sot": "tab", "sog": "grid"}
_INFO = {"title", "subtitle", "artist", "album", "year", "genre", "key", "capo", "tempo", "time", "comment", "composer",
         "lyricist", "copyright", "duration", "meta", "define", "chord", "chorus", "new_song", "ns", "new_page", "np",
         "column_break", "colb", "columns", "col", "highlight", "comment_italic", "comment_box", "sorttitle", "arranger",
         "textsize", "textfont", "chordsize", "chordfont", "image", "transpose", "diagrams", "titles", "grid"}  # fmt: skip
_HELD_CHORD = re.compile(r"\[[^\]\n]*\]")
_A_CHORD = re.compile(
    r"\[(?:N\.?C\.?|\*[^\]\n]*|[A-H][#b♯♭]?(?:maj|min|dim|aug|sus|add|m|M|\+|°|\d|[#b]\d|/[A-H][#b]?|\(.*?\))*)\]"
)
_SECTION_NAME = re.compile(
    r"(?i)(?:pre-?|post-?)?(?:verse|chorus|bridge|intro|outro|refrain|hook|interlude|strophe|coda)\b[^.!?]{0,20}"
)


def _chordpro(text: str) -> list[SongText]:
    """Read ChordPro: chords go, directives give the title and the sections; ``{chorus}`` repeats the chorus."""
    names = [
        (_LONG.get(found[1].casefold(), found[1].casefold()))
        for found in map(_DIRECTIVE.fullmatch, text.split("\n"))
        if found
    ]
    known = [name for name in names if name in _INFO or name in _STARTS or name.startswith(("start_of_", "end_of_"))]
    if not known or (len(known) < 2 and not _A_CHORD.search(text)):
        return []
    songs: list[SongText] = []
    for part in re.split(r"(?im)^\s*\{\s*(?:new_song|ns)\s*\}\s*$", text):
        song = _chordpro_song(part)
        songs += [song] if song.lyrics.strip() else []
    return songs


def _chordpro_song(text: str) -> SongText:
    info: dict[str, str] = {}
    lines: list[str] = []
    chorus: list[str] = []
    within = ""
    for line in text.split("\n"):
        found = _DIRECTIVE.fullmatch(line)
        if not found:
            if within not in ("tab", "grid") and not line.startswith("#"):
                chordless = _A_CHORD.sub("", line) if within else _HELD_CHORD.sub(_chordless, line)
                if chordless.strip() or not line.strip():
                    lines.append(chordless.strip())
                    chorus += [chordless.strip()] if within == "chorus" else []
            continue
        name, value = _LONG.get(found[1].casefold(), found[1].casefold()), (found[2] or "").strip()
        if name == "meta":
            name, _, value = value.partition(" ")
        start = _STARTS.get(name) or (name.removeprefix("start_of_") if name.startswith("start_of_") else "")
        if start:
            within, chorus = start, ([] if start == "chorus" else chorus)
            label = value.removeprefix("label=").strip("\"'") or start.capitalize()
            lines += ["", f"[{label}]"] if within not in ("tab", "grid") else []
        elif name.startswith(("end_of_", "eo")):
            within = ""
            lines.append("")
        elif name == "chorus":
            lines += ["", "[Chorus]", *chorus, ""]
        elif name.startswith("comment") and _SECTION_NAME.fullmatch(value):
            lines += ["", f"[{value.rstrip(':')}]"]
        elif name in ("title", "artist", "album", "year", "genre", "subtitle"):
            info.setdefault(name, value)
    lyrics = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    artist = info.get("artist") or info.get("subtitle")
    return SongText(
        lyrics, info.get("title"), artist, info.get("album"), info.get("genre"), info.get("year"), form="ChordPro"
    )


def _chordless(found: re.Match[str]) -> str:
    """Return nothing in place of a chord; the header of a section stays."""
    return found[0] if _SECTION_NAME.fullmatch(found[0][1:-1].strip()) else ""


# Headed sheets -------------------------------------------------------------------------------------------------------

_SHEET_FACT = re.compile(
    r"(?i)(title|artist|by|album|author|(?:original )?key|tempo|bpm|time|capo|tuning|flow|ccli[^:]*|copyright|book|number"
    r"|duration|keywords?|topics?|tags?|pitch|midi[^:]*|pad)[ \t]*:[ \t]*(.*)"
)
_PLAYED = re.compile(r"(?i)(?:original )?key|tempo|bpm|time|capo|tuning|flow|ccli.*")
_BY = re.compile(r"(.+?)(?: (?:chords|tabs?|lyrics))?(?: by (.+))?", re.IGNORECASE)
_HEAD_LINES = 10


def _headed(text: str) -> SongText | None:
    """Read OnSong and other chord sheets that begin with title, artist and facts: these lines are not sung.

    The head ends at the first empty line. It is a heading of Markdown, or has a fact such as ``Key: G``, or it is followed by
    a section or by chords in a text with several lines of chords. In any other text its lines may be sung.
    """
    head, _, rest = _with_line_ends(text).lstrip("\ufeff\n").partition("\n\n")
    if (heading := re.fullmatch(r"# +(\S.*)", head)) and rest.strip():
        return SongText(rest.strip("\n"), heading[1])
    lines = [line.strip() for line in head.split("\n") if line.strip()]
    facts = [found for line in lines if (found := _SHEET_FACT.fullmatch(line))]
    known = {found[1].casefold(): found[2].strip() for found in facts}
    free = lines[: len(lines) - len(facts)]
    if not rest.strip() or len(lines) > _HEAD_LINES or len(free) > 2 or not all(map(_is_title, free)):
        return None
    if any(_SHEET_FACT.fullmatch(line) or _is_chords(line) for line in free):
        return None
    body = rest.strip("\n").split("\n")
    sheet = sum(map(_is_chords, body)) > 1 or len(_A_CHORD.findall(rest)) > 3
    begins = _is_chords(body[0]) or _SECTION_NAME.fullmatch(body[0].strip(" []():")) is not None
    if not (any(map(_PLAYED.fullmatch, known)) if facts else free and sheet and begins):
        return None
    named = _BY.fullmatch(free[0]) if free else None
    title = known.get("title") or (named[1] if named else None)
    artist = known.get("artist") or known.get("by") or (free[1] if len(free) > 1 else named and named[2])
    return SongText(rest.strip("\n"), title or None, artist or None, known.get("album") or None)


def _is_chords(line: str) -> bool:
    """Return whether a line holds chords only: ``G  D/F#  Em``."""
    chords = line.replace("|", " ").split()
    return bool(chords) and all(_A_CHORD.fullmatch(f"[{chord.strip('[]')}]") for chord in chords)


_FORMATS: tuple[Callable[[str], list[SongText]], ...] = (_subtitles, _substation, _ttml, _ultrastar, _lrc, _chordpro)


# Many songs in one plain text ----------------------------------------------------------------------------------------

MOST_LINES = 400
"""A plain text with more lines that hold words is more than one song."""
_RULE = r"[-=_*~#]{3,}[ \t]*"
_TITLE_BY = re.compile(
    rf"(?:\A|^{_RULE}\n|\n[ \t]*\n)\s*[\"“„«](?P<title>[^\"“”«»\n]+)[\"“”»][ \t]+(?:by|von|par|por|di)[ \t]+"
    r"(?P<artist>(?![a-zß-ÿ])\S[^\n]{0,60})\n",
    re.MULTILINE,
)
_AFTER_RULE = re.compile(rf"(?:\A|^{_RULE}\n)[ \t]*\n*(?P<title>\S[^\n]*)\n[ \t]*\n", re.MULTILINE)
_AFTER_GAP = re.compile(r"(?:\A|\n[ \t]*\n[ \t]*\n[ \t]*\n*)(?P<title>\S[^\n]*)\n[ \t]*\n")
_MARKS = (
    re.compile(
        r"^[ \t]*(?:title|song|track|titel|título|titre)[ \t]*:[ \t]*(?P<title>\S[^\n]*)\n",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(r"^#{1,3}[ \t]+(?P<title>\S[^\n]*)\n", re.MULTILINE),
    re.compile(r"^=+[ \t]*(?P<title>[^\s=][^\n=]*?)[ \t]*=+[ \t]*\n", re.MULTILINE),
    re.compile(rf"^{_RULE}\n(?P<title>\S[^\n]*)\n{_RULE}\n", re.MULTILINE),
    _TITLE_BY,
    _AFTER_RULE,
    re.compile(r"(?:\A|\n[ \t]*\n)(?P<number>\d{1,3})[.)][ \t]+(?P<title>\S[^\n]*)\n"),
    _AFTER_GAP,
)
"""What precedes each song where a file holds several: ``Title: ...``, headings, rules, ``"Title" by ...``, numbers, wide gaps."""
_SIGN_LINE = re.compile(r"^[ \t]*([=*#~_—–-])(?:[ \t]*\1){2,}[ \t]*(?:\n|\Z)", re.MULTILINE)
_SIGN_LINES = {sign: re.compile(rf"^[ \t]*(?:[{sign}][ \t]*){{3,}}(?:\n|\Z)", re.MULTILINE) for sign in "=*#~_—–-"}
_WIDE_GAP = re.compile(r"\n[ \t]*\n[ \t]*\n[ \t]*\n[ \t\n]*")
_FEWEST_LINES = 8
_NUMBERED_SECTION = re.compile(r"^[\[(]?[^\W\d_]{3,12} (\d)\b[^\n]{0,30}$", re.MULTILINE)
_FEWEST_WORDS = 20
_ARTIST = re.compile(r"\s*(?:artist|by|singer|band|performer)[ \t]*:[ \t]*(\S[^\n]*)\n", re.IGNORECASE)


def _several(text: str) -> list[SongText]:
    """Return the songs of a plain text; none where it is one."""
    text = _with_line_ends(text)
    if songs := _marked(text) or _divided(text):
        return songs
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    if lines > MOST_LINES:
        raise ManySongsError(f"{lines:,} lines, more than a song has, and no mark before each song")
    return []


def _with_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n\n\n")


def _marked(text: str) -> list[SongText]:
    """Return the songs of a text with a mark before each."""
    for mark in _MARKS:
        places = list(mark.finditer(text))
        if len(places) < 2 or len(text[: places[0].start()].split()) >= _FEWEST_WORDS:
            continue
        if "number" in mark.groupindex:
            first = int(places[0]["number"])
            if [int(place["number"]) for place in places] != [*range(first, first + len(places))]:
                continue
        ends = [*(place.start() for place in places[1:]), len(text)]
        parts = [text[place.end() : end] for place, end in zip(places, ends, strict=True)]
        titles = [place["title"].strip().strip('"“”*#=- ') for place in places]
        if all(len(part.split()) >= _FEWEST_WORDS for part in parts) and all(map(_is_title, titles)):
            if mark in (_TITLE_BY, _AFTER_RULE, _AFTER_GAP) and len({*titles}) < len(titles):
                continue  # a line that is sung comes back
            if mark is _AFTER_GAP and len(titles) < 3:
                continue  # in one song a line may be alone, too
            songs = [_with_artist(part, title) for part, title in zip(parts, titles, strict=True)]
            if mark is _TITLE_BY:
                return [replace(song, artist=at["artist"].strip()) for song, at in zip(songs, places, strict=True)]
            return songs
    return []


def _divided(text: str) -> list[SongText]:
    """Return the songs of a text with dividers only, named by their first lines; none where the evidence is weak.

    Each of three or more parts has the size of a song and some stanzas, no line of words is in two parts, and most parts
    have a first verse or a line of their own in two stanzas: the parts of one song share its refrain and count on its verses.
    """
    for parts in _divisions(text):
        if len(parts) < 3 or not all(map(_has_size, parts)) or _counts_on(parts):
            continue
        lines = [[_lines_of_words(stanza) for stanza in _stanzas(part)] for part in parts]
        whole = [set[str]().union(*stanzas) for stanzas in lines]
        distinct = sum(map(len, whole)) == len(set[str]().union(*whole))
        own = sum(
            sum(map(len, stanzas)) > len(all_) or "1" in _NUMBERED_SECTION.findall(part)
            for part, stanzas, all_ in zip(parts, lines, whole, strict=True)
        )
        if distinct and 2 * own > len(parts):
            return [SongText(part, _first_line(part)) for part in parts]
    return []


def _divisions(text: str) -> list[list[str]]:
    """Return the parts between lines of each sign, and between gaps of three or more empty lines."""
    signs = {*_SIGN_LINE.findall(text)}
    dividers = [*(divider for sign, divider in _SIGN_LINES.items() if sign in signs), _WIDE_GAP]
    return [_parts(text, divider) for divider in dividers]


def _parts(text: str, divider: re.Pattern[str]) -> list[str]:
    """Return what is between dividers, without a heading of one line before the first."""
    parts = [part.strip("\n") for part in divider.split(text) if part.strip()]
    return parts[1:] if len(parts) > 1 and "\n" not in parts[0] else parts


def _has_size(part: str) -> bool:
    return len(_stanzas(part)) > 1 and sum(bool(line.strip()) for line in part.split("\n")) >= _FEWEST_LINES


def _stanzas(part: str) -> list[str]:
    return re.split(r"\n[ \t]*\n", part)


def _lines_of_words(stanza: str) -> set[str]:
    """Return the lines of three different words or more, as they are compared."""
    lines = map(normal, stanza.split("\n"))
    return {line for line in lines if len({*line.split("_")}) > 2}


def _counts_on(parts: Sequence[str]) -> bool:
    """Return whether a part has a second or later verse and no first: it continues the song before."""
    numbers = map(_NUMBERED_SECTION.findall, parts)
    return any(found and "1" not in found for found in numbers)


def _first_line(part: str) -> str | None:
    """Return the first line that is not the header of a section."""
    return next((line.strip() for line in part.split("\n") if _is_title(line.strip())), None)


def may_be_several(text: str) -> bool:
    """Return whether dividers make two or more parts that may be songs, in a plain text that `songs_in` did not divide."""
    text = _with_line_ends(text)
    tried = [*_divisions(text), _parts(_TITLE_BY.sub("\f", text), re.compile("\f"))]
    return any(sum(len(p.split()) >= _FEWEST_WORDS for p in parts) > 1 and not _counts_on(parts) for parts in tried)


def _is_title(text: str) -> bool:
    """Return whether a line can be the title of a song, and is not the header of a section."""
    return 0 < len(text) <= 80 and not _SECTION_NAME.fullmatch(text.strip("[]():")) and not text.startswith("[")


def _with_artist(part: str, title: str) -> SongText:
    found = _ARTIST.match(part)
    rest = part[found.end() :] if found else part
    return SongText(rest.strip("\n"), title, found[1].strip() if found else None)


def is_note(name: str) -> bool:
    """Return whether a file is about others, by its name without the ending: a README, a licence."""
    return (
        re.fullmatch(r"read_?me.*|licen[cs]e.*|copying|change_?log|requirements|contributing", normal(name)) is not None
    )
