"""Song sheets in files, for ``lyrist write --sheet FILE``: the JSON that ``/v1/compose`` takes.

A file holds a sheet, or a request with ``sheet`` and ``target``. Without a target the empty lines of the sheet are written; with
one, takes for a line or a section are suggested (see `lyrist.generation.suggestions`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lyrist.errors import LyristError, UsageError, unknown
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import REPEATED, SECTIONS, rhyme_scheme

REQUEST = {"model", "sheet", "target", "n", "seed", "like", "tone", "stream"}
SHEET = {"title", "topic", "mood", "genre", "artist", "use", "avoid", "language", "near_rhymes", "sections"}
SECTION = {"name", "rhyme", "syllables", "metre", "lines"}
LINE = {"text", "locked"}
TARGET = {"section", "line", "insert", "rhyme_with"}
OF_SHEET = ("form", "rhyme", "syllables", "metre", "hook", "first_line", "last_line")
"""Options of the command line that a sheet has by itself."""


@dataclass(frozen=True)
class SheetFile:
    """A sheet and, where the file has one, the target to write."""

    path: Path
    sheet: Mapping[str, Any]
    target: Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None
    """``n``, ``seed``, ``like`` and ``tone`` of a request."""

    @classmethod
    def open(cls, path: Path) -> SheetFile:
        """Read and check a file.

        Raises
        ------
        LyristError
            There is no such file, it is not JSON, or a key or value is not as described.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LyristError(f"There is no file {path}; give a song sheet as JSON.") from None
        except (OSError, ValueError) as error:
            raise LyristError(f"{path} cannot be read as JSON ({error}); give a song sheet as JSON.") from None
        request = _object(found, path, "the file")
        if "sheet" not in request:
            request = {"sheet": request}
        _check(request, REQUEST, f"{path}: the request")
        sheet = _check(_object(request["sheet"], path, "sheet"), SHEET, f"{path}: the sheet")
        for name in ("title", "topic", "mood", "genre", "artist", "language"):
            if not isinstance(sheet.get(name) or "", str):
                raise UsageError(f"{path}: '{name}' must be a text.")
        for name in ("use", "avoid"):
            if not _texts(sheet.get(name) or []):
                raise UsageError(f"{path}: '{name}' must be a list of words.")
        sections = sheet.get("sections")
        if not isinstance(sections, list) or not sections:
            raise UsageError(
                f'{path}: the sheet has no sections; give at least {{"sections": [{{"lines": [{{}}, {{}}]}}]}}.'
            )
        sheet = {**sheet, "sections": [_section(each, path, place) for place, each in enumerate(sections)]}
        target = request.get("target")
        if target is not None:
            _check(_object(target, path, "target"), TARGET, f"{path}: the target")
        return cls(
            path, sheet, target, {name: request[name] for name in ("n", "seed", "like", "tone") if request.get(name)}
        )

    @property
    def given(self) -> dict[str, str]:
        """The conditions of the sheet."""
        return {name: self.sheet[name] for name in ("genre", "artist") if self.sheet.get(name)}

    def applied(self, config: GenerationConfig) -> GenerationConfig:
        """Return the options with the lines and constraints of the sheet; lines with a text are kept.

        Raises
        ------
        UsageError
            An option of the command line contradicts the sheet, or no line is empty.
        """
        for name in OF_SHEET:
            if getattr(config, name) is not None:
                raise UsageError(
                    f"--{name.replace('_', '-')} cannot be combined with --sheet; put it into {self.path}."
                )
        sheet, sections = self.sheet, self.sheet["sections"]
        metres = {each.get("metre") or None for each in sections}
        if len(metres) > 1:
            raise UsageError(f"{self.path}: all sections must have the same metre, or the request a target.")
        lines: list[str | None] = []
        form, seen = [], dict[str, int]()
        for each in sections:
            texts = [line["text"] or None for line in each["lines"]]
            name = each["name"] if each["name"] not in seen or each["name"] not in REPEATED else "verse"
            if each["name"] in seen and not texts:  # a repeated section
                texts, name = [None] * seen[each["name"]], each["name"]
            texts = texts or [None] * max(4, len(each.get("rhyme") or ""))
            seen.setdefault(each["name"], len(texts))
            form.append(f"{name}:{len(texts)} {each.get('rhyme') or 'free'} {each['syllables'] or ''}".strip())
            lines += ["", *texts] if lines else texts
        if None not in lines:
            raise UsageError(f"{self.path}: every line has a text; leave the text of a line empty to have it written.")
        return replace(
            config, form=", ".join(form), sheet=tuple(lines), metre=metres.pop(),
            title=config.title or sheet.get("title") or None,
            about=config.about or sheet.get("topic") or None, mood=config.mood or sheet.get("mood") or None,
            use=config.use or ", ".join(sheet.get("use") or ()) or None,
            avoid=config.avoid or ", ".join(sheet.get("avoid") or ()) or None,
            language=config.language or sheet.get("language") or None,
            near_rhymes=config.near_rhymes or bool(sheet.get("near_rhymes")),
        )  # fmt: skip


def _object(value: Any, path: Path, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {what} must be a JSON object, as for /v1/compose.")
    return value


def _check(given: dict[str, Any], known: set[str], where: str) -> dict[str, Any]:
    for key in given:
        if key not in known:
            raise unknown(f"key of {where} called", key, sorted(known))
    return given


def _texts(values: Any) -> bool:
    return (
        isinstance(values, Sequence) and not isinstance(values, str) and all(isinstance(each, str) for each in values)
    )


def _section(given: Any, path: Path, place: int) -> dict[str, Any]:
    """Return a section with a known name, and lines with a text each."""
    where = f"section {place} of the sheet"
    section = _check(_object(given, path, where), SECTION, f"{path}: {where}")
    name = str(section.get("name") or "verse").lower().rstrip(" 0123456789")
    lines = []
    for each in section.get("lines") or []:
        line = (
            {"text": each}
            if isinstance(each, str)
            else _check(_object(each, path, f"a line of {where}"), LINE, f"{path}: a line")
        )
        if not isinstance(line.get("text", ""), str):
            raise UsageError(f"{path}: the text of a line of {where} must be a text.")
        text = " ".join(line.get("text", "").split())
        lines.append({"text": text, "locked": bool(line.get("locked", bool(text)))})
    rhyme_scheme(section.get("rhyme") or None)
    syllables = section.get("syllables")
    counts = (
        {syllables} if isinstance(syllables, int | None) else set(syllables) if isinstance(syllables, list) else {"?"}
    )
    if len(counts) != 1 or not isinstance(next(iter(counts)), int | None):
        raise UsageError(f"{path}: the syllables of {where} must be one number.")
    return {**section, "name": name if name in SECTIONS else "verse", "lines": lines, "syllables": counts.pop()}
