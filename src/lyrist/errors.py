"""The errors that users see: one sentence that says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LyristError(Exception):
    """A failure that the user can mend; the command line prints it as one sentence and exits with 1."""

    exit_code = 1


class UsageError(LyristError):
    """A command that cannot be meant as it was given; exit code 2."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name closest to ``name``, or an empty string."""
    match = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among the known ones, with the nearest and all of them."""
    names = list(known)
    listed = ", ".join(names[:40]) + (f", and {len(names) - 40} more" if len(names) > 40 else "")
    return UsageError(f"There is no {kind} '{name}'.{nearest(name, names)} Known: {listed}.")
