r"""All cleaning rules: every rule is one entry ``Rule(...)`` of `RULES`, next to the expressions that it uses.

To add a rule, append an entry here; ``lyrist rules``, ``prepare --rules-off`` and `lyrist.corpus.cleaning.cleaner` read
the list. A rule is written as regular expressions (`replacing`) or as a function of one text (`one_by_one`).

A rule names its *trigger*, an expression that every text it could change matches, and few others. The search for all
triggers at once costs about 2 microseconds a song, a rewrite ten times that, and most songs need no rewrite. Expressions
use the syntax of Rust's `regex`: no look-around, no back-references, linear time on any input. Polars caches the last 32
compiled expressions, so they are few and small: counted repeats of large classes, such as ``[^\n]{0,80}``, take
milliseconds to compile. Word bounds are those of ASCII, ``(?-u:\b)``: Unicode word bounds make the search in non-ASCII
texts a hundred times slower.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist.corpus.encodings import BY_LANGUAGE, code_page_of, is_utf8
from lyrist.corpus.languages import detect
from lyrist.text import WORD_PATTERN

Change = Callable[[pl.Series], pl.Series]
"""A function from texts to cleaned texts, row by row."""

Rows = npt.NDArray[np.int64]
"""Indices of texts, ascending."""


@dataclass(frozen=True)
class Rule:
    """One named kind of cleaning.

    Attributes
    ----------
    name
        What the rule is called in `Cleaning.off`, in counts and in reports.
    summary
        What it does, in one line.
    before, after
        An example: the rule turns the first into the second.
    change
        What it does to the texts that match.
    trigger
        A regular expression; with ``wide`` it matches every text which the rule can change.
    wide
        The part of the trigger that matches only texts beyond ASCII; ASCII texts are not searched for it.
    keeping
        The change used instead of ``change`` when section headers are kept.
    frequent
        Whether it changes most songs of many tables, so that it is searched for by itself.
    layout
        Whether the rule tidies the layout; such rules run before all others and again after each of them.
    wordy
        Whether the trigger has many words. Such triggers are searched for apart from the others: one expression of all
        has more states than the engine of expressions keeps, which makes the search three times slower.
    early
        Matches texts that the rule must change before their layout is tidied.
    """

    name: str
    summary: str
    before: str
    after: str
    change: Change
    trigger: str = ""
    wide: str = ""
    keeping: Change | None = None
    frequent: bool = False
    layout: bool = False
    wordy: bool = False
    early: str = ""


RULES: list[Rule] = []
"""All cleaning rules, in the order in which they are applied: the order of their entries in this file."""


def replacing(*steps: tuple[str, str]) -> Change:
    """Return the change that replaces all matches of each expression in turn; ``$1`` is a captured group."""

    def change(texts: pl.Series) -> pl.Series:
        expression = pl.col(texts.name)
        for pattern, replacement in steps:
            expression = expression.str.replace_all(pattern, replacement)
        return texts.to_frame().select(expression).to_series()

    return change


def one_by_one(function: Callable[[str], str]) -> Change:
    """Return the change that calls ``function`` on each text: for what regular expressions cannot do."""

    def change(texts: pl.Series) -> pl.Series:
        return pl.Series(texts.name, [function(text) for text in texts.to_list()], dtype=pl.String)

    return change


def either(*patterns: str) -> str:
    """Return the expression that matches where any of ``patterns`` does (those that are not empty)."""
    return "|".join(f"(?:{pattern})" for pattern in patterns if pattern)


def where(texts: pl.Series, pattern: str, change: Change) -> pl.Series:
    """Return ``texts`` with ``change`` applied to those that match ``pattern``."""
    rows = texts.str.contains(pattern).arg_true().to_numpy()
    return put(texts, rows, change(texts.gather(rows))) if len(rows) else texts


def put(texts: pl.Series, rows: Rows, new: pl.Series) -> pl.Series:
    """Return ``texts`` with ``new`` in the places ``rows`` (ascending); no text is copied, only references to it."""
    if len(rows) == 0:
        return texts
    if len(rows) == len(texts):
        return new.alias(texts.name)
    order = np.arange(len(texts))
    order[rows] = len(texts) + np.arange(len(rows))
    return pl.concat([texts, new.alias(texts.name)]).gather(order)


INSTRUMENTAL = (
    r"(?:(?:in)?strumental(?:e|es|s|ly|is|t|ny|na|as|as)?|instrumentaal|instrumentaali|instrumentální|inštrumentálna"
    r"|enstr[uü]mantal|инструментал(?:ьная|ьный|ьное)?|інструментал(?:ьна)?|インストゥルメンタル|インスト|인스트루멘탈|纯音乐|純音樂)"
)
"""Matches the word for "instrumental" in the common languages, in lower case."""

_FILLING = (
    r"(?:this|is|it's|its|an?|the|song|track|piece|tune|music|version|only|solo|break|intro|outro|interlude|end|guitar|piano"
    r"|skit|100|pure|purely|fully|entirely|completely|una?|uno|m[úu]sica|musica|tema|canci[óo]n|pista|faixa|can[çc][ãa]o|brano"
    r"|canzone|morceau|piste|chanson|titel|lied|stück|utw[óo]r|nummer|låt|nur|solo|seulement|apenas|s[óo]|трек|композиция)"
)
_NO_WORDS = (
    r"(?:no (?:lyrics|words|vocals)|without (?:lyrics|words|vocals)|без слов|sem letra|sin letra|senza parole|歌詞なし)"
)
_SAID = rf"(?:{_FILLING}|{INSTRUMENTAL}|{_NO_WORDS}|[x0-9]+)"
_INSTRUMENTAL_TEXT = rf"(?i)\A\W*(?:{_FILLING}\W+)*(?:{INSTRUMENTAL}|{_NO_WORDS})(?:\W+{_SAID})*\W*\z"

_EXCUSES = (
    r"lyrics (?:for this song )?(?:have yet to be|are yet to be|will be|are not yet|have not (?:yet )?been)"
    r" (?:released|added|available)",
    r"please check back once the song has been released",
    r"(?:we|you) (?:do not|don't|don’t) have (?:the |any )?lyrics (?:for|to|of|yet)",
    r"lyrics? (?:are |is )?(?:currently |temporarily )?(?:not available|unavailable|coming soon|not found|needed|missing)",
    r"(?:not|no longer) (?:licensed|authori[sz]ed|allowed|in a position) to (?:display|show|post|reproduce) (?:these |the "
    r"|full )*lyrics",
    r"no lyrics (?:available|found|yet|for this song)",
    r"be the first to (?:add|submit) (?:the |these )?lyrics",
    r"(?:removed|taken down) (?:at|by|due to|on) (?:the )?(?:request|copyright|licensing)",
    r"we (?:have|found) no lyrics (?:for|to)|add (?:the |these )?lyrics (?:on|to) musixmatch",
    r"letras? (?:n[ãa]o|no) (?:dispon[íi]vel|disponible|encontrada)s?|testo non (?:disponibile|trovato)",
    r"paroles (?:non|in|introuvables|pas encore) ?(?:disponibles|trouvées)?|(?:song|lied)text (?:ist |leider |noch )*nicht "
    r"(?:verfügbar|vorhanden|gefunden)|songtekst niet (?:beschikbaar|gevonden)|(?:brak tekstu|tekst niedostępny|ei sanoja)\W*\z",
    r"şarkı sözleri bulunamadı|şarkının sözleri bulunamadı|текст (?:этой )?песни (?:пока )?(?:не найден|отсутствует|недоступен)",
    r"歌詞(?:は|が)(?:見つかりません|ありません|登録されていません)|暂无歌词|暫無歌詞|没有填词的纯音乐|沒有填詞的純音樂",
    r"가사(?:가)? ?(?:없음|없습니다|준비 ?중)",
)
_PLACEHOLDER = rf"(?i)(?:{'|'.join(_EXCUSES)})"
_NOTHING = (
    r"(?i)\A\W*(?:n/?a|tb[ad]|none|null|nan|unknown|(?:error )?404(?:\W+not found)?|(?:page )?not found|lyrics|no lyrics"
    r"|coming soon|to be announced)\W*\z"
)


def word_count(lyrics: pl.Series) -> pl.Series:
    """Return the number of words of each text (uint32), words as in `lyrist.text.WORD`; 0 for nulls."""
    return lyrics.cast(pl.String).fill_null("").str.count_matches(WORD_PATTERN)


def is_instrumental(lyrics: pl.Series) -> pl.Series:
    """Return whether each text says only that the song is instrumental: "[Instrumental]", "This is an instrumental".

    Texts of more than 200 characters are not. The answer is the same before and after cleaning: `clean` leaves such texts.
    """
    return _short(lyrics, 200, _INSTRUMENTAL_TEXT)


def is_placeholder(lyrics: pl.Series) -> pl.Series:
    """Return whether each text says that the lyrics are missing: "Lyrics not available", "N/A".

    Texts of more than 400 characters are songs, whatever they say.
    """
    return _short(lyrics, 400, _PLACEHOLDER) | _short(lyrics, 40, _NOTHING)


def _short(lyrics: pl.Series, characters: int, pattern: str) -> pl.Series:
    texts = lyrics.cast(pl.String).fill_null("")
    return (texts.str.len_bytes() <= 4 * characters) & (
        texts.str.slice(0, characters + 1).str.contains(pattern) & (texts.str.len_chars() <= characters)
    )


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_DATE = (
    rf"(?:(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)[a-z]*\.?,? )?(?:[0-9]{{1,2}}[./-][0-9]{{1,2}}(?:[./-][0-9]{{2,4}})?\.?"
    rf"|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?|[0-9]{{1,2}}(?:st|nd|rd|th)? {_MONTH}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
)
_LISTED = {
    "a list of dates": rf"(?im)^{_DATE}(?: [^\n]*|[,:–-][^\n]*)$",
    "a list of years": r"(?m)^(?:(?:19|20)[0-9]{2}(?: ?[:–-]| )[^\n]+|[^\n]+[ ,]\(?(?:19|20)[0-9]{2}\)?)$",
    "a numbered list": r"(?m)^[0-9]{1,2}[.)] [^\n]+$",
    "a list of tracks": r"(?m)^[^\n]* [(\[]?[0-9]{1,2}:[0-9]{2}[)\]]?$",
    "a list of songs": r"(?m)^\p{Lu}[^\n]* [–—-] \p{Lu}[^\n]*$",
}
"""Lines of lists in place of lyrics: tour dates, discographies, track lists, lists of songs with their artists."""
_SUNG_TO = r"(?im)^[^\n]*(?-u:\b)(?:I|you|we|me|my|your)(?-u:\b)"
"""A line that a person sings; lists have few."""
_SHORT_LINE = r"(?m)^[^ \n]+(?: [^ \n]+){0,4}$"
_PLAYED_TITLE = r"(?i)\[track ?list(?:ing)?\]|\b(?:track ?list(?:ing)?|set ?list)\b.*[0-9]{2}"
_INTERVIEW_TITLE = r"(?i)\binterview (?:with|by|of)\b"
_SONGS_TITLE = r"(?i)\b(?:new music|releases|playlist|charts?|top [0-9]+|hot 100|mixtape|compilation)\b"
_SPEAKERS = r"(?m)^[^ :\n]+(?: [^ :\n]+){0,2}: [^\n]+$"
_LIST_TITLE = (
    r"(?i)\b(?:tour ?dates|live dates|concert dates|discograph[a-z]*|discografia|discografía|track ?list(?:ing)?s?|set ?list"
    r"|tracks|albums|album credits|liner notes|booklet)\b"
)
_TRANSLATED_TITLE = (
    r"(?i)[(\[](?:[\p{L}-]+ )?(?:translation|romani[sz]ation|romani[sz]ed|transliteration|traducci[óo]n|tradu[çc][ãa]o"
    r"|traduction|traduzione|übersetzung|перевод|çeviri)(?: [^()\[\]]*)?[)\]]"
)
_TRANSLATED_BY = (
    r"(?i)^genius\b.*\b(?:translations?|romani[sz]ations?|traducciones|traduções|traductions|übersetzungen)"
)


def non_songs(titles: pl.Series, artists: pl.Series, lyrics: pl.Series) -> pl.Series:
    """Return for each text what it is if it is no song of its artist: a list, or a translation; else null.

    A text is a list if three lines in five or more, and at least five, are dates, years, numbered, or end with a length, or
    four in five are "Artist - Title" of different artists; with a title such as "Tour Dates" or "Discography", three lines in
    ten, and at least three; and if fewer than half of its lines are sung to somebody. An interview has such a title and names
    before its lines. A translation is recognised by its title, as in "Low Tide (English Translation)", or by an artist such
    as "Genius English Translations".
    """
    titles, artists = (each.cast(pl.String).fill_null("") for each in (titles, artists))
    texts = lyrics.cast(pl.String).fill_null("")
    # Lists have numbers on neighbouring lines; few songs do, and only those are counted.
    looked = (
        titles.str.contains(either(_LIST_TITLE, _INTERVIEW_TITLE, _SONGS_TITLE))
        | texts.str.contains(r"[0-9][^\n]*\n[^\n]*[0-9]")
    ).arg_true()
    some, title = texts.gather(looked), titles.gather(looked).str
    lines, by_title = some.str.count_matches(r"(?m)^[^\n]+$"), title.contains(_LIST_TITLE)
    unsung = some.str.count_matches(_SUNG_TO) < 0.5 * lines
    found = pl.Series([None] * len(texts), dtype=pl.String)
    for kind, pattern in reversed(_LISTED.items()):
        hits = some.str.count_matches(pattern)
        fits = (hits >= 5) & (hits >= 0.6 * lines)
        if kind == "a list of songs":
            fits &= (hits >= 0.8 * lines) & some.map_elements(_many_artists, pl.Boolean)
        fits |= by_title & (hits >= 3) & (hits >= 0.3 * lines)
        found = found.scatter(looked.filter(fits & unsung), kind)
    short, spoken = (some.str.count_matches(pattern) for pattern in (_SHORT_LINE, _SPEAKERS))
    played = title.contains(_PLAYED_TITLE) & (short >= 0.8 * lines) & (lines >= 5)
    found = found.scatter(looked.filter(played), "a list of tracks")
    interview = title.contains(_INTERVIEW_TITLE) & (spoken >= 0.3 * lines) & (lines >= 3)
    found = found.scatter(looked.filter(interview), "an interview")
    translated = titles.str.contains(_TRANSLATED_TITLE) | artists.str.contains(_TRANSLATED_BY)
    return found.set(found.is_null() & translated, "a translation")


def _many_artists(text: str) -> bool:
    """Return whether the names before dashes are mostly different; the names of speakers are not."""
    names = re.findall("^(.*?) [–—-] ", text, re.MULTILINE)
    return len({*names}) > 0.7 * len(names)


_WIDE = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"  # spaces beyond ASCII; Genius marks its copies with U+2005 and U+205F
_ENDS = r"\r\x0b\x0c\u2028\u2029"

_squeeze = replacing((rf"[ \t{_WIDE}]{{2,}}|[\t{_WIDE}]", " "), (r" \n ?|\n ", "\n"))


def _spaces(texts: pl.Series) -> pl.Series:
    return _squeeze(texts).str.strip_chars(" ")


def _blank_lines(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\n{3,}", "\n\n").str.strip_chars("\n")


RULES += (
    Rule(
        "line-ends",
        "Every kind of line end becomes one newline.",
        "first\r\nsecond\rthird",
        "first\nsecond\nthird",
        replacing((r"\r+\n|[" + _ENDS + "]", "\n")),
        rf"[{_ENDS}]",
        layout=True,
    ),
    Rule(
        "spaces",
        "Tabs, wide spaces and runs of spaces become one space; none at the ends of lines.",
        "  wide \t open \nroad ",
        "wide open\nroad",
        _spaces,
        either(rf"[\t{_WIDE}]", "  ", " \n", "\n ", r"\A | \z"),
        layout=True,
    ),
    Rule(
        "blank-lines",
        "At most one blank line between sections, none at the ends of the text.",
        "\nfirst\n\n\n\nsecond\n",
        "first\n\nsecond",
        _blank_lines,
        either("\n\n\n", r"\A\n|\n\z"),
        layout=True,
    ),
)


_CP1252 = {bytes([b]).decode("cp1252", errors="ignore") or chr(b): b for b in range(0x80, 0x100)}
_BYTES = {chr(b): b for b in range(0x80, 0x100)} | _CP1252  # an undefined byte of cp1252 comes through as itself
_TRAIL = "".join(re.escape(c) for c, b in _BYTES.items() if b < 0xC0)
_PLAIN = set("…‘’“”–—•‚„‹›«»¡¿·ªº°´\u00a0")  # what may well follow a letter in true text

_SPLIT_BY_SPACE = (
    "[ÂÃÐÑØÙà-ô]\u00a0"  # a letter whose second byte looks like a space, which the layout rules would change
)
_SHORT_FORMS = (
    r"(?:I|[Yy]ou|[Ww]e|[Tt]hey|[Hh]e|[Ss]he|[Ii]t|[Tt]hat|[Tt]here|[Ww]hat|[Ll]et|[Hh]ere|[Ww]ho|[Ww]here|[Hh]ow)"
)
_NEGATED = r"(?:[Dd]o|[Dd]oes|[Dd]id|[Cc]a|[Ww]o|[Ii]s|[Aa]i|[Ww]as|[Cc]ould|[Ww]ould|[Ss]hould|[Aa]re|[Ww]ere|[Hh]ave|[Hh]as)n"


def _contraction(mark: str) -> re.Pattern[str]:
    """Return the expression for English short forms such as "don't" with another character for the apostrophe."""
    return re.compile(rf"\b(?:{_NEGATED}{mark}t|{_SHORT_FORMS}{mark}(?:m|s|d|re|ve|ll))\b")


_MISPLACED = re.compile(r"[a-zß-öø-ÿ][ÀÁÄ-ÖØ-Þ‡ˆ‰„¸˚Ž][a-zß-öø-ÿ]")  # inside a word
_READ_AS_MAC, _READ_AS_WINDOWS = _contraction("í"), _contraction("Õ")
_SIGNS = (_MISPLACED, _READ_AS_MAC, _READ_AS_WINDOWS, re.compile("[\x80-\x9f]"))
_OTHER_PAGE = r"[À-ÿ]{4}|[a-zêñóœ][³¹¿][a-zêñóœ]|[a-zêñóœ]³|[ðþ]|[‚ƒ][^\n][‚ƒ]"
_ANY_OTHER_PAGE = re.compile(_OTHER_PAGE)  # Cyrillic, Chinese, Polish, Turkish, Japanese and others read as cp1252
_LOST_APOSTROPHE = _contraction(r"\?")
_ANY_LOST_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\?(?=(?:s|t|m|d|re|ve|ll)\b)")
_HAN_AFTER_LATIN = re.compile("(?<=[A-Za-z])[\u4e00-\u9fff]|[\u4e00-\u9fff](?=[A-Za-z])")
_MARKS_OF_WINDOWS = b"\x85\x91\x92\x93\x94\x96\x97"

SECOND_KIND = (
    r"[a-z](?:[íÕ](?:s|t|m|d|re|ve|ll)(?-u:\b)|[ÀÁÄ-ÖØ-Þ‡ˆ‰„¸˚Ž][a-zß-öø-ÿ])|[ß-öø-ÿ][ÀÁÄ-ÖØ-Þ‡ˆ‰„¸˚Ž][a-zß-öø-ÿ]|I[íÕ]"
    rf"|[A-Za-z][\x{{4e00}}-\x{{9fff}}]|[\x{{4e00}}-\x{{9fff}}][A-Za-z]|{_OTHER_PAGE}"
)
"""Matches every text beyond ASCII in which text in cp1252 was read as Mac Roman or GBK, or Mac Roman as cp1252."""
LOST_APOSTROPHE = r"[a-zI]\?(?:s|t|m|d|re|ve|ll)(?-u:\b)"
"""Matches every text in which apostrophes became question marks."""

MOJIBAKE = rf"[Â-ß][{_TRAIL}]|[à-ï][{_TRAIL}][{_TRAIL}]|â€|ð[Ÿ\u009f]|[├┬][^\s\w]|[ÔΓ]Ç|[\u0080-\u009f]"
"""Matches every text that `repair` can change."""

_PLACE = re.compile(rf"[Â-ß][{_TRAIL}]|[à-ï][{_TRAIL}]{{2}}|[ð-ô][{_TRAIL}]{{3}}")
_DOS = re.compile(r"[├┬][^\s\w]|[ÔΓ]Ç[^\s]")
_LOST = re.compile(r"(?<![A-ZÀ-Þ])Ã(?=[ \n]|$)|Â(?=[ \n]|$)|â€")
_LEFT = {"Ã": "à", "Â": "", "â€": '"'}  # the characters of damaged letters whose second half was a space or undefined
_CONTROL = re.compile("[\u0080-\u009f]")


def repair(text: str) -> str:
    """Return ``text`` with its damaged places decoded; text that is not damaged comes back as it is."""
    mended = _DOS.sub(_from_dos, _second_kind(text))
    damaged = mended
    while (again := _mend(mended)) != mended:  # damage may have been done twice; each turn leaves fewer characters
        mended = again
    if mended != damaged:
        mended = _LOST.sub(lambda match: _LEFT[match.group()], mended)
    return _CONTROL.sub(lambda match: _windows(match.group()), mended)


def _second_kind(text: str) -> str:
    """Return a text in cp1252 that was read as Mac Roman or GBK, or one in Mac Roman read as cp1252, or with ``?`` for ``'``."""
    if _ANY_OTHER_PAGE.search(text) and (other := _from_other_page(text)) != text:
        return other
    if len(_MISPLACED.findall(text)) > 1 or _READ_AS_MAC.search(text) or _READ_AS_WINDOWS.search(text):
        tried = (_read_again(text, "mac_roman", "cp1252"), _read_again(text, "cp1252", "mac_roman"))
        text = next((new for new in tried if not any(sign.search(new) for sign in _SIGNS)), text)
    if _HAN_AFTER_LATIN.search(text) and len(re.findall("[A-Za-z]", text)) > 5 * len(
        re.findall("[\u4e00-\u9fff]", text)
    ):
        text = _HAN_AFTER_LATIN.sub(_from_gbk, text)
    if len(_LOST_APOSTROPHE.findall(text)) >= 2:
        text = _ANY_LOST_APOSTROPHE.sub("'", text)
    return text


