"""What stands in a lyric without being sung: brackets, stage directions, chords and time stamps; and backing vocals.

Brackets hold remarks ("[Guitar solo]", "[?]", "[Rihanna:]"), save in two cases. Echoes of the line, and words to somebody
("[I just can't wait to show it]"), are sung by the choir: they come out in parentheses, and so do all words in braces.
And an editor's "M[ontgomer]y" is one word.
"""

from __future__ import annotations

import re

import polars as pl

from lyrist.corpus.cleaning.contents import INSTRUMENTAL
from lyrist.corpus.cleaning.headers import KINDS
from lyrist.corpus.cleaning.rules import Change, Rule, either, one_by_one, replacing, where

_TAG = r"(?im)^\[(?:ti|ar|al|au|by|offset|length|la|re|ve|id|tool|total|sign|hash|qq|#) ?:[^\]\n]*\]"
_STAMP = r"[\[<][0-9]{1,3}:[0-9]{2}(?:[.:][0-9]{1,3})?[\]>]"

TIMESTAMPS = Rule(
    "timestamps",
    "Time stamps and tags of karaoke files (LRC) go.",
    "[ti:Low Tide]\n[00:12.34]The harbour <00:13.10>sleeps",
    "The harbour sleeps",
    replacing((rf"{_TAG}$\n?", ""), (rf"(?m)^(?:{_STAMP} ?)+", ""), (f" ?{_STAMP}", " ")),
    either(_TAG, _STAMP),
)
"""The rule for time stamps."""

_ROOT = "[A-G][#b♯♭]?"
_CERTAIN = (  # a chord that is no word and no letter: Am, F#, C7, Gsus4, D/F#
    r"(?:[A-G](?:[#♯♭]|b?(?:maj|min|dim|aug|sus|add|m)|[#b♯♭]?(?:M?[24-79]|1[13]))"
    rf"(?:maj|min|dim|aug|sus|add|no|m|b|#)?[0-9]{{0,2}}(?:(?:sus|add|maj|no|b|#)[0-9]{{1,2}})*(?:/{_ROOT})?|{_ROOT}/{_ROOT})"
)
_CHORD = rf"(?:{_CERTAIN}|{_ROOT}|N\.?C\.?)"
_GAP = "[ |,.:-]+"
_EDGE = "[|: ]*"
_CHORD_LINE = (
    rf"^{_EDGE}(?:{_CHORD}{_GAP})*(?:{_CERTAIN}{_GAP}{_CHORD}|{_CHORD}{_GAP}{_CERTAIN})(?:{_GAP}{_CHORD})*{_EDGE}"
    r"(?:\(?x ?[0-9]\)?)?$"
)
_TABLATURE = r"^[eEBGDAb] ?[|:]-[-0-9|hpbrsx/\\~^().* ]+$"
_CHORD_IN_BRACKETS = rf"\[{_CHORD}\]"


def _chords(texts: pl.Series) -> pl.Series:
    """Drop the lines of chords; where one line is certain, a line with one chord, or plain letters, is chords too."""
    lines = rf"(?m)^{_EDGE}{_CHORD}(?:{_GAP}{_CHORD})*{_EDGE}(?:\(?x ?[0-9]\)?)?$\n?|(?m){_TABLATURE}\n?"
    sheets = where(texts, rf"(?m)(?:{_CHORD_LINE}|{_TABLATURE})", replacing((lines, "")))
    return sheets.str.replace_all(_CHORD_IN_BRACKETS, "")


CHORDS = Rule(
    "chords",
    "Lines that hold only guitar chords or tablature go.",
    "Am F C G\nThe harbour sleeps\nG\nThe gulls are gone",
    "The harbour sleeps\nThe gulls are gone",
    _chords,
    rf"(?m)(?:{_CHORD_LINE}|{_TABLATURE}|{_CHORD_IN_BRACKETS})",
)
"""The rule for chords."""

