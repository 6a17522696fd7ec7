"""Picture files become squares of bytes, or a reason why not; the members of an archive are read in memory.

Nothing is unpacked to the disk. An archive with a member whose path leads outside is refused as a whole.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lyrist.errors import LyristError

MOST_PIXELS = 100_000_000
"""Larger pictures are not decoded: a file of a few bytes can claim any size."""

PAPER = (255, 255, 255)
"""What lies under a picture that is transparent."""


class UndecodableError(ValueError):
    """A file is no picture that can be read; the message says why."""


def decode(data: bytes, side: int) -> NDArray[np.uint8]:
    """Return the picture in ``data`` as (side, side, 3) bytes, red, green, blue.

    It is turned upright as its camera noted, laid on white where it is transparent, cut to its middle square and made
    larger or smaller; grey, palette, CMYK and 16-bit pictures become colours.

    Raises
    ------
    UndecodableError
        It cannot be decoded.
    """
    if not data:
        raise UndecodableError("the file is empty")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UndecodableError(f"{picture.width} x {picture.height} pixels are too many")
            picture.draft("RGB", (2 * side, 2 * side))  # a JPEG can be read at a half, a quarter, an eighth
            upright = ImageOps.exif_transpose(picture)
            square = _colours(upright)
            if square.size != (side, side):
                square = ImageOps.fit(square, (side, side), Image.Resampling.BICUBIC)
            return np.array(square, dtype=np.uint8)
    except UndecodableError:
        raise
    except UnidentifiedImageError:
        raise UndecodableError("not a picture in any format that is known") from None
    except Exception as error:  # a damaged picture can fail in any way inside its decoder
        raise UndecodableError(str(error).strip() or type(error).__name__) from None


def _colours(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return _from_deep(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, (*PAPER, 255)), over).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_deep(picture: Image.Image) -> Image.Image:
    """Return a picture of 16 bits or of fractions with its range spread over the bytes."""
    values = np.asarray(picture, dtype=np.float64)
    top = 65535.0 if values.max(initial=0) > 255 else 255.0 if values.max(initial=0) > 1 else 1.0
    return Image.fromarray(np.clip(values / top * 255, 0, 255).round().astype(np.uint8)).convert("RGB")


@contextlib.contextmanager
def careful() -> Iterator[None]:
    """Make a picture of suspicious size an error while the block runs, and keep Pillow's other warnings quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


LARGEST = 1 << 30
"""Bytes of one file at most."""

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A file, or a folder (``data`` is None)."""

    name: str
    """Its path inside the archive or the folder, parts separated by ``/``."""
    data: bytes | None
    reason: str = ""
    """Why it could not be read; empty where it could."""


def entries(path: Path) -> Iterator[Entry]:
    """Yield every file and folder in ``path``, hidden ones left out, in the order of names or of the archive.

    Raises
    ------
    LyristError
        There is nothing there, it is no archive, it is damaged, or a member leads out of it.
    """
    if path.is_dir():
        yield from _folder(path)
    elif not path.exists():
        raise LyristError(f"There is no file or folder {path}.")
    elif zipfile.is_zipfile(path):
        yield from _guarded(_zip(path), path)
    else:
        yield from _guarded(_tar(path), path)


def _guarded(found: Iterator[Entry], path: Path) -> Iterator[Entry]:
    try:
        for entry in found:
            if entry.name and not _hidden(entry.name):  # an archive's own top, './', has no name
                yield entry
    except tarfile.ReadError as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # then it lists what it tried
        raise LyristError(
            f"{path} is no archive that can be read ({reason}); give a folder, a .tar, a .tar.gz or a .zip."
        ) from None
    except _DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise LyristError(f"{path} is damaged ({reason}); download it again.") from None


def _folder(root: Path) -> Iterator[Entry]:
    def fail(error: OSError) -> None:
        raise LyristError(f"{error.filename} cannot be read: {error.strerror}.")

    for folder, below, names in os.walk(root, onerror=fail):
        below[:] = sorted(name for name in below if not _hidden(name))
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        yield from (Entry(str(inside / name), None) for name in below)
        for name in sorted(names):
            if _hidden(name):
                continue
            place = Path(folder) / name
            try:
                large = place.stat().st_size > LARGEST
                yield (
                    Entry(str(inside / name), b"", "larger than 1 GiB")
                    if large
                    else Entry(str(inside / name), place.read_bytes())
                )
            except OSError as error:
                yield Entry(str(inside / name), b"", str(error.strerror))


def _tar(path: Path) -> Iterator[Entry]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            name = _inside(member.name, path)
            if member.issym() or member.islnk():
                target = member.linkname if member.islnk() else str(PurePosixPath(member.name).parent / member.linkname)
                _inside(target, path)
                yield Entry(name, b"", "a link")
            elif member.isdir():
                yield Entry(name, None)
            elif not member.isfile():
                yield Entry(name, b"", "neither a file nor a folder")
            elif member.size > LARGEST:
                yield Entry(name, b"", "larger than 1 GiB")
            else:
                handle = archive.extractfile(member)
                yield Entry(name, handle.read() if handle else b"")
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise where an archive ends before its end mark: tarfile takes a damaged header in the midst for the end."""
    stream: Any = archive.fileobj
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.TarError(f"no header at byte {archive.offset:,}")
    while stream.read(1 << 20):  # to where a packed archive has its checksum
        pass


def _zip(path: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = _inside(member.filename, path)
            if member.is_dir():
                yield Entry(name, None)
            elif member.file_size > LARGEST:
                yield Entry(name, b"", "larger than 1 GiB")
            else:
                yield Entry(name, archive.read(member))


def _inside(name: str, path: Path) -> str:
    """Return the path of a member, in its simplest form.

    Raises
    ------
    LyristError
        It leads out of the archive.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    parts: list[str] = []
    for part in pure.parts:
        if part == ".." and parts:
            parts.pop()
        elif part == ".." or part == "/" or (not parts and len(part) == 2 and part[1] == ":"):
            raise LyristError(
                f"{path} holds the path '{name}', which leads out of the archive; it is not opened: get it from a source "
                "that you trust."
            )
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _hidden(name: str) -> bool:
    """Return whether this is what a system leaves beside pictures: .DS_Store, __MACOSX, Thumbs.db."""
    parts = name.split("/")
    if any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts):
        return True
    return parts[-1].lower() in ("thumbs.db", "desktop.ini")
