"""The value of a cell as text: lists, objects with lines or sections, and what Python printed into a table.

Lyrics come as a list of lines, a list of words with times, sections with names, or any of these as text. Names of sections are
written as headers in brackets, for the cleaning rules. A structure that is not known gives no text, so that the reader can
reject the record; text is never made of half of it.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_PRINTED = 1 << 20
"""A printed structure of more characters is not parsed: the parser may take a hundred times its size."""

_TEXT_KEYS = (
    "plain", "plainlyrics", "plain_lyrics", "lyrics_body", "words", "text", "line", "lyric", "lyrics", "content", "body",
    "word", "value", "x", "lines", "sections", "verses", "stanzas", "paragraphs", "segments", "l", "tokens", "syllables",
    "c", "string", "synced", "syncedlyrics", "synced_lyrics", "w", "phrase", "txt",
)  # fmt: skip
"""Keys under which an object has the words of a line, a section or a song; the first that is there and not empty is used."""
_WORD_KEYS = ("words", "tokens", "syllables")
"""Keys under which an object has the words of one line."""
_LABEL_KEYS = ("section", "type", "header", "label", "part", "name", "title", "tag")
_LINE_KEYS = ("line", "line_index", "lineindex", "line_number", "line_no", "segment", "sentence")
"""Keys under which a word has the number of its line."""
_NOTES = re.compile(r"[\s♪♫♩♬🎵🎶]*")
_LITERAL = re.compile(r"""(?:np\.str_\()?([bBuUrR]{0,2}(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))\)?""", re.DOTALL)
_BETWEEN = re.compile(r"[\[\](),\s]*")
_ARRAY = re.compile(r"array\((\[.*\])(?:,\s*dtype=\S+)?\)", re.DOTALL)
PRINTED = r"^\s*(?:array\(\[|['\"][^\n]*\\n[^\n]*['\"]\s*$|[\[(]+\s*(?:np\.str_\()?[bBuU]?['\"]|[\[{]\s*\{?\s*['\"]|[bB]['\"])"
"""Matches every text that `unprinted` can read."""


class CutError(ValueError):
    """A printed list was shortened when it was printed: numpy writes ``...`` for what it leaves out."""


def text_of(value: Any, joiner: str = ", ") -> str | None:
    """Return a value of JSON or Parquet as text; None for a value without content.

    Lists are joined, objects are replaced by their ``name`` where they have one, whole numbers lose a trailing ``.0``.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, list | tuple):
        parts = [_json(part) if isinstance(part, list | tuple) else text_of(part) for part in value]
        return joiner.join(part for part in parts if part) or None
    if isinstance(value, dict):
        name = value.get("name")
        return name if isinstance(name, str) else _json(value) if value else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return None


def lyrics_of(value: Any) -> str | None:
    """Return lyrics as text; None where there are none.

    Raises
    ------
    ValueError
        They are a structure that is not known.
    """
    if isinstance(value, Mapping):
        return _of_object(value)
    if isinstance(value, list | tuple):
        return _of_list([part for part in value if part is not None])
    return text_of(value)


def _of_object(value: Mapping[str, Any]) -> str | None:
    if not value:
        return None
    found = {key.casefold(): part for key, part in value.items() if isinstance(key, str)}
    filled = (key for key in _TEXT_KEYS if isinstance(part := found.get(key), str | list | dict) and part)
    if (key := next(filled, None)) is not None:
        words = (
            [lyrics_of(word) or "" for word in found[key]] if key in _WORD_KEYS and isinstance(found[key], list) else []
        )
        single = words and all(len(word.split()) <= 1 for word in words)
        return _spaced(words) if single else lyrics_of(found[key])
    if any(found.get(key, 0) in (None, "", [], {}) for key in _TEXT_KEYS):
        return None
    if all(isinstance(key, str) and key.isdecimal() for key in value):
        return lyrics_of([value[key] for key in sorted(value, key=int)])
    if all(isinstance(part, str | list) for part in value.values()) and any(
        " " in str(part) for part in value.values()
    ):
        return _sections(value.items())
    raise ValueError(f"an object with {', '.join(map(str, list(value)[:5]))}")


def _of_list(parts: Sequence[Any]) -> str | None:
    if not parts:
        return None
    if all(isinstance(part, str) for part in parts):
        return _lines_or_words(parts)
    if all(isinstance(part, list | tuple) for part in parts):
        if all(_is_timed(part) for part in parts):
            return _lines_or_words([next(item for item in part if isinstance(item, str)) for part in parts])
        words = [word for part in parts for word in part]
        if all(isinstance(word, str) for word in words) and _are_words(words):
            return "\n".join(_spaced(part) for part in parts)
        texts = [lyrics_of(part) or "" for part in parts]
        return ("\n" if all("\n" not in text for text in texts) else "\n\n").join(texts)
    if not all(isinstance(part, Mapping) for part in parts):
        if any(isinstance(part, list | Mapping) for part in parts):
            raise ValueError("a list of texts and other values")
        return text_of(list(parts), "\n")
    objects: list[dict[str, Any]] = [{str(key).casefold(): item for key, item in part.items()} for part in parts]
    texts = [_of_object(part) or "" for part in objects]
    labels = [_label(part) for part in objects]
    if any("\n" in text for text in texts) or any(isinstance(part.get("lines"), list) for part in objects):
        return _sections(zip(labels, texts, strict=True))
    texts = ["" if _NOTES.fullmatch(text) else text for text in texts]
    return _lines_or_words(
        texts, [next((part[k] for k in _LINE_KEYS if _is_number(part.get(k))), None) for part in objects]
    )


