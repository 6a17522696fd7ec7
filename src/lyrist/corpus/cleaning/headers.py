"""Section headers, in the ways and languages in which lyric sites write them, and marks of repetition.

The words are in one table, `WORDS`. How bold a line must be to count as a header depends on the word: nobody sings a
line that says only "Chorus", but a line may say "Break" or "Part".
"""

from __future__ import annotations

import re

from lyrist.corpus.cleaning.rules import Change, Rule, one_by_one, replacing

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
        "stanza",
    ),
    "chorus": (
        "chorus(?:es)?|chorous|chrous|refrain|refr[ãa]o|estribillo|ritornello|refr[eé]n|refräng|refreng|omkvæd"
        "|kertosäe|nakarat|kehrvers|припев|приспів",
        "coro",
        "rit|ref",
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
_WORD = f"{_FREE}|{_BOLD}|{_SHY}"
_CASED = "|".join(word for plain in _BOLD.split("|") for word in (plain.capitalize(), plain.upper()))

_FIGURE = r"[0-9]{1,2}"
_SPELT = "[ivx]{1,4}|[a-d]|one|two|three|four|five|six|seven|eight|nine|ten|un|deux|trois|uno|dos|tres|due|tre|um|dois"
_NUMBER = rf"(?:[ .#º°-]*(?:{_FIGURE}|{_SPELT})(?:st|nd|rd|th|º|ª)?)?"
_NTH = rf"{_FIGURE}(?:st|nd|rd|th|º|ª|°|er|ère|e|ème|\.)?"
_ORDINAL = (
    r"(?:(?:final|last|first|second|third|fourth|half|alternate|alt\.|main|opening|closing|rap"
    rf"|{_NTH}|{_FIGURE} ?x|x ?{_FIGURE})[ .:-]+)?"
)
_FADE = r"(?:,? ?(?:and|till?|until|'til|to|then)? ?fad(?:es?|ing)(?: out)?)"
_MARK = rf"(?:[x×*] ?{_FIGURE}|{_FIGURE} ?[x×])"
_TIMES = rf"(?:{_MARK}|{_FIGURE} ?times|twice|bis)"
_MORE = (
    rf"(?:[ ,:;-]*[(\[]? ?(?:{_TIMES}|repeat(?:ed|s)?(?: {_TIMES})?{_FADE}?|cont(?:inue[sd]?|\.|'d)|again|[x×]{{2,3}})"
    r" ?[)\]]?)*"
)

_IN_BRACKETS = (
    rf"[\[【] ?{_ORDINAL}({_WORD})"
    rf"(?: ?{_FIGURE}[^\[\]\n]*|{_NUMBER}{_MORE}(?: ?[:,(/&+*|\"“.=?!~–—-][^\[\]\n]*)?) ?[\]】](?: ?:)?"
)
_REST = rf"{_NUMBER}{_MORE}"
_LINE = "|".join(
    (
        rf"[(\[*_~=#:|.>{{<–—-]+ ?{_ORDINAL}({_WORD}){_REST}(?: ?[:,/&+*|.–—-][^()\n]*\))? ?[)*_~=#:|.>}}–—-]*$",
        rf"{_ORDINAL}(?:({_FREE}){_REST}[.*~–— -]*$|({_WORD}){_REST} ?:(?: +|[:.*~ -]*$))",
        rf"(?:((?-i:{_CASED})){_REST}[.*~–— -]*|({_BOLD}) ?{_FIGURE})$",
    )
)
_NAME = r"(?-i:[A-Z][^ \n,?!]*)"
_SUNG_BY = rf"verses? ?(?:{_FIGURE}|{_SPELT}) ?[:-] ?{_NAME}(?:,? (?:and|feat\.?|ft\.?|[&+x]|{_NAME})){{0,4}}"


_KEPT_WORD = re.compile(
    rf"^\[(?:{'|'.join('(' + '|'.join(filter(None, words)) + ')' for words in WORDS.values())})\]$",
    re.IGNORECASE | re.MULTILINE,
)


def _name_kinds(text: str) -> str:
    """Write the kind of section for the word that was found: ``[Refrão]`` becomes ``[chorus]``."""
    return _KEPT_WORD.sub(lambda match: f"[{KINDS[(match.lastindex or 1) - 1]}]", text)


def _sections(kept: bool) -> Change:
    verse = "\n\n[verse]\n" if kept else "\n\n"
    drop = replacing(
        (rf"(?im) *\n*{_IN_BRACKETS} *\n*", "\n\n[$1]\n" if kept else "\n\n"),
        (rf"(?im)\n*^{_SUNG_BY}$\n*", verse),
        (rf"(?im)\n*^(?:{_LINE})\n*", "\n\n[$1$2$3$4$5]\n" if kept else "\n\n"),
        (r"(?m)\n*^[0-9]{1,2} ?[.):]$\n*", verse),
    )
    return (lambda texts: one_by_one(_name_kinds)(drop(texts))) if kept else drop


def sections(kept: bool) -> Rule:
    """Return the rule for section headers: they go, or are kept as normalised lines."""
    return Rule(
        "sections",
        "Section headers such as [Verse 1: Name] or Chorus: go, or are kept as lines such as [verse] and [chorus].",
        "[Verse 1: Ann]\nOne road\nCHORUS (x2)\nTwo roads",
        "[verse]\nOne road\n\n[chorus]\nTwo roads" if kept else "One road\n\nTwo roads",
        _sections(kept),
        rf"(?im)(?:^[(\[*_~=#:|.>{{<–— -]*|[\[【] ?){_ORDINAL}(?:{_WORD})|^[0-9]{{1,2}} ?[.):]$",
    )


_PART = "(?:pre-?)?(?:chorus|chorous|verse|refrain|bridge|hook|intro|coro|estribillo|refrão|couplet)"
_THING = (
    rf"(?:{_PART}|section|first|last|above|entire|whole|all|lines?|song|both|twice|once|several|few|as|needed|over|ad|lib"
    rf"|end|the|a|from|of|to|and|then|till?|until|times|again|out|fade[sd]?|fading|[0-9]+[a-z]{{0,2}}|x[0-9]+|one|two|three)"
)
_REPEAT = rf"(?:repeat(?:s|ed|ing)?|rpt\.?|(?:back|go) to (?:the )?{_PART})(?:[ :,.&-]+{_THING})*[.:… ]*"
_AGAIN = rf"(?:{_TIMES}|[0-9]+ ?(?:fois|veces|vezes|volte|mal|razy|раза?)|[x×] ?[0-9]+ times|{_REPEAT})"
_ORDER = (
    rf"(?:repeat|rpt\.?)(?: {_MARK}|{_FADE}| [0-9]{{1,2}}{_FADE}?| ?\({_PART}\)"
    rf"|[ :]+(?:the |from |first |last |[0-9]+[a-z]* )*{_PART}(?:[ :,.&-]+{_THING})*)"
)

REPEATS = Rule(
    "repeats",
    "Marks of repetition such as (x2), x4 at the end of a line, [Repeat] and (Repeat chorus) go.",
    "Round we go (2x)\nand down we go x4\n[Repeat chorus]",
    "Round we go\nand down we go",
    replacing(
        (rf"(?im)^[(\[{{*]+ ?{_AGAIN} ?[)\]}}*]+[.:]*$\n?", ""),
        (rf"(?im) ?[(\[{{] ?{_AGAIN}(?: ?[)\]}}]|$)", ""),
        (rf"(?im)^[(*-]*(?:{_ORDER}|{_MARK})[.:)*-]*$\n?", ""),
        (r"(?m)([^ \n])(?:[ ,]+(?:[x×] ?[1-9][0-9]?|[2-9]x)\.?)+([).]*)$", "$1$2"),
        (r"(?m)([,.!?)\]\"]) ?X ?[1-9]$", "$1"),
    ),
    r"(?im)[(\[{*] ?(?:x|×|[0-9]|repeat|rpt|bis(?-u:\b)|twice|back to|go to)|[x×] ?[0-9][0-9]?[).\]]*$| [2-9]x[).]*$"
    r"|^[(*\[{-]*(?:repeat|rpt|[0-9][0-9]? ?x)",
)
"""The rule for marks of repetition."""