def _read_again(text: str, wrong: str, right: str) -> str:
    """Return a text decoded by the right encoding, or as it is where it cannot have been read in the wrong one."""
    try:
        return text.encode(wrong).decode(right)
    except UnicodeError:
        return text


def _from_other_page(text: str) -> str:
    """Return a text of another code page that was read as cp1252; only where all of it was, and the page is certain."""
    raw = bytes(_BYTES[c] if c in _BYTES else ord(c) for c in text if c in _BYTES or c < "\x80")
    if len(raw) != len(text) or is_utf8(raw) or sum(byte > 0x7F for byte in raw) < 0.04 * len(raw):
        return text
    page = code_page_of(raw)
    if page in ("", "cp1252", "mac_roman") or (page in BY_LANGUAGE.values() and not _is_of_page(raw, page)):
        return text
    try:
        return raw.decode(page)
    except UnicodeDecodeError:
        return text


def _is_of_page(raw: bytes, page: str) -> bool:
    """Return whether bytes read in a code page of Latin script are surely in a language that needs it."""
    languages, scores = detect(pl.Series([raw.decode(page, "replace"), raw.decode("cp1252", "replace")]))
    return BY_LANGUAGE.get(str(languages[0])) == page and scores[0] > scores[1]


def _from_gbk(match: re.Match[str]) -> str:
    """Return the two characters of cp1252 that were read as one of GBK: punctuation and a letter."""
    raw = match.group().encode("gbk", "replace")
    sure = len(raw) == 2 and raw[:1] in _MARKS_OF_WINDOWS and raw[1:].isalpha()
    return raw.decode("cp1252") if sure else match.group()


