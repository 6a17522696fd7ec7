"""An Azure storage account as the environment describes it: one connection string, or a variable for each part.

The variables are those of Azure's own command line and libraries; the keys of a connection string likewise.
"""

from __future__ import annotations

import base64
import os
from typing import Any
from urllib.parse import urlencode

from pyarrow import fs

from lyrist.corpus.reading.addresses import LostError

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"


def credentials(host: str) -> dict[str, str]:
    """Return what is known of an account: ``AccountName``, and ``AccountKey``, ``SharedAccessSignature``, ``BlobEndpoint``.

    Parameters
    ----------
    host
        ``ACCOUNT.dfs.core.windows.net`` where the address has it, else empty.

    Raises
    ------
    LyristError
        Nothing names the account, or its key or the connection string is none.
    """
    name, _, suffix = host.partition(".")
    found = _connection(os.environ.get(CONNECTION, ""))
    if name and found.get("AccountName") != name:
        found = {"AccountName": name}
    for key, variables in {
        "AccountName": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"),
        "AccountKey": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"),
        "SharedAccessSignature": ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
    }.items():
        given = next(filter(None, map(os.environ.get, variables)), None)
        if given and key not in found:
            found[key] = given
    try:
        base64.b64decode(found.get("AccountKey", ""), validate=True)
    except ValueError:
        raise LostError(
            "The key of the storage account is not base64; copy it anew from the account's access keys."
        ) from None
    if "AccountName" not in found:
        raise LostError("Set AZURE_STORAGE_ACCOUNT_NAME to the storage account that holds the container.")
    if suffix:
        found.setdefault("BlobEndpoint", f"https://{name}.{suffix.replace('dfs.', 'blob.', 1)}")
    return found


def filesystem(known: dict[str, str], container: str, *, anonymous: bool) -> Any:
    """Return Arrow's file system of an account, with the credentials that are known or with none."""
    name = known["AccountName"]
    scheme, authority = _authority(known.get("BlobEndpoint", ""), name)
    hosts = {}
    if authority:
        hosts = {"blob_storage_authority": authority, "dfs_storage_authority": authority.replace(".blob.", ".dfs.", 1)}
    if anonymous:  # only an address can say that
        named = not authority or authority.startswith(".")  # the account's name leads the host
        place = f"{container}@{name}.blob.core.windows.net" if named else f"{name}@{authority}/{container}"
        asked = {"credential_kind": "anonymous", "enable_tls": str(scheme == "https").lower()}
        return fs.FileSystem.from_uri(f"abfs://{place}?{urlencode(asked | (hosts if named else {}))}")[0]
    options = {**hosts, "blob_storage_scheme": scheme, "dfs_storage_scheme": scheme}
    if key := known.get("AccountKey"):
        options["account_key"] = key
    elif token := known.get("SharedAccessSignature"):
        options["sas_token"] = f"?{token.removeprefix('?')}"  # Arrow sets it right behind the account's address
    return fs.AzureFileSystem(name, **options)


def _connection(text: str) -> dict[str, str]:
    """Return the parts of a connection string, ``Key=value;Key=value``."""
    parts = [part.partition("=") for part in text.strip().strip(";").split(";") if part.strip()]
    found = {key.strip(): value for key, equals, value in parts if equals}
    if len(found) != len(parts) or (parts and not found.get("AccountName")):
        raise LostError(f"{CONNECTION} is no connection string; copy it anew from the account's access keys.")
    if "EndpointSuffix" in found:
        scheme = found.get("DefaultEndpointsProtocol", "https")
        found.setdefault("BlobEndpoint", f"{scheme}://{found['AccountName']}.blob.{found['EndpointSuffix']}")
    return {key: value for key, value in found.items() if value}


def _authority(endpoint: str, name: str) -> tuple[str, str]:
    """Return the scheme of an endpoint and the host as Arrow wants it: from the first dot where the account leads it."""
    scheme, _, rest = endpoint.rpartition("://")
    host = rest.partition("/")[0]
    return scheme or "https", host.removeprefix(name) if host.startswith(f"{name}.") else host
