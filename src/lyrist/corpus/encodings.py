"""Which encoding a text is in, where nothing says so: UTF-8, UTF-16 without a mark, a code page, or one of seven bits.

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
_CYRILLIC_PAGES = ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")  # the commonest first
_OTHERS = (
    *_CYRILLIC_PAGES,
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
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_ALPHABETS = (
    dict.fromkeys(("ru", "bg"), _CYRILLIC)
    | dict.fromkeys(("uk", "be"), _CYRILLIC + "іїєґў")
    | dict.fromkeys(("sr", "mk"), _CYRILLIC + "ђјљњћџѓќѕ")
    | dict.fromkeys(("cs", "sk"), "áčďéěíľĺňóôŕřšťúůýžä")
    | dict.fromkeys(("hr", "sl", "bs", "sh", "sq"), "čćđšžëç")
    | {"pl": "ąćęłńóśźż", "hu": "áéíóöőúüű", "ro": "ăâîşţ"}
)
"""The letters beyond ASCII of languages that have several code pages."""
_THRESHOLD = 0.4
"""The least score of a text in its code page, less three times the share of odd letters."""
_LATIN_9 = re.compile("[a-zà-ÿ][¨¸¼½¾][a-zà-ÿ]|[¼½¾¸][a-zà-ÿ]{2}")
"""What letters such as œ and š of ISO 8859-15 are in cp1252."""
_UTF_7 = re.compile(rb"\+([A-Za-z0-9+/]*)-?")
_DOS = {  # code pages of DOS, and the letters of the languages that are written in each
    "cp850": "àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ",
    "cp852": "ąćęłńóśźżáčďéěíňřšťúůýžőűôľĺŕăâîţşđäöüß",
    "cp857": "çğıöşüâîûİ",
}
_LIKE = {"cp850": "cp1252", "cp852": "cp1250", "cp857": "cp1254"}  # pages of Windows for the same languages
_NOT_WINDOWS = re.compile(
    "[A-Za-z](?:[\u201a\u201e\u02c6\x81\x8d\x8f\x90\x9d]|[“”‡†‰‹•˜›¡¢£¤¥§¦ª«®¯°][a-z])|[a-z][ŠŒŽŸ][a-z]"
)
"""What is hardly found in text in cp1252: signs inside or at the end of a word, where pages of DOS have letters."""
_CAPITAL_WITHIN = re.compile(r"[^\W\d_A-Z](?=[A-Z])|[a-z][À-ÖØ-ÞĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŐŰ]|[A-Z][À-ÖØ-Þ][a-zà-ÿ]")
_WITHIN = re.compile("[a-zß-ÿа-яё][A-ZÀ-ÖØ-ÞА-ЯЁ]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_HANGUL = re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")
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


def seven_bit_of(data: bytes) -> str:
    """Return the encoding whose ASCII bytes represent other characters: ISO 2022, HZ or UTF-7; empty for plain ASCII."""
    for name, mark in (("iso2022_jp", b"\x1b$B"), ("iso2022_kr", b"\x1b$)C"), ("iso2022_jp", b"\x1b$@"), ("hz", b"~{")):
        if data.count(mark) > (name == "hz"):
            return name if "\ufffd" not in data[: data.rfind(b"\n") + 1].decode(name, "replace") else ""
    shifts = [found[1] for found in _UTF_7.finditer(data[:SAMPLE])]
    if sum(map(bool, shifts)) < 3 or not all(len(shift) > 2 or not shift for shift in shifts[:-1]):
        return ""
    wide = [c for c in data[: data.rfind(b"\n") + 1].decode("utf-7", "replace") if c > "\x7f"]
    return "utf-7" if wide and sum(c.isalpha() or c in _PUNCTUATION for c in wide) > 0.95 * len(wide) else ""


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
    if high >= FEW and 2 * len(_HANGUL.findall(sample)) > 0.9 * high and _strictly(sample, "cp949"):
        return "cp949"
    if page := _dos_page(sample):
        return page
    if high < FEW and _is_plausible(_strictly(sample, "cp1252")):
        return "cp1252"
    if high < FEW // 2:
        return ""
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(sample, cp_isolation=[*_LATIN, *_OTHERS], threshold=0.4)]
    if not found:
        return "cp1252" if _is_plausible(_strictly(sample, "cp1252")) else _best(sample, _CYRILLIC_PAGES)
    if found[0] not in _LATIN or found[0] == "mac_roman":
        return (found[0] in _CYRILLIC_PAGES and _best(sample, _CYRILLIC_PAGES)) or found[0]
    from lyrist.corpus.languages import detect

    language = str(detect(pl.Series([_strictly(sample, found[0])]))[0][0])
    wanted = BY_LANGUAGE.get(language, "cp1252")
    if wanted == "cp1252" and _LATIN_9.search(_strictly(sample, wanted)):
        return "iso8859_15"
    if wanted == "cp1250":
        return _best(sample, ("cp1250", "iso8859_2")) or wanted
    return wanted if _strictly(sample, wanted) else found[0]


def _best(data: bytes, pages: tuple[str, ...]) -> str:
    """Return the code page in which a text is most surely in a language of these pages; empty where it is in none."""
    from lyrist.corpus.languages import detect

    texts = {page: text for page in pages if (text := _strictly(data, page))}
    codes, scores = detect(pl.Series([*texts.values()], dtype=pl.String))
    found = {
        page: score - 3 * _odd(text, _ALPHABETS[code])
        for (page, text), code, score in zip(texts.items(), codes, scores, strict=True)
        if code in _ALPHABETS
    }
    best = max(found, key=found.__getitem__, default="")
    return best if best and found[best] > _THRESHOLD else ""


def _odd(text: str, letters: str) -> float:
    """Return the share of the characters beyond ASCII that are not letters of a language, or a capital within a word."""
    high = [c for c in text.lower() if c > "\x7f" and c not in _PUNCTUATION]
    return (sum(c not in letters for c in high) + len(_WITHIN.findall(text))) / max(len(high), 1)


def _dos_page(data: bytes) -> str:
    """Return the code page of DOS that text is in; empty unless cp1252 has signs in its words, and DOS has letters there."""
    as_windows = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in data)
    if not _NOT_WINDOWS.search(as_windows):
        return ""
    from lyrist.corpus.languages import detect

    texts = {page: _strictly(data, page) for page in _DOS}
    sound = [page for page, text in texts.items() if _in_letters(text, _DOS[page])]
    languages = detect(pl.Series([texts[page] for page in sound], dtype=pl.String))[0].to_list()
    fitting = [
        page for page, code in zip(sound, languages, strict=True) if BY_LANGUAGE.get(code, "cp1252") == _LIKE[page]
    ]
    return fitting[-1] if fitting else ""


def _in_letters(text: str, letters: str) -> bool:
    """Return whether nearly all characters beyond ASCII are these letters, and no capital is within a word."""
    high = [c for c in text if c > "\x7f" and c not in "¡¿«»"]
    odd = sum(c.lower() not in letters for c in high) + len(_CAPITAL_WITHIN.findall(text))
    return bool(high) and odd <= 0.02 * len(high)


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