def _mend(text: str) -> str:
    """Return a text with its damage undone once: whole, or line by line, or where lines are in part true, place by place."""
    places = [match for match in _PLACE.finditer(text) if _decoded(match.group())]
    sure = {match.start() for match in places if _is_damage(match)}
    if sure and (whole := _read_as_utf8(text)):
        return whole
    if sure and "\n" in text and (lines := "\n".join(map(_mended_line, text.split("\n")))) != text:
        return lines
    if sure:  # the text was damaged, so that a letter inside a word is one, too: "cÅ“ur"
        sure |= {
            match.start() for match in places if _decoded(match.group()).isalpha() and text[match.end() :][:1].islower()
        }
    if len(places) - len(sure) >= 3 and any(_is_odd(match.group()) for match in places):
        sure = {match.start() for match in places}
    return _PLACE.sub(lambda match: _decoded(match.group()) if match.start() in sure else match.group(), text)


def _mended_line(line: str) -> str:
    """Return a line that is damaged as a whole; any other comes back as it is."""
    damaged = any(_decoded(match.group()) and _is_damage(match) for match in _PLACE.finditer(line))
    return (damaged and _read_as_utf8(line)) or line


def _read_as_utf8(text: str) -> str:
    """Return a text decoded as UTF-8; empty where not all of it was UTF-8 that was read as cp1252 or Latin-1."""
    try:
        return bytes(ord(c) if c < "\x80" else _BYTES[c] for c in text).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return ""


def _is_damage(place: re.Match[str]) -> bool:
    """Return whether true text would not look like this, from the place itself and the letter before it."""
    found, decoded = place.group(), _decoded(place.group())
    if found[0] == "ð":
        return True
    if found[0] == "â":
        return "\u2000" <= decoded <= "\u2bff" and (found[1] == "€" or _is_odd(found))
    before, after = place.string[place.start() - 1 : place.start()], place.string[place.end() :][:1]
    if found[0] in "ÄÅ":  # a sign or an opening quotation mark inside a word
        return (
            after.islower() and not before.isupper() and (found == "Å“" or (_is_odd(found) and not found[1].isalpha()))
        )
    if found[0] not in "ÂÃ":
        return False
    return _is_odd(found) or not before.isupper()


def _is_odd(found: str) -> bool:
    return any(c not in _PLAIN for c in found[1:])


def _decoded(found: str) -> str:
    """Return the one character that the place encodes, or an empty string when it encodes none."""
    try:
        decoded = bytes(_BYTES[c] for c in found).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return decoded if len(decoded) == 1 and (decoded.isprintable() or decoded in "\u00a0\u00ad\u200b") else ""


def _from_dos(match: re.Match[str]) -> str:
    """Return the character of a place that was read in a code page of DOS (850 in Europe, 437 in America)."""
    for page in ("cp850", "cp437"):
        try:
            decoded = match.group().encode(page).decode("utf-8")
        except UnicodeError:
            continue
        if len(decoded) == 1 and decoded.isprintable():
            return decoded
    return match.group()


def _windows(control: str) -> str:
    r"""Return what a control character of Latin-1 is in Windows' code page: ``\x92`` is an apostrophe there."""
    return control.encode("latin-1").decode("cp1252", errors="ignore")


_END_TAG = r"(?:\s+[a-z-]+\s*=[^<>\n]*|\s*)/?>"  # attributes need an equals sign: "<i love you>" is no tag
_BREAKING = "br|p|div|li|tr|h[1-6]"
_STYLING = "a|b|i|u|em|strong|small|font|span|center|pre|sup|sub|td|table|tbody|ul|ol|img|hr|script|style|html|body"
_BREAK = rf"(?i)(?:</?(?:{_BREAKING}){_END_TAG}|<\s*/?\s*br\s*/?\s*>)\n?"
_HTML_TAG = rf"(?i)</?(?:{_STYLING}){_END_TAG}"
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31}\d{0,2});")
_NESTED = re.compile(r"&(?:amp;)+")

_LETTERS = re.compile(r"\w+")
_LATIN = re.compile("[A-Za-z]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_CYRILLIC_WORD = re.compile(r"\b[\u0400-\u04ff]{2,}\b")
_TWINS = str.maketrans("аеорсухіАЕОРСУХІВКМНТ", "aeopcyxiAEOPCYXIBKMHT")
_TWIN = "[аеорсухіАЕОРСУХІВКМНТ]"

_ELISIONS = (
    "bout|cause|cuz|coz|cos|em|til|till|round|tis|twas|twere|twill|neath|gainst|fore|fraid|nother|ere|cross|nuff"
    "|scuse|nite|member|stead|way|most|n|s|t|d|ll|m|re|ve"
)
_COMPOSED = (  # every mark, and every other character that NFC changes (the tests look at them all)
    r"[\p{M}\u0374\u037e\u0387\u0958-\u0a5e\u0b5c\u0b5d\u0f43-\u0f69\u1100-\u11ff\u1f71-\u2001\u2126\u212a\u212b\u2329\u232a"
    r"\u2adc\uf900-\ufad9\ufb1d-\ufb4e\U0001d15e-\U0001d1c0\U0002f800-\U0002fa1d]"
)
_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f"
_MARKS = (
    r"\u0080-\u009f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff"
    r"\U000e0000-\U000e007f"
)
_LATIN_OR_SPACE = r"[\s\x21-\x7e\u00c0-\u024f]"
_JOINERS = r"[\u200c\u200d]"  # they shape Persian, Indic and emoji; beside a Latin letter or a space they are debris


def _unescape(texts: pl.Series) -> pl.Series:
    r"""Turn ``\n`` written as two characters, or signs such as `` / ``, into line ends, where a text has no others."""
    single = ~texts.str.contains("\n", literal=True)
    for mark in (r" +/+ +", r" +\|+ +", " +;+ +", " +[•·¶]+ +"):
        texts = texts.str.replace_all(mark, "\n").zip_with(single & (texts.str.count_matches(mark) >= 3), texts)
    flat = ~texts.str.contains("\n", literal=True) & (texts.str.count_matches(r"\\n") >= 2)
    lines = texts.str.replace_all(r" *(?:\\+r)?\\+n", "\n").str.replace_all(r"\\+t", " ")
    return lines.zip_with(flat, texts).str.replace_all(r"""\\+(['"])""", "$1")


def _decode_entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match.group()), _NESTED.sub("&", text))


def _tags_and_entities(texts: pl.Series) -> pl.Series:
    return replacing((_BREAK, "\n"), (_HTML_TAG, ""))(one_by_one(_decode_entities)(texts))


def _compose(texts: pl.Series) -> pl.Series:
    """Bring texts to NFC, after towers of marks were cut to eight: to sort a tower takes time by its height squared."""
    low = where(texts, r"\p{M}{9}", replacing((r"(\p{M}{8})\p{M}+", "$1")))
    return one_by_one(lambda text: unicodedata.normalize("NFC", text))(low)


def _look_alikes(text: str) -> str:
    """Write Latin letters for the Cyrillic ones inside Latin words, in a text that is Latin on the whole."""
    if len(_CYRILLIC_WORD.findall(text)) * 5 > len(_LETTERS.findall(text)):
        return text
    return _LETTERS.sub(lambda match: _latin(match.group()), text)


def _latin(word: str) -> str:
    latin = word.translate(_TWINS)
    return latin if _LATIN.search(word) and not _CYRILLIC.search(latin) else word


