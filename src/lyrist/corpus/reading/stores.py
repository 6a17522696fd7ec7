"""Object stores and the Hugging Face hub, through Arrow's file systems: what they hold, and what they say in a sentence.

Credentials come from the environment: ``AWS_*``, ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_*``, ``HF_TOKEN``.
Where there are none, a store is asked without, and only when that is refused with those that the machine itself has.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from lyrist.corpus.reading import azure
from lyrist.corpus.reading.addresses import CREDENTIALS, Address, LostError, is_table

FAILURES = (OSError, ValueError, pa.ArrowException)
"""What Arrow's file systems raise."""

_PATTERN = re.compile(r"[*?\[]")
_SAYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY,",
    "hf": "HF_TOKEN",
}
_KIND = {"gcs": "gs", "abfs": "az", "abfss": "az"}
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip

_DENIED = re.compile(
    r"(?:ACCESS|PERMISSION)_DENIED|UNAUTHENTICATED|INVALID_ACCESS_KEY|SIGNATURE|\b40[13]\b|Forbidden|Unauthorized|credential",
    re.I,
)
_ABSENT = re.compile(r"NO_SUCH|RESOURCE_NOT_FOUND|Path does not exist|\b404\b|NotFound", re.IGNORECASE)
_UNREACHED = re.compile(r"NETWORK_CONNECTION|resolve|connect|refused|timed? ?out|unreachable|DNS", re.IGNORECASE)


class Object:
    """A file in a store."""

    seekable = True

    def __init__(self, address: Address, ahead: int) -> None:
        self.ahead = ahead
        self._files, self._path = filesystem(address)
        info = self._files.get_file_info(self._path)
        if info.type != fs.FileType.File:
            raise absent(address, self._files, self._path)
        self.size: int | None = info.size

    def at(self, position: int) -> Any:
        """Return the file, ready to be read from there."""
        file = self._files.open_input_file(self._path)
        file.seek(position)
        return file

    def close(self) -> None:
        """Do nothing: looking opened nothing."""


def kind_of(address: Address) -> str:
    """Return ``s3``, ``gs``, ``az`` or ``hf``."""
    return _KIND.get(address.scheme, address.scheme)


def filesystem(address: Address) -> tuple[Any, str]:
    """Return Arrow's file system for an address, and the path in it.

    Raises
    ------
    LyristError
        The address holds credentials, or a variable that it needs is not set.
    """
    place = address.real.partition("://")[2]
    if CREDENTIALS.match(place):
        raise LostError(f"{address}: credentials do not belong into an address; set {_SAYS[kind_of(address)]} instead.")
    made = {"s3": _s3, "gs": _gs, "az": _az, "hf": _hf}[kind_of(address)]
    return made(place.rstrip("/"))


def _s3(path: str) -> tuple[Any, str]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    scheme, _, host = (endpoint or "").rpartition("://")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        region = fs.resolve_s3_region(path.partition("/")[0])
    options: dict[str, Any] = {"region": region or "us-east-1", "connect_timeout": 20, "request_timeout": 60}
    if endpoint:
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    known = any(os.environ.get(name) for name in _AWS) or Path("~/.aws").expanduser().exists()
    return _opened(lambda anonymous: fs.S3FileSystem(anonymous=anonymous, **options), path, known=known), path


def _gs(path: str) -> tuple[Any, str]:
    given = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if given and not Path(given).is_file():
        raise LostError(
            f"GOOGLE_APPLICATION_CREDENTIALS names {given}, which is no file; set it to a file of credentials."
        )
    known = bool(given) or Path("~/.config/gcloud/application_default_credentials.json").expanduser().exists()
    endpoint = (
        os.environ.get("STORAGE_EMULATOR_HOST") or os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE") or ""
    )
    scheme, _, host = endpoint.rpartition("://")
    place = {"endpoint_override": host.rstrip("/"), "scheme": scheme or "http"} if host else {}
    known &= "STORAGE_EMULATOR_HOST" not in os.environ  # it asks for none, and is not to be given any

    def made(anonymous: bool) -> Any:
        limit = timedelta(seconds=60 if anonymous or known else 5)  # a machine without a role looks for one as long
        return fs.GcsFileSystem(anonymous=anonymous, retry_time_limit=limit, **place)

    return _opened(made, path, known=known), path


def _az(path: str) -> tuple[Any, str]:
    container, slash, rest = path.partition("/")
    container, _, host = container.partition("@")
    known = azure.credentials(host)
    path = f"{container}{slash}{rest}"
    has = "AccountKey" in known or "SharedAccessSignature" in known
    return _opened(lambda anonymous: azure.filesystem(known, container, anonymous=anonymous), path, known=has), path


