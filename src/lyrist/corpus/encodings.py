"""Which encoding a text is in, where nothing says so: UTF-8, UTF-16 without a mark, or a code page of its language.

charset-normalizer names the encodings in which a text is plausible. Code pages of Latin script differ in few letters, so
that the language decides among them: Polish is in cp1250, Portuguese in cp1252. Only text that is not UTF-8 is examined.
"""

from __future__ import annotations

import re

import polars as pl

SAMPLE = 1 << 15
"""So many bytes of lines that hold more than ASCII are examined."""
FEW = 12
"""With fewer bytes beyond ASCII, text in Latin script is taken for cp1252, which is by far the most common;
with fewer than half of that, nothing else is recognised."""

_SHORT = 2048
"""A shorter text is whole: it does not end within a character."""
_LATIN = ("cp1252", "cp1250", "cp1254", "mac_roman")
BY_LANGUAGE = dict.fromkeys(("pl", "cs", "sk", "hu", "ro", "hr", "sl", "bs", "sh", "sq"), "cp1250") | {
    "tr": "cp1254",
    "az": "cp1254",
}
_OTHERS = (
    "cp1251",
    "koi8_r",
    "cp866",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_KANA = re.compile("[\u3041-\u30fe]")
_RARE = re.compile("[a-zß-ÿ][À-ÖØ-Þ]|[ÿþðýÞÐÝ]")
"""What is hardly found in text in cp1252: a capital within a word, letters of Icelandic and Faroese only."""
_PUNCTUATION = set("“”‘’‚„…–—«»¡¿°´`·•€£©®™ªº\u00a0\u00ad")


def is_utf8(data: bytes) -> bool:
    """Return whether data is UTF-8, but for faults that are fewer than its characters beyond ASCII, and for a cut end."""
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError as error:
        if len(data) > _SHORT and error.start > len(data) - 4 and error.reason == "unexpected end of data":
            return True
    characters = _MULTIBYTE.findall(data)
    return len(characters) > len(_HIGH.findall(_MULTIBYTE.sub(b"", data)))


def utf16_of(data: bytes) -> str:
    """Return the form of UTF-16 that data without a mark is in; empty when it is in none.

    Read the right way round, its spaces, commas and line ends are ASCII, also in Chinese and Japanese; in any other text,
    most of these are not beside a zero.
    """
    sample = data[: len(data) // 2 * 2][:8192]
    units = len(sample) // 2
    if units < 5 or sample.count(0) < 0.01 * units:
        return ""
    texts = {name: sample.decode(name, "replace") for name in ("utf-16-le", "utf-16-be")}
    ascii_ = {name: sum(" " <= c < "\x7f" or c in "\t\r\n" for c in text) for name, text in texts.items()}
    best, other = sorted(texts, key=ascii_.__getitem__, reverse=True)
    spaces = sum(map(sample.count, (b" ", b"\n", b",")))
    paired = sum(map(texts[best].count, " \n,"))
    sound = sum(c.isalpha() or c.isprintable() or c in "\ufeff\t\r\n" for c in texts[best])
    fits = ascii_[best] > 3 * ascii_[other] and paired >= 0.25 * spaces and sound >= 0.95 * len(texts[best])
    return best if fits else ""


def code_page_of(data: bytes) -> str:
    """Return the encoding of text that is not UTF-8; empty when it is in none that is known."""
    lines = [line for line in re.split(rb"[\r\n]+", data) if _HIGH.search(line)]
    sample = b"\n".join(lines)[:SAMPLE]
    sample = sample[: sample.rfind(b"\n")] if len(sample) == SAMPLE and b"\n" in sample else sample
    if not sample:
        return ""
    japanese = {name: len(_KANA.findall(text)) for name in ("cp932", "euc_jp") if (text := _strictly(sample, name))}
    if japanese and max(japanese.values()) > 0.1 * len(_HIGH.findall(sample)):
        return max(japanese, key=japanese.__getitem__)
    high = len(_HIGH.findall(sample))
    if high < FEW and _is_plausible(_strictly(sample, "cp1252")):
        return "cp1252"
    if high < FEW // 2:
        return ""
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(sample, cp_isolation=[*_LATIN, *_OTHERS], threshold=0.4)]
    if not found:
        return "cp1252" if _is_plausible(_strictly(sample, "cp1252")) else ""
    if found[0] not in _LATIN or found[0] == "mac_roman":
        return found[0]
    from lyrist.corpus.languages import detect

    language = str(detect(pl.Series([_strictly(sample, found[0])]))[0][0])
    wanted = BY_LANGUAGE.get(language, "cp1252")
    return wanted if _strictly(sample, wanted) else found[0]


def _strictly(data: bytes, encoding: str) -> str:
    """Return data as text, or an empty text where it is not in this encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _is_plausible(text: str) -> bool:
    """Return whether all characters beyond ASCII are letters or common punctuation."""
    sound = bool(text) and all(c < "\x80" or c in _PUNCTUATION or c.isalpha() for c in text)
    return sound and not _RARE.search(text)