_PLAYED = (
    r"(?:(?:guitar|piano|sax|saxophone|drums?|bass|keyboards?|harmonica|organ|violin|fiddle|flute|trumpet|horn|banjo|synth"
    r"|instrumental|musical|orchestral) (?:solos?|break|interlude|intro|outro|bridge|section|part)|instrumental)"
)
_DIRECTION = (
    rf"(?:{_PLAYED}|spoken(?: word)?|whispered|laughs|laughter|fade(?:s|d)? out|fades|applause|cheering|inaudible"
    r"|unintelligible|incomprehensible|indistinct|ad[ -]?libs?|scatting|whistling|(?:background|backing) vocals?)"
)
_SPEAKING = "(?:spoken(?: word)?|speaking|talking|whispered|rapped)"
_HELD = r"(?:\[[^\[\]\n]*\]|【[^【】\n]*】)"
_REMARK = re.compile(r"\[([^\[\]\n:\"“”]+)\]")
_BRACKETS = re.compile(r"\[[^\[\]\n]*\]")
_PERSON = re.compile(r"\b(?:I|I'm|I'll|I've|you|you're|your|me|my|we|we're|us|our|don't|can't)\b", re.IGNORECASE)
_STAGE = re.compile(
    r"(?i)\b(?:solos?|instrumental|sounds?|nois\w+|music|play\w*|speak\w*|spoken|talk\w*|lyrics?|version|repeat\w*|chorus"
    r"|verse|hook|record\w*|produced|sample\w*|exit|enter)\b"
)
_SHELTERED = ("\uf8f0", "\uf8f1")  # private characters in which kept headers wait while brackets go


def _sing(text: str) -> str:
    """Turn brackets that hold sung words into parentheses."""
    return _REMARK.sub(lambda match: f"({match.group(1).strip()})" if _is_sung(match) else match.group(), text)


def _is_sung(remark: re.Match[str]) -> bool:
    """Return whether words in brackets are sung: an echo, words to somebody, or a sentence that is no direction."""
    words = remark.group(1).strip()
    count = len(words.split())
    if count < 2:
        return False
    before = _BRACKETS.sub(" ", remark.string[max(0, remark.start() - 300) : remark.start()])
    if words.lower() in before.lower():
        return True
    return (count >= 3 and bool(_PERSON.search(words))) or (
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
    (rf"(?im)^[*~-]* ?{_PLAYED} ?[*~:.-]*$\n?", ""),
    (rf"(?im)^\(?{_SPEAKING}\)? ?:$\n?", ""),
    (rf"(?im)^(\(?){_SPEAKING} ?: ", "$1"),
)


def _remarks(kept: bool) -> Change:
    opened, closed = _SHELTERED
    shelter = replacing((rf"(?m)^\[({'|'.join(KINDS)})\]$", f"{opened}$1{closed}"))
    restore = replacing((opened, "["), (closed, "]"))

    def change(texts: pl.Series) -> pl.Series:
        new = where(shelter(texts) if kept else texts, r"\[[^\[\]\n:]* [^\[\]\n:]*\]", one_by_one(_sing))
        new = restore(_drop(new)) if kept else _drop(new)
        only_played = texts.str.contains(rf"(?i){INSTRUMENTAL}") & ~new.str.contains(r"\p{L}")
        return texts.zip_with(only_played, new)  # prepare is to see that the song is instrumental

    return change


def remarks(kept: bool) -> Rule:
    """Return the rule for remarks in brackets; ``kept`` says whether normalised section headers stand in the text."""
    return Rule(
        "annotations",
        "Remarks in brackets, stage directions and instrumental breaks go; braces become parentheses.",
        "[Guitar solo]\nRain on the [?] river (spoken)\n[Ann:] Hush",
        "Rain on the river\nHush",
        _remarks(kept),
        rf"(?im)[\[【{{]|\( ?(?:{_DIRECTION}|\))|^[*~-]* ?{_PLAYED} ?[*~:.-]*$|^\(?{_SPEAKING}\)? ?:",
    )


PARENTHESES = Rule(
    "parentheses",
    "Backing vocals in parentheses go (only when asked for).",
    "Carry me home (carry me home), river\n(oh river)",
    "Carry me home, river",
    replacing((r"(?m)^(?:\([^()]*\)|（[^（）]*）)[.,;:!?]*$\n?", ""), (r" ?(?:\([^()]*\)|（[^（）]*）)", "")),
    "[(（]",
)
"""The rule for backing vocals; it is not among those that are on by default."""
