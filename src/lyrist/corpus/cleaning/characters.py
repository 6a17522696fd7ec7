"""Rules for single characters: escapes, entities, mojibake, Unicode, the invisible, look-alikes and quotation marks."""

from __future__ import annotations

import html
import re
import unicodedata

import polars as pl

from lyrist.corpus.cleaning import mojibake
from lyrist.corpus.cleaning.rules import Rule, either, one_by_one, replacing, where

_END_TAG = r"(?:\s+[a-z-]+\s*=[^<>\n]*|\s*)/?>"  # attributes need an equals sign: "<i love you>" is no tag
_BREAKING = "br|p|div|li|tr|h[1-6]"
_STYLING = "a|b|i|u|em|strong|small|font|span|center|pre|sup|sub|td|table|tbody|ul|ol|img|hr|script|style|html|body"
_BREAK = rf"(?i)(?:</?(?:{_BREAKING}){_END_TAG}|<\s*/?\s*br\s*/?\s*>)\n?"
_TAG = rf"(?i)</?(?:{_STYLING}){_END_TAG}"
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31}\d{0,2});")
_NESTED = re.compile(r"&(?:amp;)+")

_WORD = re.compile(r"\w+")
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
    r"""Turn ``\n`` written as two characters into line ends, where a text has no others."""
    flat = ~texts.str.contains("\n", literal=True) & (texts.str.count_matches(r"\\n") >= 2)
    lines = texts.str.replace_all(r" *(?:\\+r)?\\+n", "\n").str.replace_all(r"\\+t", " ")
    return lines.zip_with(flat, texts).str.replace_all(r"""\\+(['"])""", "$1")


def _decode_entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match.group()), _NESTED.sub("&", text))


def _tags_and_entities(texts: pl.Series) -> pl.Series:
    return replacing((_BREAK, "\n"), (_TAG, ""))(one_by_one(_decode_entities)(texts))


def _compose(texts: pl.Series) -> pl.Series:
    """Bring texts to NFC, after towers of marks were cut to eight: to sort a tower takes time by its height squared."""
    low = where(texts, r"\p{M}{9}", replacing((r"(\p{M}{8})\p{M}+", "$1")))
    return one_by_one(lambda text: unicodedata.normalize("NFC", text))(low)


def _look_alikes(text: str) -> str:
    """Write Latin letters for the Cyrillic ones inside Latin words, in a text that is Latin on the whole."""
    if len(_CYRILLIC_WORD.findall(text)) * 5 > len(_WORD.findall(text)):
        return text
    return _WORD.sub(lambda match: _latin(match.group()), text)


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

CHARACTERS = (
    Rule(
        "escapes",
        r"Line ends written as backslash and n become line ends, where a text has no others; \' and \" become quotes.",
        r"It\'s late\nand I\'m up\nagain",
        "It's late\nand I'm up\nagain",
        _unescape,
        r"""\\[nrt'"]""",
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
        one_by_one(mojibake.repair),
        wide=mojibake.TRIGGER,
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
"""The rules for characters, in the order in which they are applied."""
