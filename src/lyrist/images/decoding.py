"""Decoding of picture files to square byte arrays, and reading of archives in memory.

Nothing is unpacked to the disk. An archive with a member path that leads outside of it is refused.
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
"""Larger pictures are not decoded: a small file can declare any size."""

PAPER = (255, 255, 255)
"""Background of transparent pictures."""


class UndecodableError(ValueError):
    """A file cannot be decoded as a picture; the message says why."""


def decode(data: bytes, side: int) -> NDArray[np.uint8]:
    """Return the picture in ``data`` as (side, side, 3) bytes, red, green, blue.

    It is rotated by its EXIF orientation, composed on white if it is transparent, cropped to the central square and resized.
    Grey, palette, CMYK and 16-bit pictures are converted to RGB.

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
            picture.draft(
                "RGB", (2 * side, 2 * side)
            )  # a JPEG can be decoded at a half, a quarter or an eighth of its size
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
    """Return a picture of 16-bit or float values scaled to bytes."""
    values = np.asarray(picture, dtype=np.float64)
    top = 65535.0 if values.max(initial=0) > 255 else 255.0 if values.max(initial=0) > 1 else 1.0
    return Image.fromarray(np.clip(values / top * 255, 0, 255).round().astype(np.uint8)).convert("RGB")


@contextlib.contextmanager
def careful() -> Iterator[None]:
    """Turn Pillow's warning about decompression bombs into an error, and ignore its other warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


LARGEST = 1 << 30
"""Largest size of one file in bytes."""

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A file, or a folder (``data`` is None)."""

    name: str
    """Its path inside the archive or the folder, separated by ``/``."""
    data: bytes | None
    reason: str = ""
    """Why it could not be read; empty if it could."""


def entries(path: Path) -> Iterator[Entry]:
    """Yield every file and folder in ``path`` except hidden ones, in the order of names or of the archive.

    Raises
    ------
    LyristError
        It does not exist, is not an archive, is damaged, or a member path leads outside of it.
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
            if entry.name and not _hidden(entry.name):  # the root of an archive, './', has no name
                yield entry
    except tarfile.ReadError as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # the rest lists all formats that were tried
        raise LyristError(
            f"{path} cannot be read as an archive ({reason}); use a folder, a .tar, a .tar.gz or a .zip."
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
    """Raise an error if an archive has no end mark: tarfile treats a damaged header as the end."""
    stream: Any = archive.fileobj
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.TarError(f"no header at byte {archive.offset:,}")
    while stream.read(1 << 20):  # read to the end, where a compressed archive has its checksum
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
    """Return the normalised path of a member.

    Raises
    ------
    LyristError
        It leads outside of the archive.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    parts: list[str] = []
    for part in pure.parts:
        if part == ".." and parts:
            parts.pop()
        elif part == ".." or part == "/" or (not parts and len(part) == 2 and part[1] == ":"):
            raise LyristError(
                f"{path} contains the path '{name}', which leads outside of the archive; it is not opened: download it from "
                "a source that you trust."
            )
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _hidden(name: str) -> bool:
    """Return whether this is a system file: .DS_Store, __MACOSX, Thumbs.db and the like."""
    parts = name.split("/")
    if any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts):
        return True
    return parts[-1].lower() in ("thumbs.db", "desktop.ini")