_quotes = replacing(
    (r"[’‘ʼ´`＇‛]{2}", '"'),
    (r"(\p{L}|\p{N})[’‘ʼ´`＇‛](\p{L}|\p{N})", "$1'$2"),
    (r"(\p{L}|\p{N})[’‘ʼ´`＇‛](\p{L}|\p{N})", "$1'$2"),  # again, for "rock’n’roll": matches do not overlap
    (r"[‘’][nN][‘’]", "'n'"),
    (rf"(?i)(^|[\s(\[“\"—–-])[‘’‛´`]((?:{_ELISIONS}|[0-9]0s|[0-9][0-9])\b)", "$1'$2"),
    (r"(\p{Ll}in)’([\s,.!?;:)—–-]|$)", "$1'$2"),  # walkin’
    (r"(^|[\s(\[“\"—–-])[‘‛]([^‘’‛\n]+)’", '$1"$2"'),
    (r"‚([^‚‘’\n]+)[‘’]", '"$1"'),
    ("[“”„‟＂]", '"'),
    ("[‘’‛ʼ＇]", "'"),
)

RULES += (
    Rule(
        "escapes",
        r"Line ends written as \n, /, |, ; or • become line ends, where a text has no others; \' and \" become quotes.",
        r"It\'s late\nand I\'m up\nagain",
        "It's late\nand I'm up\nagain",
        _unescape,
        r"""\\[nrt'"]| [/|;•·¶]+ """,
    ),
    Rule(
        "entities",
        "HTML entities are decoded; <br> and <p> become line ends, other tags go.",
        "You &amp; me<br/>&#39;til <i>noon</i>",
        "You & me\n'til noon",
        _tags_and_entities,
        "&#?[0-9a-zA-Z]+;|<[ /]*[a-zA-Z][^<>\n]*>",
    ),
    Rule(
        "mojibake",
        "Text that was decoded by the wrong encoding is mended.",
        "I donâ€™t know, mi corazÃ³n",
        "I don't know, mi corazón",
        one_by_one(repair),
        LOST_APOSTROPHE,
        wide=either(MOJIBAKE, SECOND_KIND),
        early=_SPLIT_BY_SPACE,
    ),
    Rule(
        "unicode",
        "Letters and their accents become one character where there is one (Unicode NFC).",
        "cafe\u0301",
        "caf\u00e9",
        _compose,
        wide=_COMPOSED,
    ),
    Rule(
        "invisible",
        "Control characters, zero-width characters, soft hyphens and marks of direction go.",
        "\ufeffsun\u00adday\u200b morning",
        "sunday morning",
        replacing(
            (rf"[{_CONTROLS}{_MARKS}]", ""),
            (rf"(\A|{_LATIN_OR_SPACE}){_JOINERS}+", "$1"),
            (rf"{_JOINERS}+({_LATIN_OR_SPACE}|\z)", "$1"),
        ),
        f"[{_CONTROLS}]",
        f"[{_MARKS}]|{_JOINERS}",
    ),
    Rule(
        "look-alikes",
        "Cyrillic letters inside Latin words, with which some sites mark their copies, become Latin.",
        "thе nеw rоad",
        "the new road",
        one_by_one(_look_alikes),
        wide=either(f"[A-Za-z]{_TWIN}", f"{_TWIN}[A-Za-z]"),
    ),
    Rule(
        "quotes",
        "Curly apostrophes become ', real quotation marks (double or in pairs) become \".",
        "‘Hold on’, she said, “we’re walkin’ home”",
        '"Hold on", she said, "we\'re walkin\' home"',
        _quotes,
        "[a-zA-Z]`[a-zA-Z]|``| `[a-zA-Z]",
        "[‘’‛“”„‟‚ʼ＇＂´]",
    ),
)

CHARACTERS = tuple(rule.name for rule in RULES)
"""The rules so far: they mend characters and layout, and apply to titles and artists as well."""


_FEW = r"(?: ?[^ \n]+){0,13}"  # up to thirteen words on one line

_BLURB = r"(?:[^\n]*?(?:…|\.\.\.) ?Read More ?)?"  # Genius's note on a song, cut short
_HEAD = (
    r"[0-9]+ Contributors?\n[^\n]+ Lyrics$\n?",
    rf"[0-9]+ Contributors?(?:[^\n]*? Lyrics{_BLURB}|$\n?)",
    rf"Translations[^ \n][^\n]*? Lyrics{_BLURB}",
    rf"{_FEW} Lyrics$\n\n",
)
_TITLE_BEFORE_HEADER = rf"\A{_FEW} Lyrics ?\n?\["
_TAIL = r"(?:(?:[0-9]+(?:\.[0-9]+)?[KM]|[0-9]{1,4})?(?:Embed ?)?(?:Share ?U[Rr][Ll](?::? ?Copy ?Embed:? ?Copy)?|Embed)[ \n]*)+\z"

_LIKE = "You might also like"
_TICKETS = r"\n?(?:See [^\n]*? Live ?\n?)?Get tickets as low as \$ ?[0-9][0-9.,]*\n?"
_SEEN = "(?i:me|you|us|them|him|her|it|the|my|how|what|if|we|they|that|this)"
_LIVE = rf"^(See {_SEEN}(?-u:\b)[^\n]*)$|^See {_FEW} Live$\n?"

_NOTICES = (
    "Read More",
    r"Loading ?(?:\.{3}|…)",
    "(?:Save ?Cancel)+",
    r"(?i:submit corrections?)(?: ?Thanks to [^\n]*)?",
    rf"Thanks to {_FEW} for (?:adding|correcting|posting|providing|sending|submitting|transcribing|these"
    r"|the) (?:[^\n]*)?lyrics?[.!]?",
    r"\([0-9]{12,}\)",
    r"(?i:all lyrics (?:(?:are|is) )?(?:the )?(?:property|provided|copyright)[^\n]*)",
    r"(?i:(?:please )?(?:add|correct|edit|print|rate|report|save|send|share|submit|view) (?:these |this |the )?lyrics?)",
    r"(?i:source ?: ?(?:lyricfind|musixmatch|genius|azlyrics|metrolyrics|letras)[^\n]*)",
    rf"More \p{{Lu}}{_FEW} [Ll]yrics",
    rf"(?i:add to (?:favou?rites|playlist)|more lyrics (?:by|from) {_FEW})",
    r"(?i:views ?: ?[0-9][0-9.,]*|comments ?(?:: ?[0-9]+|\([0-9]+\))|rating ?: ?[0-9][0-9.,/]*|last updated? ?: ?[0-9][^\n]*)",
    r"(?i:copy lyrics|share on (?:facebook|twitter|x|whatsapp)|lyrics (?:are )?taken from [^\n]*)",
    r"(?i:report (?:a |an )?(?:problem|error)(?: (?:with|in) (?:this song|(?:these |this |the )?lyrics))?|rate this song)",
    r"(?i:submit lyrics corrections?|lyrics from snippets?|last edited by [^\n]*)",
    r"(?i:lyrics submitted|advertisements?|sponsored links|ads by google|(?:find more|full) lyrics (?:at|by|from|on) [^\n]*)",
    r"Send [“\"”][^\n]+[“\"”] Ringtone to [Yy]our [Cc]ell(?: [Pp]hone)?",
    r"[(*-]* ?peak Billboard position # ?[0-9][^\n]*",
    r"(?i:become a better singer in only 30 days[^\n]*)",
    rf"(?i:if you (?:can|find|found|see)(?-u:\b){_FEW} corrections?(?-u:\b){_FEW})",
    r"(?i:if you (?:find|found|see) (?:some|any|an) errors? in [^\n]* lyrics[^\n]*)",
)
_NOT_FOR_SALE = r"(?:\.{3}\n+)?\*{3,} ?This Lyrics is NOT for Commercial use ?\*{3,}(?:[ \n]*\([0-9]+\))?"
_NOTICE = rf"(?m)^(?:{'|'.join((_NOT_FOR_SALE, *_NOTICES))})$\n?"

_ORNAMENT = r"(?m)\n*^(?:[*~=_#-]{3,}|[*~=_#.-](?: [*~=_#.-]){2,})$\n*"

RULES.append(
    Rule(
        "debris",
        "What lyric sites leave goes: contributors, translations, Embed, You might also like, tickets, buttons, notices.",
        "12 ContributorsLow Tide LyricsThe harbour sleeps\nYou might also likeThe gulls are gone34Embed",
        "The harbour sleeps\nThe gulls are gone",
        replacing(
            (rf"(?m)\A(?:{'|'.join(_HEAD)})+", ""),
            (_TITLE_BEFORE_HEADER, "["),
            (_TAIL, ""),
            (_TICKETS, "\n"),
            (rf"(?m)^{_LIKE}$\n?", ""),
            (rf"([^ \n\[(]){_LIKE}", "$1\n"),
            (rf"\n?{_LIKE}([\[\p{{Lu}}\p{{N}}(\"“¿¡'*])", "\n$1"),
            (rf"(?m){_LIVE}", "$1"),
            (r"(?m)(?:…|\.\.\.) ?Read More$", ""),
            (_NOTICE, ""),
            (_ORNAMENT, "\n\n"),
        ),
        either(
            r"\A[0-9]+ Contributor|\ATranslations[^ \n]|\A[^\n]* Lyrics(?: ?\n?\[|\n\n)",
            r"(?:Embed|Copy|U[Rr][Ll])\n?\z",
            rf"{_LIKE}|Get tickets as low as \$|Read More|This Lyrics is NOT for|\([0-9]{{12}}",
            rf"peak Billboard position|{_ORNAMENT}",
            r"(?m)^(?:See [^\n]* Live$|Loading ?[.…]|Save ?Cancel|Thanks to |Send [“\"”])",
            r"(?im)^(?:submit|correct|please (?:add|correct|rate|submit)|source ?:|all lyrics"
            r"|(?:add|edit|print|rate|report|save|send|share|view) |more [^\n]*lyrics|lyrics submitted|ads by google"
            r"|(?:find more|full) lyrics|views ?:|comments ?[:(]|rating ?:|last (?:updated? ?:|edited by)|copy lyrics"
            r"|lyrics (?:(?:are )?taken|from)|advertisement|sponsored links|become a better singer"
            r"|if you (?:can|find|found|see)(?-u:\b)[^\n]* (?:correction|error))",
        ),
        wordy=True,
    )
)

