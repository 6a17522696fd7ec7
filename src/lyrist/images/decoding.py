"""One picture file becomes a square of bytes: any size, any mode, or a reason why not."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

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