def _opened(made: Callable[[bool], Any], path: str, *, known: bool) -> Any:
    """Return the file system with the credentials that are known; without, if it lets everybody read; or the machine's own.

    Parameters
    ----------
    made
        Opens it, with True for anonymously.
    known
        Whether the environment has credentials.
    """
    if known:
        return made(False)
    unsigned = made(True)
    try:
        unsigned.get_file_info(path)
    except FAILURES as error:
        if not _DENIED.search(str(error)):
            raise
        with contextlib.suppress(*FAILURES):  # the machine itself may have a role that opens it
            own = made(False)
            own.get_file_info(path)
            return own
        raise
    return unsigned


def _hf(path: str) -> tuple[Any, str]:
    from huggingface_hub import HfFileSystem

    files = HfFileSystem(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN"))
    return fs.PyFileSystem(fs.FSSpecHandler(files)), path


def listed(address: Address) -> Iterator[tuple[str, bool]]:
    """Yield the files that an address stands for, as `lyrist.corpus.reading.remote.expanded` does."""
    files, path = filesystem(address)
    start = address.real[: -len(path)] if path and address.real.endswith(path) else f"{address.scheme}://"
    if not _PATTERN.search(path):
        info = files.get_file_info(path)
        if info.type == fs.FileType.File:
            yield Address(address.real), False
            return
        if info.type == fs.FileType.NotFound:
            raise absent(address, files, path)
    base = path if not _PATTERN.search(path) else _PATTERN.split(path)[0].rpartition("/")[0]
    if not base:
        raise LostError(f"{address}: a pattern cannot stand for the bucket itself; name it.")
    found = sorted(
        info.path
        for info in files.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        if info.type == fs.FileType.File
    )
    if base == path:
        if f"{path}/corpus.json" in found:
            found = [file for file in found if file.startswith(f"{path}/songs/")]
        inside = [file[len(base) :] for file in found]
        found = [
            base + part
            for part in inside
            if (is_table(part) or part.casefold().endswith(".zip")) and "/." not in part and "/__MACOSX" not in part
        ]
        if not found:
            raise LostError(f"The folder {address} holds no table; name its files, or copy it here.")
    else:
        matches = re.compile(_expression(path))
        found = [file for file in found if matches.fullmatch(file)]
        if not found:
            raise LostError(f"No file matches {address}; check the pattern and the bucket.")
    yield from ((Address(start + file), base == path) for file in found)


def _expression(pattern: str) -> str:
    """Return the regular expression for a pattern with ``*``, ``?``, ``[...]`` and ``**/``."""
    parts = {"**/": r"(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(
        parts.get(part, part.replace("[!", "[^") if part.startswith("[") and part.endswith("]") else re.escape(part))
        for part in found
    )


def absent(address: Address, files: Any, path: str) -> LostError:
    """Return the error for a file that is not there, or for a bucket that is not."""
    bucket = path.partition("/")[0]
    if kind_of(address) != "hf" and files.get_file_info(bucket).type == fs.FileType.NotFound:
        word = "container" if kind_of(address) == "az" else "bucket"
        return LostError(f"There is no {word} '{bucket}' for {address}; check its name, region and endpoint.")
    return LostError(f"There is no {address}; check the address.")


def is_final(error: BaseException) -> bool:
    """Return whether it is no use to try again."""
    said = str(error)
    return bool(_DENIED.search(said) or _ABSENT.search(said)) and not _UNREACHED.search(said)


def sentence(address: Address, error: BaseException) -> LostError:
    """Return what a store said as one sentence."""
    said = str(error)
    if _UNREACHED.search(said) and not _DENIED.search(said):
        return LostError(f"{address} cannot be reached ({short(error)}); check the address and the network.")
    if _DENIED.search(said):
        return LostError(
            f"No permission to read {address}; set {_SAYS.get(kind_of(address), 'its credentials')} to those of one who may."
        )
    if _ABSENT.search(said):
        return LostError(f"There is no {address}; check the address.")
    return LostError(f"{address} cannot be read: {short(error)}.")


def short(error: BaseException) -> str:
    """Return the first words of what went wrong, without any address that may hold a secret."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"https?://\S+", "…", text)
    found = re.search(r"AWS Error (\w+)", text)
    if found:
        return found[1].replace("_", " ").lower()
    found = re.search(r"Azure Error: \[\w*\] (.+)|with a last message of (.+?)(?: error_info=|$)", text)
    text = (found[1] or found[2]) if found else text
    return text if len(text) <= 120 else text[:119] + "…"