_MAKES = "words|lyrics|music"
_DONE = (
    "written|composed|produced|arranged|recorded|performed|mixed|mastered|engineered|remixed|directed|conducted"
    "|adapted|programmed"
)
_ROLES = (
    r"(?:song)?writers|songwriter|(?:executive|vocal|associate|assistant|additional|co-?) ?producers?"
    r"|(?:song)?writer\(s\)|lyricists?|lyricist\(s\)|composers?|composer\(s\)|publishers?"
    r"|publisher\(s\)|publishing|arrangers?|producers?|producer\(s\)"
    r"|(?:written|composed|published|produced|arranged|recorded|performed|sung)(?: and [a-z]+)?(?: by)"
    rf"|(?:{_MAKES})(?: (?:and|&) (?:{_MAKES}))? by|composi[çc][ãa]o|compositor(?:es)?|autor(?:es|i)?|auteurs?|paroliers?"
    r"|compositeurs?|letra (?:y|e) m[úu]sica|paroles et musique|testo e musica|text (?:und|&) musik|musik (?:und|&) text"
    r"|автор[а-я]*(?: [а-я]+)*|исполнитель|m[úu]sica (?:y|e) letra|auteurs?-compositeurs?|слова и музыка|музыка и слова"
    r"|słowa i muzyka|muzyka i słowa|tekst i muzyka|text a hudba"
    r"|worte und musik|söz ?[-/&] ?müzik|söz ve müzik|tekst og musikk?|text och musik|sanat ja sävel"
)
_PLAYERS = (
    "(?:Bass|Drums|Percussion|Piano|Keyboards?|Organ|Violins?|Cello|Strings|Saxophone|Sax|Trumpet|Flute|Banjo|Fiddle|Harmonica"
    "|Accordion|Synths?)"
)
_MAKERS = (
    r"(?:Writer|(?:Words|Music|Lyrics)(?: ?(?:&|and|/) ?(?:[Ww]ords|[Mm]usic|[Ll]yrics))?|Paroles|Musique|Letra|Música"
    r"|Testo|Musica|Musik|Text|[Сс]лова|[Мм]узыка|[Ss]łowa|[Mm]uzyka|Tekst|[Hh]udba|Söz|Müzik|Versão|Versión"
    r"|(?:(?:Lead|Backing|Background|Additional|Harmony) )?[Vv]ocals|(?:(?:Lead|Acoustic|Electric|Bass|Rhythm) )?[Gg]uitars?"
    rf"|{_PLAYERS}|Arrangements?|Engineers?|Mixing|Mix|Mastering|Programming|Interpr[eè]te|Int[eé]rpretes?|Interpreta"
    r"|Parole|Artwork)"
)
_MADE = (
    rf"(?:(?:(?i:(?:(?:all )?(?:songs?|lyrics|words|music|track) |originally )?(?:co-?)?(?:{_DONE})(?:(?:,|,? and"
    rf"| &) (?:co-?)?(?:{_DONE}))*|additional (?:vocals|production|lyrics)"
    rf"|original|{_PLAYERS}|guitars?|vocals)|[Pp]ublished|[Cc]orrected|[Pp]osted|[Ee]dited|Song)(?: and [a-z]+)?"
    r"|(?:Words|Lyrics|Music)(?: (?:and|&) (?:[Ww]ords|[Ll]yrics|[Mm]usic))?) [Bb]y"
)
_MADE_OF = (
    r"(?:(?:Letra(?: [ey] [Mm]úsica)?|Música|Composi[çc][ãa]o|Paroles(?: et [Mm]usique)?|Musique) de"
    r"|(?:Testo(?: e [Mm]usica)?|Musica) di)"
)
_STARTS = (
    f"{_DONE}|{_PLAYERS}|published?|publish|(?:song)?writer|lyric|composer|arrange|produc|engineer|mix|mastering|programming"
    "|executive|vocal|associate|assistant|additional|co-?|sung|song|all |words|music|track|lead|backing|background|harmony"
    "|acoustic|electric|rhythm|guitar|artwork|origin|corrected|posted|edited|used by|composi|autor|auteur|parol|letra|interpr"
    "|int[eé]rpr|m[uú]sica|musi[qk]|testo|text|vers[aãió]|hudba|worte|tekst|söz|müzik|sanat|автор|исполнитель|слова|музыка"
    "|słowa|muzyka"
)
"""How the lines begin of which `_CREDITS` and `_MADE_BY` may take one: the trigger is short, and so its search is fast."""
_TYPED = r"(?:lyrics |text )?(?:transcribed|submitted|typed(?: up)?|tabbed|transliterated)"
_HAN_ROLE = (  # the lines at the head of songs of Chinese and Japanese sites: 作词 : ...
    r"(?:作[词詞曲]|[编編]曲|[词詞曲]|制作人|製作人?|[监監][制製]|混音[师師]?|[录錄]音(?:[师師棚]|室)?|母[带帶](?:[师師])?|和[声聲]|吉他|[贝貝]斯"
    r"|演唱|原唱|歌手|出品(?:人|公司)?|[发發]行|OP|SP)"
)
_CREDITS = (
    rf"(?i:[(\[]?(?:{_ROLES}) ?:[^\n]*)",
    rf"(?i:\((?:{_MAKES}|text|m|l|t|written)(?: ?(?:&|and|/|\+|,) ?(?:{_MAKES}|m|l))? ?(?::| by )[^()\n]*\))",
    rf"(?i:[(\[]?{_TYPED} by(?-u:\b){_FEW})",
    rf"{_HAN_ROLE}(?:[・/／、&·和 ]*{_HAN_ROLE})* ?[:：] ?[^ \n][^\n]*|(?:작사|작곡|편곡)(?:[,/· ]*(?:작사|작곡"
    r"|편곡))* ?[: ] ?[^ \n]+(?: [^ \n]+)?",
    r"(?i:[(\[]?(?:words:? |music:? )?trad(?:\.|itional)(?:[,/;:]? ?arr(?:\.|anged)[^\n]*|[.)\]]*))",
    r"From the album [“\"”'][^\n]*",
    r"(?i:(?:сл\.|слова) (?:и|и\.) (?:муз\.|музыка):? \p{Lu}[^\n]*)",
    rf"(?i:(?:corrected|contributed|posted|uploaded|added|revised|edited) by ?:{_FEW})",
    r"(?i:(?:used by|lyrics reprinted (?:by|with)) permission(?: of [^\n]*)?\.?)",
    r"\p{Lu}[^\n]*[ ,(](?:ASCAP|BMI|SESAC|GEMA|SACEM|PRS)\)?",
    r"Lyrics (?:(?:powered|provided|submitted|corrected|added) by|courtesy of|licensed|copyright|©|™)[^\n]*",
    r"(?i:powered by (?:lyricfind|musixmatch|genius|gracenote)[^\n]*)",
    r"(?i:copyrights? ?(?::|©|\(c\)|by [0-9]|(?:19|20)[0-9][0-9])[^\n]*)"
    r"|Copyrights? (?:by \p{Lu}[^\n]*|\p{Lu}[^\n]* (?:Music|Records|Songs|Publishing|Inc\.?|Ltd\.?),? (?:19|20)[0-9][0-9]\.?)",
)
_PRODUCED = r"(?:[Cc]o-?)?[Pp]rod(?:uced|\.)?(?: [Bb]y)?"
_PRODUCER = (
    rf"[(\[*-]*(?:(?:[Ss]ong|[Mm]usic|[Tt]rack|[Bb]eats?) )?(?:{_PRODUCED} ?: ?|(?:[Cc]o-?)?[Pp]rod(?:uced by|\.(?: by)?| by) )"
    rf"\p{{Lu}}[^ \n]*(?: (?:[\p{{Lu}}\p{{Lo}}0-9&+,/|(\[@$“\"'-]|(?:and|for|of|the|at|in|with|by|x|de|van|von|aka|feat"
    r"|ft|y|et)(?-u:\b))"
    r"[^ \n]*)*"
)
_GUEST = r"(?:[Ff]eat(?:\.|uring)?|ft\.?|FEAT\.?)"  # "Ft. Worth" is a place
_GUESTS = (  # a title with its guests at the head; guests on a line of their own, in brackets, or at the end of a line
    (r"\A(?:[^ \n]+ ){1,8}[(\[]?(?:[Ff]eat\.?|ft\.?) \p{Lu}[^\n()]*[)\]]?\n+", ""),
    (rf"(?m)^[(\[*-]*{_GUEST} ?:? ?\p{{Lu}}{_FEW}[)\]*-]*$\n?", ""),
    (rf" ?[(\[](?:{_GUEST}|Ft\.?) ?:? ?\p{{Lu}}[^()\[\]\n]*[)\]]", ""),
    (r"(?m) (?:[Ff]eat|ft)\. \p{Lu}[^\n]*$", ""),
)
_CREDIT = rf"(?m)^(?:{'|'.join((*_CREDITS, _PRODUCER))})$\n?"
_RIGHTS = r"©|℗|Ⓒ|\([cCpP]\)|(?i)rights reserved"
_RESERVED = (
    rf"(?m)^{_FEW} ?(?:(?:©|℗|Ⓒ|\([cCpP]\)) ?(?:[Cc]opyright )?(?:by )?(?:[0-9]{{4}}|\p{{Lu}})[^\n]*"
    rf"|(?i: ?all rights reserved(?:[.,;!)]{_FEW}| (?:by|used|international|worldwide)(?-u:\b){_FEW})?))$\n?"
)
_LABEL = (
    r"(?i:artist|band|singer|performer|performed by|album|title|song(?: (?:title|name))?|track|year|genre|label"
    r"|released?(?: date)?|artista|álbum|título|titre|artiste|titolo)"
)
_OPENING = (
    rf"{_LABEL} ?:{_FEW}\n+",
    rf"Lyrics (?:to|for) {_FEW} by {_FEW}\n+",
    r"Lyrics ?:?\n+",
    rf"Paroles de (?:la chanson )?{_FEW} par {_FEW}\n+",
    rf"{_FEW} Lyrics by {_FEW}\n+",
)
_CLOSING_LABEL = "(?:Artist|Album|Title|Song|Year|Track|Label|Released)"
_CLOSING = rf"(?:\n+{_CLOSING_LABEL} ?: {_FEW})+\z"

