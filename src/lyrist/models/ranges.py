"""The ranges of options: a name means the same in every recipe, so its range is declared once, here."""

from __future__ import annotations

import math
from typing import Any

from lyrist.errors import UsageError

_COUNTS = (
    "artist_size", "batch_size", "channels", "char_high", "char_low", "context", "embedding_size", "heads", "hidden", "high",
    "kernel", "kernels", "layers", "low", "max_features", "max_length", "max_words", "min_count", "min_df", "order",
    "segments", "size", "vocabulary", "width", "word_high",
)  # fmt: skip
_SHARES = ("artist_dropout", "dropout", "embedding_dropout", "label_smoothing", "word_dropout")

_AT_LEAST = dict.fromkeys(_COUNTS, 1) | dict.fromkeys((*_SHARES, "balance", "power", "prior"), 0) | {"folds": 2}
_ABOVE = ("c", "epochs", "learning_rate", "smoothing")
_AT_MOST = {"balance": 1, "prior": 1}


def check(field: str, value: Any, where: str) -> None:
    """Raise where a number, or one of several, makes no sense for an option.

    Parameters
    ----------
    field
        The option's name, with underscores.
    value
        What it is to be; anything but numbers is let through.
    where
        Names the option in the error.

    Raises
    ------
    UsageError
        The number is out of range, or not finite.
    """
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if not math.isfinite(number):
            raise UsageError(f"{where} is {number}, which is not a finite number.")
        if field in _ABOVE and number <= 0:
            raise UsageError(f"{where} must be more than 0, got {number}.")
        if number < _AT_LEAST.get(field, -math.inf):
            raise UsageError(f"{where} must be at least {_AT_LEAST[field]}, got {number}.")
        if field in _SHARES and number >= 1:
            raise UsageError(f"{where} must be a share, at least 0 and less than 1, got {number}.")
        if number > _AT_MOST.get(field, math.inf):
            raise UsageError(f"{where} must be at most {_AT_MOST[field]}, got {number}.")
