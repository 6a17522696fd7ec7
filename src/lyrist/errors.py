"""The errors that users see. Each is one sentence: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


class LyristError(Exception):
    """A failure that the user can fix. The command line prints it as one sentence and exits with 1."""

    exit_code = 1


class UsageError(LyristError):
    """Wrong usage of a command or function; exit code 2."""

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


_PROJECTS = {
    "PIL": "Pillow",
    "daft": "Daft",
    "pronouncing": "the package pronouncing",
    "ray": "Ray",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
}


def require(module: str, *, extra: str) -> Any:
    """Import an optional dependency.

    Parameters
    ----------
    module
        The module to import, such as ``torch``.
    extra
        The extra of Lyrist that installs it, such as ``neural``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    LyristError
        The package is not installed. The message names the extra. An import error inside an installed package is raised
        as it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise LyristError(f"This needs {_PROJECTS.get(package, package)}: pip install 'lyrist[{extra}]'.") from error