_LOWER = (
    r"(?!(?:The|A|An|My|Your|His|Her|Our|Their|This|That|These|Those|It|I|I'm|You|We|He|She|They|No|All|One|In|On)\b)"
)
_SMALL = "".join(c for c in map(chr, range(0x530)) if c.islower())  # Latin, Greek, Cyrillic
_PERSON_NAME = rf"[\"“(]?{_LOWER}[^\W\d_{_SMALL}][\w.'’-]*[\"”)]?"
_NAMES_OF = rf"{_PERSON_NAME}(?:(?: (?:de|da|van|von|del|la))? {_PERSON_NAME})"
_COMPANY = r"(?:,? (?:[Ii]nc|[Ll]td|[Ll]lc|LLC)\.?)?"
_BETWEEN = r"(?: ?[,/;&+] ?(?:and )?| [-–] | (?:and|und|et|y|e|и) )"
_AND_MORE = r"[.,;]? ?(?:[Ww]ords|[Mm]usic|[Ll]yrics|[Aa]ir|[Tt]une|[Tt]heme|[Aa]rranged|[Mm]elody)\b[^\n]*"
_MADE_BY = re.compile(
    rf"^(?=[^\n]{{1,200}}$)(?:[(\[]?{_MADE} {_NAMES_OF}{{0,5}}{_AND_MORE}"
    rf"|[(\[]?(?:{_MADE}|{_MADE_OF}|{_MAKERS} ?:) ?{_NAMES_OF}{{1,5}}{_COMPANY}"
    rf"(?:(?:{_BETWEEN}|\.? ){_MAKERS} ?: ?{_NAMES_OF}{{1,5}}|{_BETWEEN}{_NAMES_OF}{{0,5}}{_COMPANY})*[)\]]?\.?)$\n?",
    re.MULTILINE,
)
"""A line that names people: "Music by Ben Lamp", but neither "Music by Moonlight" nor "Written by The Wind"."""
_INITIAL = r"\p{Lu}\. ?\p{Lu}[\p{L}'’-]+"
_NAMES_ALONE = (
    rf"(?m)\n+^\((?:{_INITIAL}(?: ?[-–/,&] ?{_INITIAL})+|\p{{Lu}}\p{{Ll}}+(?: ?/ ?\p{{Lu}}\p{{Ll}}+)+)\)\n*\z"
)
"""The writers in parentheses at the end of a song: "(A. Finch - B. Lamp)", "(Finch/Lamp)"."""


def _made_by(text: str) -> str:
    return _MADE_BY.sub("", text)


_lines_of_credit = replacing((_NAMES_ALONE, ""), (rf"\A(?:{'|'.join(_OPENING)})+", ""), (_CLOSING, ""), (_CREDIT, ""))
_FEATURED = rf"(?-u:\b)(?:{_GUEST}|Ft\.?) ?:? ?\p{{Lu}}"


def _credits(texts: pl.Series) -> pl.Series:
    made = where(_lines_of_credit(texts), rf"(?m)^[(\[]?(?:{_MADE}|{_MADE_OF}|{_MAKERS} ?:)", one_by_one(_made_by))
    guests = where(made, _FEATURED, replacing(*_GUESTS))
    return where(guests, _RIGHTS, replacing((_RESERVED, "")))


RULES.append(
    Rule(
        "credits",
        "Credits and headings go: Writer(s), copyright, Lyrics powered by, Produced by, feat., Artist: and Title: at the head.",
        "Title: Low Tide\nThe harbour sleeps\nWriter(s): A. Nobody\n© 2011 Nobody Music",
        "The harbour sleeps",
        _credits,
        either(
            rf"(?im)^[(\[]?(?:{_STARTS})[^\n]*(?::| by | d[ei] |permission)|^\([mlt] ?[:&/+,]",
            r"(?m)^Lyrics reprinted|(?:ASCAP|BMI|SESAC|GEMA|SACEM|PRS)\)?$",
            r"(?im)^[(\[]?(?:words:? |music:? )?trad(?:\.|itional)|^From the album ",
            rf"(?im)^[(\[]?{_TYPED} by|^(?:corrected|contributed|posted|uploaded|added|revised|edited) by ?:",
            r"(?im)\((?:c|p)\) ?(?:copyright |by )*[0-9a-z]|^copyright|all rights reserved|powered by (?:[lmg])",
            r"(?m)^\(\p{Lu}[\p{L}.]+ ?[\p{L}'’-]*(?: ?[-–/,&] ?\p{Lu}[^()\n]*)\)\n*\z",
            rf"(?m)^[(\[*-]*(?:[A-Z]?[a-z]+ )?(?:[Cc]o-?)?[Pp]rod(?:uced)?(?:\.| by| ?:)|{_FEATURED}",
            rf"(?m)^Lyrics |\A(?:Lyrics ?:?\n|Paroles de|[^\n]* Lyrics by|{_LABEL} ?:)|\n{_CLOSING_LABEL} ?: ",
        ),
        rf"[©℗Ⓒ]|(?m)^(?:{_HAN_ROLE}[^:：\n]*[:：]|작사|작곡|편곡|[Сс]л\. и)",
        wordy=True,
    )
)

_DOMAIN = (
    r"(?:www\.[A-Za-z0-9_-]+\.[a-z]{2,}|(?-u:\b)[A-Za-z0-9_-]*lyrics?[A-Za-z0-9_-]*\.(?:com|net|org|de|ru|fr)(?-u:\b)"
    r"|letras\.mus\.br|genius\.com|(?:facebook|instagram|twitter|youtube|soundcloud|spotify|tiktok)\.com/)"
)
_SITE = rf"(?i:https?://[^ \n<>]+|{_DOMAIN}[^ \n<>]*)"
_ABOUT = (
    r"(?i:(?-u:\b)(?:lyrics?|letras?|paroles|songtexte?|visit|source|courtesy|downloaded?|official (?:site|website)"
    r"|website|homepage"
    r"|e-?mail|(?:taken|found|provided|brought) (?:from|at|on|by|to))(?-u:\b)|текст|сайт|歌词|歌詞|가사)"
)
_POINTING = (
    "(?:from|at|on|by|see|via|link|url|web|site|more|find|follow|join|us|me|listen|watch|video|here|check|out|free)"
)
_BARE_SITE = r"(?m-i)^[a-z0-9-]+\.(?:com|net|org|co\.uk|com\.br|de|fr|es|it|pl|ru)$"
_MAIL = r"(?m)^(?:[^ \n]+ ){0,6}[(<]?[A-Za-z0-9_.+-]+@[A-Za-z0-9_-]+\.[a-z]{2,}[^ \n]*(?: [^ \n]+){0,6}$\n?"

RULES.append(
    Rule(
        "links",
        "Addresses of sites and e-mail go, with the lines that are about them.",
        "The harbour sleeps\nFound at http://www.example.com/song",
        "The harbour sleeps",
        replacing(
            (rf"(?m)^[^\n]*(?:{_ABOUT}[^\n]*{_SITE}|{_SITE}[^\n]*{_ABOUT})[^\n]*$\n?", ""),
            (rf"(?im)^[^\p{{L}}\n]*(?:{_POINTING}[^\p{{L}}\n]*)*{_SITE}[^\p{{L}}\n]*$\n?", ""),
            (_MAIL, ""),
            (rf"{_BARE_SITE}\n?", ""),
            (r" ?(?-u:\b)https?://[^ \n<>]+", ""),
        ),
        rf"(?i)https?://|{_DOMAIN}|{_BARE_SITE}|@[A-Za-z0-9_-]+\.",
    )
)


_LRC_TAG = r"(?im)^\[(?:ti|ar|al|au|by|offset|length|la|re|ve|id|tool|total|sign|hash|qq|#) ?:[^\]\n]*\]"
_STAMP = r"[\[<][0-9]{1,3}:[0-9]{2}(?:[.:][0-9]{1,3})?[\]>]"

RULES.append(
    Rule(
        "timestamps",
        "Time stamps and tags of karaoke files (LRC) go.",
        "[ti:Low Tide]\n[00:12.34]The harbour <00:13.10>sleeps",
        "The harbour sleeps",
        replacing((rf"{_LRC_TAG}$\n?", ""), (rf"(?m)^(?:{_STAMP} ?)+", ""), (f" ?{_STAMP}", " ")),
        either(_LRC_TAG, _STAMP),
    )
)

_ROOT = "[A-G][#b♯♭]?"
_CERTAIN = (  # a chord that is no word and no letter: Am, F#, C7, Gsus4, D/F#
    r"(?:[A-G](?:[#♯♭]|b?(?:maj|min|dim|aug|sus|add|m)|[#b♯♭]?(?:M?[24-79]|1[13]))"
    rf"(?:maj|min|dim|aug|sus|add|no|m|b|#)?[0-9]{{0,2}}(?:(?:sus|add|maj|no|b|#)[0-9]{{1,2}})*(?:/{_ROOT})?|{_ROOT}/{_ROOT}"
    r"|Hm?7)"
)
_CHORD = rf"(?:{_CERTAIN}|{_ROOT}|Hm?|N\.?C\.?)"
_GAP = "[ |,./:()>-]+"
_EDGE = "[|: ()]*"
_CHORD_LINE = (
    rf"^{_EDGE}(?:{_CHORD}{_GAP})*(?:{_CERTAIN}{_GAP}{_CHORD}|{_CHORD}{_GAP}{_CERTAIN})(?:{_GAP}{_CHORD})*{_EDGE}"
    r"(?:\(?x ?[0-9]\)?)?$"
)
_TABLATURE = r"^[eEBGDAb] ?(?:[|:]-|--+[0-9|])[-0-9|hpbrsx/\\~^().* ]+$"
_CHORD_IN_BRACKETS = rf"\[{_CHORD}\]"
_SHEET_FACT = (
    r"(?m)^(?:(?:Key|Capo|Tuning) ?: ?[A-G0-9][^ \n]*(?: fret)?|Capo (?:on |at )?[0-9](?:st|nd|rd|th)?(?: fret)?"
    r"|(?:Tempo|BPM|Time) ?: ?[0-9][0-9/]*(?: ?[Bb][Pp][Mm])?)$\n?"
)


def _chords(texts: pl.Series) -> pl.Series:
    """Drop the lines of chords; where one line is certain, a line with one chord, or plain letters, is chords too."""
    lines = rf"(?m)^{_EDGE}{_CHORD}(?:{_GAP}{_CHORD})*{_EDGE}(?:\(?x ?[0-9]\)?)?$\n?|(?m){_TABLATURE}\n?"
    sheets = where(texts, rf"(?m)(?:{_CHORD_LINE}|{_TABLATURE})", replacing((lines, "")))
    return sheets.str.replace_all(_CHORD_IN_BRACKETS, "").str.replace_all(_SHEET_FACT, "")


RULES.append(
    Rule(
        "chords",
        "Lines that hold only guitar chords or tablature go.",
        "Am F C G\nThe harbour sleeps\nG\nThe gulls are gone",
        "The harbour sleeps\nThe gulls are gone",
        _chords,
        rf"(?m)(?:{_CHORD_LINE}|{_TABLATURE}|{_CHORD_IN_BRACKETS}|^Capo ?[:oa0-9])",
    )
)


