"""Arrays out of a pickle, with no code run: what CIFAR's files need, and nothing that a hostile file could use.

What is unusual: not one function or class of numpy takes part. The three names that a pickled array refers to stand for
small stand-ins of our own, which note what the file says and are turned into an array by `numpy.frombuffer` after it was
checked. Any other name ends the reading, as does an instruction that would set attributes of anything else. The reader
is Python's own interpreter of the format in Python: the one in C can be made to take any amount of memory.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lyrist.errors import LyristError

KINDS = "uifb"
"""What an array may hold: whole numbers, fractions, truth values. Never objects."""


class _Kind:
    """What a file says about the items of an array."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = _text(code), "|"

    def state(self, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) < 2:
            raise ValueError("a data type that is none")
        self.order = {"": "|", "=": "|"}.get(_text(value[1]), _text(value[1]))

    def real(self) -> np.dtype[Any]:
        kind = np.dtype(("" if self.order == "|" else self.order) + self.code)
        if kind.kind not in KINDS:
            raise _Refused(f"an array of {kind.name}")
        return kind


class _Array:
    """What a file says about an array."""

    found: NDArray[Any] | None = None

    def state(self, value: Any) -> None:
        if not isinstance(value, tuple) or len(value) != 5:
            raise ValueError("an array that is none")
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
    """The file names something that is no part of an array."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.fill(raw, kind, shape, order)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stand in for ``codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if _text(encoding) != "latin1":
        raise _Refused(f"the encoding {encoding!r}")
    return str(text).encode("latin1")


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}
"""The names that a file may hold, and what stands in for each."""


class _Reader(pickle._Unpickler):
    """Python's own interpreter of pickles, with no way out."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        found = ALLOWED.get((_text(module), _text(name)))
        if found is None:
            raise _Refused(f"{_text(module)}.{_text(name)}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an object outside the file")

    def load_build(self) -> None:
        """Hand a state to one of the stand-ins; nothing else has one."""
        value = self.stack.pop()  # type: ignore[attr-defined]
        what = self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(what, _Array | _Kind):
            raise _Refused("a state for something that is no array")
        what.state(value)

    dispatch[pickle.BUILD[0]] = load_build


def read_arrays(data: bytes, name: str) -> dict[str, Any]:
    """Return the table that the pickle ``data`` holds: keys, and lists, texts, numbers and arrays as values.

    Parameters
    ----------
    data
        The file's bytes.
    name
        What the file is called in errors.

    Raises
    ------
    LyristError
        It holds anything but such a table (nothing of it is run), or is damaged.
    """
    try:
        found = _Reader(io.BytesIO(data), encoding="bytes").load()
    except _Refused as refused:
        raise LyristError(
            f"{name} holds {refused}, which is no part of an array of pictures; it is not opened, since opening it could run "
            "someone else's code."
        ) from None
    except RecursionError:
        raise LyristError(f"{name} is damaged (nested too deeply); download it again.") from None
    except Exception as error:  # a damaged file can fail in any way
        reason = str(error).strip() or type(error).__name__
        raise LyristError(f"{name} is damaged ({reason}); download it again.") from None
    if not isinstance(found, dict):
        raise LyristError(
            f"{name} holds no table of pictures but {type(found).__name__}; it is not one of CIFAR's files."
        )
    return {_text(key): _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.found
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
