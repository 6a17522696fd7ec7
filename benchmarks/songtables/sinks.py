"""Tables written piece by piece: CSV with its faults, JSONL and Parquet; whole or absent."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import polars as pl
import pyarrow.parquet as pq
import zstandard

from lyrist.errors import LyristError, UsageError
from lyrist.files import explained

FORMATS = (".csv", ".jsonl", ".parquet")
PACKED = (".gz", ".zst")

INVALID = "\ue000"
"""Stands in a text where the CSV shall hold a byte that is not UTF-8; a private-use character."""

MORE, FEWER = "1 field more", "2 fields fewer"
"""The ways in which a row can be malformed."""


class Sink(Protocol):
    """What takes the rows of a table."""

    def write(self, frame: pl.DataFrame, faults: Mapping[int, str]) -> None:
        """Append ``frame``; ``faults`` says by position which rows shall be malformed (`MORE`, `FEWER`)."""


def format_of(path: Path) -> str:
    """Return which of `FORMATS` the name of ``path`` asks for.

    Raises
    ------
    UsageError
        None of them.
    """
    name = path.name.lower()
    packed = next((end for end in PACKED if name.endswith(end)), "")
    found = next((form for form in FORMATS if name.removesuffix(packed).endswith(form)), None)
    if found is None or (packed and found == ".parquet"):
        raise UsageError(f"{path}: a table ends in {', '.join(FORMATS)}, the first two also in .gz or .zst.")
    return found


@contextlib.contextmanager
def sink(path: Path) -> Iterator[Sink]:
    """Open the table ``path``; it stands there when the block ends without an error, and not before.

    Raises
    ------
    LyristError
        No such folder, no permission, or the disk is full.
    """
    if not path.parent.is_dir():
        raise LyristError(f"There is no folder {path.parent}; make it first, or choose another.")
    temporary = path.with_name(f".{path.name}.tmp")
    with explained(path):
        try:
            with _opened(temporary, path) as opened:
                yield opened
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(temporary: Path, path: Path) -> Iterator[Sink]:
    """Open what takes the rows, in the format and packing of ``path``; the same rows give the same bytes."""
    form = format_of(path)
    if form == ".parquet":
        with contextlib.closing(_Parquet(temporary)) as whole:
            yield whole
        return
    with contextlib.ExitStack() as stack:
        handle: Any = stack.enter_context(temporary.open("wb"))
        if path.suffix.lower() == ".gz":
            handle = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=1, fileobj=handle, mtime=0))
        elif path.suffix.lower() == ".zst":
            handle = stack.enter_context(zstandard.ZstdCompressor(level=1).stream_writer(handle))
        yield _Csv(handle) if form == ".csv" else _Jsonl(handle)


class _Csv:
    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._begun = False

    def write(self, frame: pl.DataFrame, faults: Mapping[int, str]) -> None:
        if not self._begun:
            self._handle.write(_csv(frame.clear(), header=True))
            self._begun = True
        lyrics = frame["lyrics" if "lyrics" in frame.columns else "text"]
        invalid = lyrics.str.contains(INVALID, literal=True).fill_null(value=False).arg_true().to_list()
        done = 0
        for at in sorted({*invalid, *faults}):
            self._handle.write(_csv(frame[done:at]))
            self._handle.write(self._faulty(frame[at : at + 1], faults.get(at)))
            done = at + 1
        self._handle.write(_csv(frame[done:]))

    def _faulty(self, row: pl.DataFrame, fault: str | None) -> bytes:
        data = _csv(row[:, :-2] if fault == FEWER else row)
        if fault == MORE:
            data = data.removesuffix(b"\n") + b",surplus\n"
        return data.replace(INVALID.encode(), b"\xe9")


def _csv(frame: pl.DataFrame, *, header: bool = False) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=header)
    return buffer.getvalue()


class _Jsonl:
    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle

    def write(self, frame: pl.DataFrame, faults: Mapping[int, str]) -> None:
        buffer = io.BytesIO()
        frame.write_ndjson(buffer)
        self._handle.write(buffer.getvalue())


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def write(self, frame: pl.DataFrame, faults: Mapping[int, str]) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", compression_level=1)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
