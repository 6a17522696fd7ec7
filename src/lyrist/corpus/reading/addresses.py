"""Addresses of tables on the network, and what of them may be told.

What is unusual: an address is a text from which the secrets are gone (a password, a signature in the query), so that
whatever is printed, logged or saved of it cannot give them away. Only `Address.real` has them, for the one place that
opens the connection.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from lyrist.errors import LyristError

WEB = ("http", "https")
STORES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "hf")
_SCHEME = re.compile(rf"({'|'.join((*WEB, *STORES))})://", re.IGNORECASE)
CREDENTIALS = re.compile(r"[^/@]*:(?!\d+/).*@|[^/]*@(?![^/]*\.dfs\.)")
"""What stands before the host: to the last ``@``, since secret keys hold slashes. A container of Azure's stands there too."""
_HARMLESS = {"id", "table", "file", "filename", "name", "format", "version", "revision", "download", "path", "split"}
"""Parameters of a query whose values are told; any other may be a secret."""


TABLES = (".csv", ".tsv", ".tab", ".psv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
PACKED = ("", ".gz", ".zst", ".bz2", ".xz")


def is_table(name: str) -> bool:
    """Return whether a file name ends as those of tables do."""
    return name.casefold().endswith(tuple(ending + packed for ending in TABLES for packed in PACKED))


class LostError(LyristError):
    """A remote table that is not there, may not be read or cannot be reached: nothing is known of what is in it."""


class Address(str):
    """Where a remote table is, as it may be told; see `real`."""

    real: str
    """The same with its secrets."""

    def __new__(cls, given: str) -> Address:
        """Return the address that a user gave."""
        found = super().__new__(cls, told(given))
        found.real = given
        return found

    @property
    def scheme(self) -> str:
        """Return ``s3``, ``https`` ..., in lower case."""
        return self.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """Return the last part of the path: what the file is called."""
        last = self.partition("?")[0].rstrip("/").rpartition("/")[2]
        return (unquote(last) if self.scheme in WEB else last) or self.host

    @property
    def host(self) -> str:
        """Return the machine or the bucket."""
        return self.partition("://")[2].partition("/")[0]


def is_remote(given: str) -> bool:
    """Return whether a table is not on this machine's disks but at an address of a kind that is read."""
    return _SCHEME.match(given) is not None


def told(given: str) -> str:
    """Return an address without what may be secret: the name and password before ``@``, and values of the query.

    Text that is no address is returned as it is.
    """
    if not is_remote(given):
        return given
    scheme, _, rest = given.partition("://")
    rest = rest.partition("#")[0] if scheme.lower() in WEB else rest
    place, mark, query = rest.partition("?")
    if mark and ("=" not in query and scheme.lower() not in WEB):
        return f"{scheme}://{place}?{query}"  # a question mark in a pattern
    shown = f"{scheme}://{CREDENTIALS.sub('', place, count=1)}"
    if not query:
        return shown
    parts = [
        f"{name}={value if name.casefold() in _HARMLESS else '…'}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return f"{shown}?{'&'.join(parts)}"
