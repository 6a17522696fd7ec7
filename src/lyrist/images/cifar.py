"""Readers of published data sets, CIFAR-10, CIFAR-100 and IDX (Fashion-MNIST), that execute no code of the files.

The files of CIFAR are pickles. The three names that a pickled array refers to are replaced by classes of this module, which
record the content; the array is created by `numpy.frombuffer` after checks. Any other name is an error, and so is an instruction
that would set attributes. The instructions are checked against a list first, as the unpickler reserves as much memory as a file
claims to need. Checksums are verified if a file has the published name.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import pickle
import pickletools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError

KINDS = "uifb"
"""Kinds of dtypes that are allowed: integers, floats and booleans, never objects."""


class _Kind:
    """The dtype of an array in a file."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = _text(code), "|"

    def __setstate__(self, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) < 2:
            raise ValueError("an invalid data type")
        self.order = {"": "|", "=": "|"}.get(_text(value[1]), _text(value[1]))

    def real(self) -> np.dtype[Any]:
        kind = np.dtype(("" if self.order == "|" else self.order) + self.code)
        if kind.kind not in KINDS:
            raise _Refused(f"an array of {kind.name}")
        return kind


class _Array:
    """An array in a file."""

    found: NDArray[Any] | None = None

    def __setstate__(self, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != 5:
            raise ValueError("an invalid array")
        _, shape, kind, fortran, raw = value
        self.fill(raw, kind, shape, "F" if fortran else "C")

    def fill(self, raw: Any, kind: Any, shape: Any, order: Any) -> None:
        if not isinstance(kind, _Kind):
            raise TypeError("an array without a data type")
        real, shape = kind.real(), tuple(int(side) for side in shape)
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        if min(shape, default=1) < 0 or math.prod(shape) * real.itemsize != len(data):
            raise ValueError(f"an array of shape {shape} in {len(data)} bytes")
        self.found = np.frombuffer(data, dtype=real).reshape(shape, order="F" if _text(order) == "F" else "C")


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """The file contains something that is not part of an array."""


class _Replacement:
    """A function that a file may call instead of one of NumPy's; unlike a plain function it has no attributes to set."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, value: Any) -> None:
        raise _Refused("a state of something that is not an array")


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.fill(raw, kind, shape, order)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Replace ``codecs.encode``, with which Python 3 writes bytes for Python 2."""
    if _text(encoding) != "latin1":
        raise _Refused(f"the encoding {encoding!r}")
    return str(text).encode("latin1")


ALLOWED = {
    ("numpy", "ndarray"): _Replacement(lambda *_: _Array()),
    ("numpy", "dtype"): _Replacement(_Kind),
    ("_codecs", "encode"): _Replacement(_encode),
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Replacement(lambda *_: _Array()) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Replacement(_from_buffer) for core in ("core", "_core")},
}
"""The names that a file may contain, and the replacement of each."""


OPCODES = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE "
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD"
)
"""The instructions that write dictionaries, lists, texts, numbers and arrays."""


class _Reader(pickle.Unpickler):
    """The unpickler, restricted to arrays."""

    def find_class(self, module: str, name: str) -> Any:
        found = ALLOWED.get((_text(module), _text(name)))
        if found is None:
            raise _Refused(f"{_text(module)}.{_text(name)}")
        return found


def _check_instructions(data: bytes) -> None:
    """Raise an error if the file has an instruction that no array needs, or a number in its table that is out of range."""
    allowed = frozenset(OPCODES.split())
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in allowed:
            raise _Refused(f"the instruction {opcode.name}")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument is not None and not 0 <= argument <= count:
            raise ValueError(f"entry {argument} in a table of {count}")


def read_arrays(data: bytes, name: str) -> dict[str, Any]:
    """Return the dictionary in the pickle ``data``; its values are lists, texts, numbers and arrays.

    Parameters
    ----------
    data
        The file's bytes.
    name
        The name of the file, for error messages.

    Raises
    ------
    LyristError
        It contains something else (which is not executed), or is damaged.
    """
    try:
        _check_instructions(data)
        found = _Reader(io.BytesIO(data), encoding="bytes").load()
        if isinstance(found, dict):
            return {_text(key): _plain(value) for key, value in found.items()}
    except _Refused as refused:
        raise LyristError(
            f"{name} contains {refused}, which is not part of an array of pictures; the file is not opened, because it could "
            "execute code."
        ) from None
    except RecursionError:
        raise LyristError(f"{name} is damaged (nested too deeply); download it again.") from None
    except Exception as error:  # a damaged file can fail in any way
        reason = str(error).strip() or type(error).__name__
        raise LyristError(f"{name} is damaged ({reason}); download it again.") from None
    raise LyristError(f"{name} contains {type(found).__name__} instead of a dictionary; it is not a file of CIFAR.")


