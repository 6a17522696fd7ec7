"""What clients send, looked at before anything is computed: how much, how long, and whether it is text at all."""

from __future__ import annotations

from lyrist.errors import UsageError


def check_count(what: str, count: int, most: int) -> None:
    """Raise a `UsageError` where there are none or too many of something."""
    if not 1 <= count <= most:
        raise UsageError(f"{what} is {count:,}; this server takes from 1 to {most:,}.")


def check_text(what: str, text: str, most: int) -> None:
    """Raise a `UsageError` where a text is too long, or holds what no text can hold."""
    if len(text) > most:
        raise UsageError(f"{what} has {len(text):,} characters; this server takes {most:,} at most.")
    if "\x00" in text:
        raise UsageError(f"{what} holds a NUL character, which no text does; leave it out.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} holds half of a surrogate pair (character {error.start + 1:,}), which is no text; send whole characters."
        ) from None