# For each kind of section: words that make a header on a line of their own; words that do so with a capital letter,
# a number or a colon; and words that do so with a colon or in brackets only.
WORDS: dict[str, tuple[str, str, str]] = {
    "pre-chorus": (
        "pre[ -]?chorus|prechorus|pre[ -]?hook|pr[ée][ -]?refrain|pr[ée][ -]?refr[ãa]o|pre[ -]?coro|pre[ -]?estribillo"
        "|pre[ -]?ritornello|pre[ -]?refren|предприпев",
        "",
        "",
    ),
    "post-chorus": (
        "post[ -]?(?:chorus|hook|refrain|refr[ãa]o|coro|estribillo)|p[óo]s[ -]?refr[ãa]o|постприпев",
        "",
        "",
    ),
    "verse": (
        "verses?|couplets?|strophe|strofa|estrofa|zwrotka|säkeistö|куплет",
        "vers|verso",
        "stanza|sloka",
    ),
    "chorus": (
        "chorus(?:es)?|chorous|chrous|refrain|refr[ãa]o|estribillo|ritornello|refr[eé]n|refräng|refreng|omkvæd"
        "|kertosäe|nakarat|kehrvers|припев|приспів",
        "coro",
        "rit|ref|refr",
    ),
    "hook": ("", "hook|gancho", ""),
    "bridge": ("middle (?:8|eight)", "bridge|pont|ponte|puente|brücke|mostek|köprü|бридж", "brigde"),
    "intro": ("introducción|introdução|introduzione|интро", "intro|introduction|einleitung|giriş", "opening"),
    "outro": ("аутро", "outro", "ending|coda|final|finale"),
    "interlude": ("interlúdio", "interlude|interludio|zwischenspiel|интерлюдия", ""),
    "break": ("", "breakdown", "break|drop|build[ -]?up|build"),
    "part": ("", "", "part|parte|partie|teil|часть"),
    "skit": ("", "", "skit"),
}

KINDS = tuple(WORDS)
"""What the kept headers say, in brackets: ``[verse]``, ``[chorus]`` ..."""

KEPT = rf"\[(?:{'|'.join(KINDS)})\]"
"""Matches a header as it is kept."""

_FREE, _BOLD, _SHY = ("|".join(filter(None, column)) for column in zip(*WORDS.values(), strict=True))
_SECTION_WORD = f"{_FREE}|{_BOLD}|{_SHY}"
_CASED = "|".join(word for plain in _BOLD.split("|") for word in (plain.capitalize(), plain.upper()))
_UPPER = "|".join(word.upper() for word in _BOLD.split("|"))
_DASHED = "|".join(
    word.capitalize() for word in ("chorus", "verse", "hook", "bridge", "intro", "outro", "interlude", "refrain")
)

_FIGURE = r"[0-9]{1,2}"
_SPELT = "[ivx]{1,4}|[a-d]|one|two|three|four|five|six|seven|eight|nine|ten|un|deux|trois|uno|dos|tres|due|tre|um|dois"
_NUMBERED = rf"(?:[ .#º°-]*(?:n[or]\. ?)?(?:{_FIGURE}|{_SPELT})(?:st|nd|rd|th|º|ª)?)"
_NUMBER = f"{_NUMBERED}?"
_NTH = rf"{_FIGURE}(?:st|nd|rd|th|º|ª|°|er|ère|e|ème|\.)?"
_ORDINAL = (
    r"(?:(?:final|last|first|second|third|fourth|half|alternate|alt\.|main|opening|closing|rap"
    r"|primer[ao]?|segund[ao]|tercer[ao]?|terceir[ao]|[úu]ltim[ao]|prim[ao]|second[ao]|terz[ao]|premier|erste[rs]?|zweite[rs]?"
    rf"|{_NTH}|{_FIGURE} ?x|x ?{_FIGURE})[ .:-]+)?"
)
_FADE = r"(?:,? ?(?:and|till?|until|'til|to|then)? ?fad(?:es?|ing)(?: out)?)"
_MARK = rf"(?:[x×х*] ?{_FIGURE}|{_FIGURE} ?[x×х](?:'s)?)"
_TIMES = rf"(?:{_MARK}|{_FIGURE} ?times|twice|bis)"
_MARKED = (
    rf"(?:[ ,:;-]*[(\[]? ?(?:{_TIMES}|repeat(?:ed|s)?(?: {_TIMES})?{_FADE}?|cont(?:inue[sd]?|\.|'d)|again|[x×]{{2,3}}"
    r"|final|finale"
    r"|same(?: as (?:before|above|first))?|spoken|(?:(?:to|and) )?fade(?: out)?|from (?:the )?top|with ad[ -]?libs)"
    r" ?[)\]]?)"
)
_MORE = f"{_MARKED}*"

_IN_BRACKETS = (
    rf"+ ?{_ORDINAL}({_SECTION_WORD})"
    rf"(?: ?{_FIGURE}[^\[\]\n]*|{_NUMBER}{_MORE}(?: ?[:,(/&+*|\"“.=?!~–—-][^\[\]\n]*)?) ?[\]】]+(?: ?:)?"
)
_REST = rf"{_NUMBER}{_MORE}"
_LINE = "|".join(
    (
        rf"[(\[*_~=#:|.>{{<«–—-]+ ?{_ORDINAL}({_SECTION_WORD}){_REST}(?: ?[:,/&+*|.–—-][^()<>\n]*[)>])? ?[)*_~=#:|.>}}»–—-]*$",
        rf"{_ORDINAL}(?:({_FREE}){_REST}(?:[.*~–— -]*$|\.?(?:--+|—) ?)|({_SECTION_WORD}){_REST}\.? ?:(?: +|[:.*~ -]*$))",
        rf"(?:((?-i:{_CASED}))(?:{_NUMBERED}{_MORE}|{_MARKED}+)[.*~–— -]*|({_BOLD}) ?{_FIGURE})$",
        r"\(((?-i:Chorus|CHORUS|Refrain|REFRAIN))\) ?:? +",
    )
)
_NAME = r"(?-i:[A-Z][^ \n,?!]*)"
_NAMES = rf"{_NAME}(?:,? (?:and|feat\.?|ft\.?|[&+x]|{_NAME})){{0,6}}"
_SINGERS = rf"\( ?(?:(?:by|with|feat\.?|ft\.?) )?{_NAMES} ?\)"
_SUNG_BY = "|".join(
    (
        rf"(verse)s? ?(?:{_FIGURE}|{_SPELT}) ?[:-] ?{_NAMES}",
        rf"((?-i:{_DASHED}))(?: {_FIGURE})? [–—-] {_NAMES}",
        rf"({_FREE}){_NUMBER} ?{_SINGERS} ?:?",
        rf"({_SECTION_WORD})(?: ?{_FIGURE} ?{_SINGERS} ?:?|{_NUMBER} ?{_SINGERS} ?:| ?\( ?(?:feat|ft)\.? {_NAMES} ?\))",
    )
)


_KEPT_WORD = re.compile(
    rf"^\[(?:{'|'.join('(' + '|'.join(filter(None, words)) + ')' for words in WORDS.values())})\]$",
    re.IGNORECASE | re.MULTILINE,
)


def _name_kinds(text: str) -> str:
    """Write the kind of section for the word that was found: ``[Refrão]`` becomes ``[chorus]``."""
    return _KEPT_WORD.sub(lambda match: f"[{KINDS[(match.lastindex or 1) - 1]}]", text)


_CERTAIN_HEADER = rf"(?im)[\[【]{_IN_BRACKETS}|^(?:{_LINE})|^\[(?:{'|'.join(WORDS)})\]$"
_HEADER_LINE = rf"(?im)^(?:(?:{_SUNG_BY})$|{_LINE}|[0-9]{{1,2}} ?[.):]$)"
_BARE = rf"(?m)(?:\A|\n\n+)((?-i:{_CASED}))[.*~–— -]*$\n*"
"""A word that is also sung ("Hook", "Breakdown"): a header at the head of a stanza, if the song has another header."""
_LOUD = rf"(?m)(?:\A|\n\n+)((?-i:{_UPPER}))[.*~–— -]*$\n*"
"""The same in capitals is a header at the head of a stanza without another one."""


def _sections(kept: bool) -> Change:
    verse = "\n\n[verse]\n" if kept else "\n\n"
    in_square, in_wide = (  # with one kind of bracket, the search looks for this character first: a third of the time
        replacing((rf"(?im) *\n*{bracket}{_IN_BRACKETS} *\n*", "\n\n[$1]\n" if kept else "\n\n"))
        for bracket in (r"\[", r"[\[【]")
    )
    on_lines = replacing(
        (rf"(?im)\n*^(?:{_SUNG_BY})$\n*", "\n\n[$1$2$3$4]\n" if kept else "\n\n"),
        (rf"(?im)\n*^(?:{_LINE})\n*", "\n\n[$1$2$3$4$5$6]\n" if kept else "\n\n"),
        (r"(?m)\n*^[0-9]{1,2} ?[.):]$\n*", verse),
    )
    bare, loud = (replacing((pattern, "\n\n[$1]\n" if kept else "\n\n")) for pattern in (_BARE, _LOUD))

    def change(texts: pl.Series) -> pl.Series:
        bracketed = in_square(where(loud(where(texts, _CERTAIN_HEADER, bare)), "【", in_wide))
        dropped = where(bracketed, _HEADER_LINE, on_lines)
        return one_by_one(_name_kinds)(dropped) if kept else dropped.str.strip_chars("\n")

    return change


RULES.append(
    Rule(
        "sections",
        "Section headers such as [Verse 1: Name] or Chorus: are removed, or kept as lines such as [verse] and [chorus].",
        "[Verse 1: Ann]\nOne road\nCHORUS (x2)\nTwo roads",
        "One road\n\nTwo roads",
        _sections(kept=False),
        rf"(?im)(?:^[(\[*_~=#:|.>{{<«–— -]*|[\[【] ?){_ORDINAL}(?:{_SECTION_WORD})|^[0-9]{{1,2}} ?[.):]$",
        keeping=_sections(kept=True),
        frequent=True,
    )
)