def _plain(value: Any, inside: bool = False) -> Any:
    """Return a value of the dictionary: an array, a list of texts or numbers, a text or a number; nothing nested deeper."""
    if isinstance(value, _Array):
        return value.found
    if isinstance(value, list | tuple):
        if inside:
            raise ValueError("a list inside a list")
        return [_plain(item, inside=True) for item in value]
    return value


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


ARCHIVES = {
    "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
}
"""MD5 of the archives as published."""

UNPACKED = {
    "cifar-100-python": {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    },
}
"""MD5 of the files in the folder of that name."""

CHECKED = "MD5 as published"

CIFAR_100 = {"train", "test", "meta"}
CIFAR_10 = {*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"}
IDX = {f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")}
FASHION = (
    "T-shirt or top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

Bytes = Mapping[str, bytes]
"""The files of a data set by name, without folder and without ``.gz``."""


@dataclass(frozen=True)
class StoredSet:
    """A data set as stored."""

    form: str
    """``cifar-100``, ``cifar-10`` or ``idx``."""
    pixels: NDArray[np.uint8]
    """(n, height, width, 3)."""
    labels: NDArray[np.int64]
    """(n,)."""
    given: NDArray[np.int8]
    """(n,): 0 in the training part, 2 in the test part."""
    classes: tuple[str, ...]
    names: tuple[str, ...]


def wanted(name: str) -> str:
    """Return the published name of a file at the path ``name``, or an empty string if it is none."""
    base = name.rpartition("/")[2]
    base = base.removesuffix(".gz") if base.removesuffix(".gz") in IDX else base
    return base if base in CIFAR_100 | CIFAR_10 | IDX else ""


def check_archive(path: Path) -> str:
    """Return a note on the origin of an archive; empty if its name is not a published one.

    Raises
    ------
    LyristError
        It has the name, but not the checksum, of a published archive.
    """
    if path.name not in ARCHIVES or not path.is_file():
        return ""
    with path.open("rb") as handle:
        _compare(path, ARCHIVES[path.name], hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)))
    return CHECKED


def check_folder(path: Path, files: Bytes, form: str) -> str:
    """Return a note on the origin of the unpacked files of a data set.

    Raises
    ------
    LyristError
        The folder and a file have published names, but not the published checksum.
    """
    sums = UNPACKED.get(path.name, {}) if path.is_dir() else {}
    for name, published in sums.items():
        _compare(path / name, published, hashlib.md5(files[name], usedforsecurity=False))
    return CHECKED if sums else f"an own data set in the format of {form}: no published checksum to verify"


def _compare(place: Path, published: str, digest: Any) -> None:
    found = digest.hexdigest()
    if found != published:
        raise LyristError(
            f"{place} has the MD5 {found}, not {published} as published: it is damaged or another data set; download it again, "
            "or rename your own data set."
        )


def read_published(files: Bytes, path: Path) -> StoredSet | None:
    """Return the data set in these files, or None if it has no known format.

    Raises
    ------
    LyristError
        A file is missing, damaged, unsafe or does not match the others.
    """
    for form, names, reader in (
        ("cifar-100", CIFAR_100, _cifar_100),
        ("cifar-10", CIFAR_10, _cifar_10),
        ("idx", IDX, _idx),
    ):
        there = names & files.keys()
        if not there:
            continue
        missing = sorted(names - there)
        if missing:
            raise LyristError(
                f"{path} is not a complete data set of the format {form}: the file {missing[0]} is missing; download it again."
            )
        pixels, labels, given, classes, names_ = reader(files, path)
        if not len(labels) or labels.min() < 0 or labels.max() >= len(classes):
            raise LyristError(f"{path} has labels outside its {len(classes)} class names; download it again.")
        return StoredSet(form, pixels, labels, given, classes, tuple(names_))
    return None


_Parts = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int8], tuple[str, ...], list[str]]