def _is_timed(part: Sequence[Any]) -> bool:
    """Return whether a list holds one text and otherwise, at least once, only numbers: ``[4.5, "a line"]``."""
    texts = sum(isinstance(item, str) for item in part)
    return texts == 1 < len(part) and all(isinstance(item, str | int | float) for item in part)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _label(part: Mapping[str, Any]) -> str:
    """Return the name of a section, such as ``Verse 1``."""
    found = next((part[key] for key in _LABEL_KEYS if isinstance(part.get(key), str)), "")
    number = part.get("number")
    return f"{found} {number}" if found and _is_number(number) else found


def _sections(parts: Iterable[tuple[str, Any]]) -> str:
    texts = [(label.strip().strip("[]").strip(), lyrics_of(part) or "") for label, part in parts]
    return "\n\n".join(f"[{label}]\n{text}" if label else text for label, text in texts)


def _lines_or_words(texts: Sequence[str], numbers: Sequence[Any] = ()) -> str:
    """Return lines joined by line ends, or words joined to lines where all are single words."""
    if not _are_words(texts):
        return "\n".join(texts)
    if not numbers or None in numbers:
        return _spaced(texts)
    lines: dict[Any, list[str]] = {}
    for number, text in zip(numbers, texts, strict=True):
        lines.setdefault(number, []).append(text)
    return "\n".join(map(_spaced, lines.values()))


def _are_words(texts: Sequence[str]) -> bool:
    """Return whether texts are the single words of a script that has spaces, and not short lines."""
    filled = [text for text in texts if text.strip()]
    single = sum(len(text.split()) == 1 for text in filled)
    return len(filled) >= 8 and single >= 0.95 * len(filled) and all(text < "\u0e00" for text in filled)


def _spaced(words: Sequence[str]) -> str:
    """Return the line of some words, which may have their spaces with them."""
    spaced = any(word != word.strip() for word in words)
    return ("" if spaced else " ").join(words).strip()


def unprinted(text: str, lyrics: bool = True) -> str | None:
    """Return what a printed value says: ``['a', 'b']``, ``b'...'``, numpy's ``['a' 'b']``, JSON; None for any other text.

    Raises
    ------
    CutError
        It was shortened when it was printed.
    ValueError
        It is a structure that is not known.
    """
    text = text.strip()
    if array := _ARRAY.fullmatch(text):
        text = array[1]
    literals = [match[1] for match in _LITERAL.finditer(text)]
    rest = _LITERAL.sub("", text)
    if literals and not rest:  # b'...', 'one\\ntwo'; a text that is only quoted is left as it is
        printed = text[0] in "bB" or re.search(r"\\r?\\?n", text) is not None
        return _decoded(ast.literal_eval(text)) if printed and len(literals) == 1 else None
    if text[:2] == '["' and len(text) <= MOST_PRINTED and isinstance(value := _parsed(text), list):
        return lyrics_of(value) if lyrics else text_of(value)
    if literals and text[0] in "[(" and text[-1] in "])":
        if _BETWEEN.fullmatch(rest):
            return _of_printed(text, lyrics)
        if _BETWEEN.fullmatch(rest.replace("...", "")):
            raise CutError("a list that was shortened ('...') when it was printed")
    if text[0] in "[{" and text[-1] in "]}" and len(text) <= MOST_PRINTED:
        value = _parsed(text)
        if value is not None:
            return lyrics_of(value) if lyrics else text_of(value)
    return None


def _of_printed(text: str, lyrics: bool) -> str | None:
    """Return the texts of a printed list, in which inner lists are sections."""
    groups: list[list[str]] = [[]]
    at = 0
    for match in _LITERAL.finditer(text):
        if "]" in text[at : match.start()] and groups[-1]:
            groups.append([])
        try:
            groups[-1].append(_decoded(ast.literal_eval(match[1])) or "")
        except (SyntaxError, ValueError):
            return None
        at = match.end()
    if not lyrics:
        return ", ".join(part for group in groups for part in group)
    return lyrics_of(groups if len(groups) > 1 else groups[0])


def _parsed(text: str) -> Any:
    for parser in (json.loads, ast.literal_eval):
        try:
            value = parser(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return value if isinstance(value, list | dict | tuple) else None
    return None


def _decoded(value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("cp1252", "replace")
    return value if isinstance(value, str) else None
