"""The errors that users see. Each is one sentence: what is wrong, where, and what to do about it."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class LyristError(Exception):
    """A failure that the user can fix. The command line prints it as one sentence and exits with 1."""

    exit_code = 1


class UsageError(LyristError):
    """Wrong usage of a command or function; exit code 2."""

    exit_code = 2


class InputError(LyristError, ValueError):
    """Songs or labels that an estimator cannot use; scikit-learn expects a `ValueError` for them."""


def unreadable(*more: type[BaseException]) -> tuple[type[BaseException], ...]:
    """Return what polars raises for a damaged or missing file (its panics are no `Exception`), and more exceptions."""
    import polars as pl

    return pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, *more


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name closest to ``name``, or an empty string."""
    match = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among the known ones, with the nearest and all of them."""
    names = list(known)
    listed = ", ".join(names[:40]) + (f", and {len(names) - 40} more" if len(names) > 40 else "")
    return UsageError(f"There is no {kind} '{name}'.{nearest(name, names)} Known: {listed}.")


PARTS = {
    "accelerate": ("accelerate", "neural"),
    "docx": ("python-docx", "serve"),
    "fastapi": ("FastAPI", "serve"),
    "h11": ("h11", "serve"),
    "httpx": ("httpx", "neural"),
    "gguf": ("gguf", "smol"),
    "huggingface_hub": ("huggingface_hub", "hf"),
    "peft": ("PEFT", "lora"),
    "prometheus_client": ("prometheus_client", "serve"),
    "pydantic": ("Pydantic", "serve"),
    "pyppmd": ("pyppmd", "neural"),
    "python_calamine": ("python-calamine", "sheets"),
    "ray": ("Ray", "ray"),
    "starlette": ("Starlette", "serve"),
    "tokenizers": ("tokenizers", "neural"),
    "torch": ("PyTorch", "neural"),
    "transformers": ("transformers", "neural"),
    "uvicorn": ("uvicorn", "serve"),
}
"""The packages that the core works without: the name of the project, and the extra of Lyrist that installs it."""


@contextlib.contextmanager
def needed_by(what: str, otherwise: str = "") -> Iterator[None]:
    """Report an optional package that the block or the decorated function does not find.

    Parameters
    ----------
    what
        What needs the package, such as ``The recipe 'lstm'``; it begins the sentence.
    otherwise
        What can be done without the package; it ends the sentence.

    Raises
    ------
    LyristError
        One of `PARTS` is not installed; the message has the extra that installs it. Any other import error is raised as
        it is.
    """
    try:
        yield
    except ImportError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ModuleNotFoundError):
            cause = cause.__cause__
        package = str(getattr(cause, "name", None)).partition(".")[0]
        if package not in PARTS:
            raise
        project, extra = PARTS[package]
        raise LyristError(
            f'{what} needs {project}; install it with: pip install "lyrist[{extra}]"{otherwise}'
        ) from error