def _cifar_100(files: Bytes, path: Path) -> _Parts:
    parts = [_batch(files, name, path, "fine_labels") for name in ("train", "test")]
    return *_joined(parts, ["train", "test"]), _classes(files, "meta", path, "fine_label_names"), _names(parts)


def _cifar_10(files: Bytes, path: Path) -> _Parts:
    order = sorted(CIFAR_10 - {"batches.meta"})
    parts = [_batch(files, name, path, "labels") for name in order]
    return *_joined(parts, order), _classes(files, "batches.meta", path, "label_names"), _names(parts)


_Batch = tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]


def _batch(files: Bytes, name: str, path: Path, key: str) -> _Batch:
    """Return the pictures of one pickle, their labels and names."""
    table = read_arrays(files[name], f"{path} ({name})")
    data, labels = table.get("data"), table.get(key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise LyristError(f"{path} ({name}) has no array 'data' of 3,072 bytes per picture; it is not a file of CIFAR.")
    if not isinstance(labels, list | np.ndarray) or len(labels) != len(data):
        raise LyristError(
            f"{path} ({name}) does not have a label in '{key}' for each of its {len(data):,} pictures; download it again."
        )
    try:
        numbers = np.asarray(labels, dtype=np.int64)
    except (TypeError, ValueError):
        raise LyristError(f"{path} ({name}) has labels that are not whole numbers; download it again.") from None
    said = table.get("filenames")
    names = [_decoded_text(item) for item in said] if isinstance(said, list) and len(said) == len(data) else []
    names = names or [f"{name}-{number:05d}" for number in range(len(data))]
    pictures = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return pictures, numbers, [f"{'test' if name.startswith('test') else 'train'}/{one}" for one in names]


def _joined(parts: list[_Batch], names: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int8]]:
    given = [
        np.full(len(part[1]), 2 if n.startswith("test") else 0, np.int8) for part, n in zip(parts, names, strict=True)
    ]
    pixels = np.ascontiguousarray(np.concatenate([part[0] for part in parts]))
    return pixels, np.concatenate([part[1] for part in parts]), np.concatenate(given)


def _names(parts: list[_Batch]) -> list[str]:
    return [name for part in parts for name in part[2]]


def _classes(files: Bytes, name: str, path: Path, key: str) -> tuple[str, ...]:
    found = read_arrays(files[name], f"{path} ({name})").get(key)
    if not isinstance(found, list) or not all(isinstance(item, str | bytes) for item in found):
        raise LyristError(f"{path} ({name}) has no list of class names in '{key}'; it is not a file of CIFAR.")
    return tuple(_decoded_text(item) for item in found)


def _idx(files: Bytes, path: Path) -> _Parts:
    pictures, labels, given, names = [], [], [], []
    for split, part in ((0, "train"), (2, "t10k")):
        x = _idx_array(files[f"{part}-images-idx3-ubyte"], path, 3)
        y = _idx_array(files[f"{part}-labels-idx1-ubyte"], path, 1)
        if len(x) != len(y):
            raise LyristError(
                f"{path} has {len(x):,} pictures but {len(y):,} labels in its part {part}; download it again."
            )
        pictures.append(np.repeat(x[..., None], 3, axis=3))
        labels.append(y.astype(np.int64))
        given.append(np.full(len(y), split, np.int8))
        names += [f"{'test' if split else 'train'}/{number:05d}" for number in range(len(y))]
    target = np.concatenate(labels)
    count = int(target.max(initial=0)) + 1
    classes = FASHION if count == len(FASHION) and "fashion" in str(path).lower() else tuple(map(str, range(count)))
    return np.concatenate(pictures), target, np.concatenate(given), classes, names


def _idx_array(data: bytes, path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array of an IDX file: two zeros, the type (8: bytes), the number of dimensions, the shape, the items."""
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        if data[:4] != bytes([0, 0, 8, dimensions]):
            raise ValueError("the header is wrong")
        shape = np.frombuffer(data, ">u4", dimensions, 4).astype(np.int64)
        items: NDArray[np.uint8] = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
        return items
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise LyristError(f"An IDX file in {path} is damaged ({error}); download it again.") from None


def _decoded_text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
