"""How much is served at once and to whom no: the limits, and the errors of those who must wait, gave up, or took too long."""

from __future__ import annotations

from dataclasses import dataclass

from lyrist.errors import LyristError, UsageError

MEBIBYTE = 2**20

OPTIONS = {"seconds": "limit-seconds", "characters": "max-characters", "body": "max-bytes"}
"""What limits are called on the command line, where that is another name."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many are served at once; checked when made."""

    queue: int = 128
    """Requests that are inside at once, those that are being answered included; the next is told to come again."""
    batch: int = 32
    """Songs that a writer writes at once, and texts that a classifier labels at once."""
    seconds: float = 60.0
    """Seconds that a request may take, its wait included."""
    max_tokens: int = 2_048
    """Tokens of a song."""
    songs: int = 8
    """Songs for one prompt (``n``)."""
    texts: int = 64
    """Texts, prompts or pictures of a request."""
    explained: int = 8
    """Texts of a request that asks for the words that decided."""
    characters: int = 20_000
    """Characters of one text or prompt."""
    body: int = 4 * MEBIBYTE
    """Bytes of a request."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0 or value == float("inf"):
                option = OPTIONS.get(name, name.replace("_", "-"))
                raise UsageError(f"--{option} is {value:g}; it is a number above 0.")


class Busy(LyristError):  # noqa: N818 - what it says, not that something is wrong
    """Too many requests are inside."""

    def __init__(self, again: int) -> None:
        super().__init__(f"All places are taken; come again in {again} seconds.")
        self.again = again
        """Seconds after which a place may be free."""


class Closing(LyristError):  # noqa: N818
    """The server is shutting down and takes nothing new."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down; what it has begun is finished, and nothing new is taken.")


class Cancelled(LyristError):  # noqa: N818
    """Who asked has gone away."""

    def __init__(self) -> None:
        super().__init__("The request was given up by who made it.")


class TimedOut(LyristError):  # noqa: N818
    """A request took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"This took longer than the {seconds:g} seconds that a request may; ask for less, "
            "or start the server with a larger --limit-seconds."
        )
