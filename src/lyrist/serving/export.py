"""`POST /v1/export`: a song as a file for a word processor."""

from __future__ import annotations

import io
import re
from typing import Literal

from fastapi import FastAPI, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from lyrist.errors import needed_by
from lyrist.serving.schemas import Strict

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML does not allow."""


class ExportSection(Strict):
    """A section of a song."""

    name: str = Field("", max_length=200)
    lines: list[str] = Field(max_length=400)


class ExportRequest(Strict):
    """A song and the format of its file."""

    title: str = Field("", max_length=500)
    artist: str = Field("", max_length=500)
    format: Literal["docx"] = "docx"
    sections: list[ExportSection] = Field(max_length=200)


def add_export(app: FastAPI) -> None:
    """Add the path to an application."""

    @app.post(
        "/v1/export", operation_id="exportSong", tags=["songs"], response_class=Response,
        responses={200: {"content": {DOCX: {"schema": {"type": "string", "format": "binary"}}}}},
    )  # fmt: skip
    async def export(body: ExportRequest) -> Response:
        """Return a song as a Word file: its title, and a heading and a paragraph for each section."""
        headers = {"Content-Disposition": 'attachment; filename="song.docx"'}
        return Response(await run_in_threadpool(docx_of, body), media_type=DOCX, headers=headers)


def docx_of(song: ExportRequest) -> bytes:
    """Return a song as the bytes of a Word file.

    Raises
    ------
    LyristError
        python-docx is not installed.
    """
    with needed_by("Word files"):
        from docx import Document
    document = Document()
    document.core_properties.title, document.core_properties.author = _valid(song.title), _valid(song.artist)
    if song.title.strip():
        document.add_heading(_valid(song.title), level=0)
    if song.artist.strip():
        document.add_paragraph(_valid(song.artist), style="Subtitle")
    for section in song.sections:
        if section.name.strip():
            document.add_heading(_valid(section.name), level=2)
        paragraph = document.add_paragraph()
        for number, line in enumerate(section.lines):
            run = paragraph.add_run()
            if number:
                run.add_break()
            run.add_text(_valid(line))
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def _valid(text: str) -> str:
    return _INVALID.sub("\ufffd", text)