_PART = "(?:pre-?)?(?:chorus|chorous|verse|refrain|bridge|hook|intro|coro|estribillo|refrão|couplet)"
_THING = (
    rf"(?:{_PART}|section|first|last|above|entire|whole|all|lines?|song|both|twice|once|several|few|as|needed|over|ad|lib"
    rf"|end|the|a|from|of|to|and|then|till?|until|times|again|out|fade[sd]?|fading|[0-9]+[a-z]{{0,2}}|x[0-9]+|one|two|three)"
)
_REPEAT = rf"(?:repeat(?:s|ed|ing)?|rpt\.?|(?:back|go) to (?:the )?{_PART})(?:[ :,.&-]+{_THING})*[.:… ]*"
_REPEATED = (
    r"rep\.|se repite|repit[ae]n?|repetir|repete|ripetere|si ripete|r[ée]p[ée]ter|wdh\.?|wiederholen|wiederholung"
    r"|powt[óo]rz(?:y[ćc])?"
    r"|повтор(?:ить|яется)?|反复|反復|重复|重複|반복"
)
_TIMES_OF = r"[x×]? ?[0-9]+ ?(?:fois|veces|vezes|volte|mal|razy|раза?|р\.?|回|次|번)"
_AGAIN = (
    rf"(?:{_TIMES}(?: (?:each|cada))?|ter|da capo|(?:{_REPEATED})(?: {_PART})?(?: {_TIMES_OF}| {_TIMES})?|{_TIMES_OF}"
    r"|[x×] ?[0-9]+ times"
    rf"|{_REPEAT})"
)
_ORDER = (
    rf"(?:repeat|rpt\.?)(?: {_MARK}|{_FADE}| [0-9]{{1,2}}{_FADE}?| ?\({_PART}\)"
    rf"|[ :]+(?:the |from |first |last |[0-9]+[a-z]* )*{_PART}(?:[ :,.&-]+{_THING})*)"
)

RULES.append(
    Rule(
        "repeats",
        "Marks of repetition such as (x2), x4 at the end of a line, [Repeat] and (Repeat chorus) go.",
        "Round we go (2x)\nand down we go x4\n[Repeat chorus]",
        "Round we go\nand down we go",
        replacing(
            (rf"(?im)^[(\[{{*]+ ?{_AGAIN} ?[)\]}}*]+[.:]*$\n?", ""),
            (rf"(?im) ?[(\[{{] ?{_AGAIN}(?: ?[)\]}}]|$)", ""),
            (rf"(?im)^[(*-]*(?:{_ORDER}|{_MARK}|bis)[.:)*-]*$\n?", ""),
            (r"(?m)([^ \n])(?:[ ,]+(?:[–-] )?\*?(?:[x×] ?[1-9][0-9]?|[2-9]x)\*?\.?)+([).]*)$", "$1$2"),
            (r"(?m)([,.!?)\]\"]) ?X ?[1-9]$", "$1"),
        ),
        rf"(?im)[(\[{{*] ?(?:x|×|х|[0-9]|repeat|rpt|bis(?-u:\b)|ter\)|da capo|{_REPEATED}"
        r"|twice|back to|go to)|[x×] ?[0-9][0-9]?[).\]*]*$| [2-9]x[).*]*$"
        r"|^[(*\[{-]*(?:repeat|rpt|[0-9][0-9]? ?x|bis[.:)*-]*$)",
    )
)


_PLAYED = (
    r"(?:(?:guitar|piano|sax|saxophone|drums?|bass|keyboards?|harmonica|organ|violin|fiddle|flute|trumpet|horn|banjo|synth"
    r"|instrumental|musical|orchestral) (?:solos?|break|interlude|intro|outro|bridge|section|part|fade)|(?:short )?instrumental"
    r"|solo (?:guitar|piano|sax|saxophone|violin|drums?|bass)"
    r"|solos? (?:de|di) (?:guitarra|guitare|chitarra|piano|pianoforte|bater[ií]a|batterie|sax[a-zó]*|viol[ií]no?|arm[oó]nica)"
    r"|(?:gitarren|klavier|saxophon|schlagzeug)solo|assolo (?:di [a-z]+)?)"
)
_SPOKEN = "hablado|falado|parl[ée]|parlato|gesprochen"
_DIRECTION = (
    rf"(?:{_PLAYED}(?: ?[–-] ?[0-9]+ bars)?|{_SPOKEN}|whispering|speaks"
    r"|spoken(?: word)?|whispered|laughs|laughter|fad(?:es?|ed|ing) out|fades|applause|cheering|inaud[ií](?:ble|vel)"
    r"|music break|key change|humming|hums|whistles|claps|hand ?claps|clapping|sighs|crowd (?:cheers|noise)|voice ?over"
    r"|spoken in [a-z]+|проигрыш|соло|间奏|間奏|간주|unverständlich"
    r"|unintelligible|incomprehensible|indistinct|ad[ -]?libs?|scatting|whistling|(?:background|backing) vocals?)"
)
_SPEAKING = rf"(?:spoken(?: word)?|speaking|talking|whispered|rapped|{_SPOKEN})"
_HELD = r"(?:\[[^\[\]\n]*\]|【[^【】\n]*】)"
_REMARK = re.compile(r"\[([^\[\]\n:\"“”]+)\]")
_BRACKETS = re.compile(r"\[[^\[\]\n]*\]")
_PERSON = re.compile(
    r"\b(?:I|I'm|I'll|I've|you|you're|your|me|my|we|we're|us|our|don't|can't|baby|love|tonight|gonna|wanna|never|forever"
    r"|yo|tú|te|mi|je|toi|moi|t'aime|ich|dich|mich|dir|mir|eu|você|meu|minha|ti|io|я|ты|тебя|меня|мой|моя)\b",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"a+h+|e+h+|o+h*|u+h+|he+y+|ho+|hu+h|h?m+|wh?o+a+h?|wo+|ye+a+h*|yo+|yes|no+|na+h?|(?:la+)+|(?:na+)+|da+|do+|ba+"
    r"|(?:sha)+|go|baby"
    r"|come|on|c'mon|hallelujah|amen",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_STAGE = re.compile(
    r"(?i)\b(?:solos?|instrumental|sounds?|nois\w+|music|play\w*|speak\w*|spoken|talk\w*|lyrics?|version|repeat\w*|chorus"
    r"|verse|hook|record\w*|produced|sample\w*|exit|enter)\b"
)
_EFFECT = re.compile(
    r"(?i)^(?:sings?|singing|spoken|speaking|talking|whisper\w*|shout\w*|scream\w*|sampl\w*|from|in|to) "
)
_SHELTERED = ("\uf8f0", "\uf8f1")  # private characters in which kept headers wait while brackets go


def _sing(text: str) -> str:
    """Turn brackets that hold sung words into parentheses."""
    return _REMARK.sub(lambda match: f"({match.group(1).strip()})" if _is_sung(match) else match.group(), text)


def _is_sung(remark: re.Match[str]) -> bool:
    """Return whether words in brackets are sung: calls, an echo, words to somebody, or a sentence that is no direction."""
    words = remark.group(1).strip()
    count, tokens = len(words.split()), _TOKEN.findall(words.lower())
    if tokens and (all(map(_CALL.fullmatch, tokens)) or tokens[: len(tokens) // 2] * 2 == tokens):
        return True
    if count < 2:
        return False
    before = _BRACKETS.sub(" ", remark.string[max(0, remark.start() - 300) : remark.start()])
    if words.lower() in before.lower():
        return True
    return (count >= 3 and bool(_PERSON.search(words)) and not _EFFECT.search(words)) or (
        count >= 6 and words[0].isupper() and not _STAGE.search(words)
    )


_drop = replacing(
    (r"\{([^{}\n]*[^{}\n0-9 *?.…][^{}\n]+|[A-Za-z])\}", "($1)"),  # braces are parentheses ...
    (r" ?\{[^{}\n]*\}", ""),  # ... or hold the number of a footnote
    (r"(\p{L})\[(\p{Ll}{1,3})\]", "$1$2"),  # walkin[g]
    (r"(\p{L})\[(\p{Ll}{1,15})\](\p{Ll})", "$1$2$3"),  # M[ontgomer]y
    (r"\[(\p{L}{1,2})\](\p{Ll})", "$1$2"),  # [t]he
    (rf"(?m)^(?:{_HELD}|\( ?\))[.: ]*$\n?", ""),
    (rf" ?(?:{_HELD}|\( ?\))([,.;!?])", "$1"),
    (rf"{_HELD} ?:?|\( ?\)", " "),
    (rf"(?im)^\( ?{_DIRECTION} ?:?\)[.: ]*$\n?", ""),
    (rf"(?i) ?\( ?{_DIRECTION} ?:?\) ?:?", " "),
    (rf"(?im)^[*~<-]* ?{_PLAYED} ?[*~:.>-]*$\n?", ""),
    (rf"(?im)^\(?(?:{_SPEAKING}|solos?)\)? ?:$\n?", ""),
    (rf"(?im)^(\(?){_SPEAKING} ?: ", "$1"),
)


def _remarks(kept: bool) -> Change:
    opened, closed = _SHELTERED
    shelter = replacing((rf"(?m)^\[({'|'.join(KINDS)})\]$", f"{opened}$1{closed}"))
    restore = replacing((opened, "["), (closed, "]"))

    def change(texts: pl.Series) -> pl.Series:
        new = where(
            shelter(texts) if kept else texts, r"\[(?:[^\[\]\n:]* [^\[\]\n:]*|[a-zA-Z]+!*)\]", one_by_one(_sing)
        )
        new = restore(_drop(new)) if kept else _drop(new)
        only_played = texts.str.contains(rf"(?i){INSTRUMENTAL}") & ~new.str.contains(r"\p{L}")
        return texts.zip_with(only_played, new)  # prepare is to see that the song is instrumental

    return change


RULES.append(
    Rule(
        "annotations",
        "Remarks in brackets, stage directions and instrumental breaks are removed; braces become parentheses.",
        "[Guitar solo]\nRain on the [?] river (spoken)\n[Ann:] Hush",
        "Rain on the river\nHush",
        _remarks(kept=False),
        rf"(?im)[\[【{{]|\( ?(?:{_DIRECTION}|\))|^[*~<-]* ?{_PLAYED} ?[*~:.>-]*$|^\(?(?:{_SPEAKING}|solos?)\)? ?:",
        keeping=_remarks(kept=True),
    )
)

RULES.append(
    Rule(
        "parentheses",
        "Backing vocals in parentheses go (only when asked for).",
        "Carry me home (carry me home), river\n(oh river)",
        "Carry me home, river",
        replacing((r"(?m)^(?:\([^()]*\)|（[^（）]*）)[.,;:!?]*$\n?", ""), (r" ?(?:\([^()]*\)|（[^（）]*）)", "")),
        "[(（]",
    )
)


@dataclass(frozen=True)
class RuleListing:
    """The cleaning rules by name, in the order in which they are applied."""

    def summary(self) -> str:
        """Return one line for each rule."""
        return "\n".join(f"{rule.name:<18} {rule.summary}" for rule in RULES)

    def figures(self) -> list[dict[str, Any]]:
        """Return name and summary of each rule."""
        return [{"name": rule.name, "summary": rule.summary} for rule in RULES]


def rules() -> RuleListing:
    """List the cleaning rules; each can be switched off by ``prepare --rules-off NAME``."""
    return RuleListing()
