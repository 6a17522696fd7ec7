"""Google's and Azure's stores, each by its emulator: read like the disk, with credentials, with a token, or anonymously."""

import base64
import gzip
import hashlib
import hmac
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import pytest
from servers import Shelf, free_port, running, served
from test_remote import TABLES, calm, described, refused  # noqa: F401 - `calm` is for every test here

from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import find_sources

NAME, KEY = "songs0account", base64.b64encode(b"the key of a test").decode()
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Store:
    """A bucket of an emulator."""

    root: str
    put: Callable[[str, bytes], None]


@pytest.fixture(scope="session")
def google() -> Iterator[str]:
    """Return the address of an emulator of Google's store with a bucket, ``songs``.

    It is a process of its own since Arrow keeps Python's lock while it opens a file of that store.
    """
    port, program = free_port(), str(Path(sys.executable).with_name("gcp-storage-emulator"))
    options = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=songs"]
    with running(program, *options, port=port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def azure() -> Iterator[str]:
    """Return the address of Azurite with an account."""
    program = shutil.which("azurite-blob", path=f"{os.environ['PATH']}:{ROOT / 'build/azurite/node_modules/.bin'}")
    if not program:
        pytest.skip("Azurite is not installed: npm install --prefix build/azurite azurite")
    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    options += ["--skipApiVersionCheck", "--disableTelemetry"]
    with running(program, *options, port=port, AZURITE_ACCOUNTS=f"{NAME}:{KEY}"):
        yield f"http://127.0.0.1:{port}/{NAME}"


def send(method: str, address: str, data: bytes = b"", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urlopen(Request(address, data=data, headers=named, method=method), timeout=120) as answer:  # noqa: S310
        answer.read()


def signature(rights: str) -> str:
    """Return a shared access signature of the test's account, which allows so much for an hour (version 2020-12-06)."""
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    version = "2020-12-06"
    text = "\n".join([NAME, rights, "b", "sco", "", end, "", "https,http", version, "", ""])
    signed = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
    parts = {"sv": version, "ss": "b", "srt": "sco", "sp": rights, "se": end, "spr": "https,http", "sig": signed}
    return urlencode(parts)


@pytest.fixture(params=["gs", "az"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a bucket of either store, which the environment opens."""
    if request.param == "gs":
        host = request.getfixturevalue("google")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
        place = f"{host}/upload/storage/v1/b/songs/o?uploadType=media&name="
        kind = "application/octet-stream"
        return Store("gs://songs", lambda name, data: send("POST", place + quote(name, ""), data, Content_Type=kind))
    host = request.getfixturevalue("azure")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName={NAME};AccountKey={KEY};BlobEndpoint={host};")
    container("songs", host)
    place, rights = f"{host}/songs/", signature("rwdlac")
    return Store(
        "az://songs", lambda name, data: send("PUT", f"{place}{name}?{rights}", data, x_ms_blob_type="BlockBlob")
    )


def container(name: str, host: str, **headers: str) -> None:
    """Make a container, if it is not there."""
    try:
        send("PUT", f"{host}/{name}?restype=container&{signature('rwdlac')}", **headers)
    except URLError as error:
        assert getattr(error, "code", 0) == 409


@pytest.mark.parametrize("name", ["songs.csv", "songs.parquet", "songs.jsonl.gz", "songs.zip"])
def test_a_table_reads_alike_from_either_store(store: Store, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TABLES[name]())
    local = described(prepare(str(tmp_path / name), out=str(tmp_path / "local")).corpus)
    store.put(f"deep/{name}", TABLES[name]())
    assert described(prepare(f"{store.root}/deep/{name}", out=str(tmp_path / "store")).corpus) == local


def test_patterns_and_folders(store: Store) -> None:
    data = TABLES["songs.csv"]()
    for name in ("a/one.csv", "a/two.CSV.gz", "a/more/three.csv", "b/four.csv"):
        store.put(name, gzip.compress(data) if name.endswith("gz") else data)
    store.put("a/notes.md", b"#")

    def found(table: str) -> list[str]:
        return [str(source.path).removeprefix(f"{store.root}/") for source in find_sources([f"{store.root}/{table}"])]

    assert found("a") == found("a/") == ["a/more/three.csv", "a/one.csv", "a/two.CSV.gz"]
    assert found("[ab]/*.csv") == ["a/one.csv", "b/four.csv"]
    assert found("**/thr*.csv") == ["a/more/three.csv"]


def test_what_is_not_there_is_one_sentence(store: Store, tmp_path: Path) -> None:
    store.put("songs.csv", TABLES["songs.csv"]())
    out, word = tmp_path / "c", "bucket" if store.root.startswith("gs") else "container"
    assert f"There is no {store.root}/nothing.csv; check the address" in refused(f"{store.root}/nothing.csv", out)
    absent = store.root.replace("songs", "nowhere")
    assert f"There is no {word} 'nowhere' for {absent}/songs.csv" in refused(f"{absent}/songs.csv", out)
    assert f"No file matches {store.root}/*.tsv" in refused(f"{store.root}/*.tsv", out)


def test_google_is_sent_the_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = json.dumps({"access_token": "a-t0ken", "expires_in": 3600, "token_type": "Bearer", "id_token": ""}).encode()
    with served(Shelf(token=token)) as shelf:
        known = {"type": "authorized_user", "client_id": "me", "client_secret": "5ecret", "refresh_token": "refre5h"}
        (tmp_path / "known.json").write_text(json.dumps({**known, "token_uri": f"{shelf.url}/token"}))
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", shelf.url)
        assert "There is no bucket 'songs'" in refused("gs://songs/songs.csv", tmp_path / "c")
        assert set(shelf.shown) == {""}
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "known.json"))
        assert "There is no bucket 'songs'" in refused("gs://songs/songs.csv", tmp_path / "c")
        assert "Bearer a-t0ken" in shelf.shown
        shelf.answers = [403]
        said = refused("gs://songs/songs.csv", tmp_path / "c")
        assert "No permission to read gs://songs/songs.csv; set GOOGLE_APPLICATION_CREDENTIALS" in said
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    assert "absent.json, which is not a file" in refused("gs://songs/songs.csv", tmp_path / "c")
    (tmp_path / "absent.json").write_text("{}")
    assert "set GOOGLE_APPLICATION_CREDENTIALS to" in refused("gs://songs/songs.csv", tmp_path / "c")


def test_azure_takes_a_key_a_signature_or_nothing(azure: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data, out = TABLES["songs.csv"](), tmp_path / "c"
    container("mine", azure)
    container("open", azure, x_ms_blob_public_access="container")
    for name in ("mine", "open"):
        send("PUT", f"{azure}/{name}/songs.csv?{signature('rw')}", data, x_ms_blob_type="BlockBlob")
    place = f"AccountName={NAME};BlobEndpoint={azure}"

    def read(address: str, connection: str) -> int:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        return prepare(address, out=str(out)).corpus.ledger.read

    assert read("az://mine/songs.csv", f"{place};AccountKey={KEY}") == 60
    assert read("abfss://mine@songs0account.dfs.core.windows.net/songs.csv", f"{place};AccountKey={KEY}") == 60
    for mark in ("", "?"):  # both are copied from Azure's pages
        assert read("az://mine/songs.csv", f"{place};SharedAccessSignature={mark}{signature('rl')}") == 60
    assert read("az://open/songs.csv", place) == 60
    shutil.rmtree(out)
    other = base64.b64encode(b"another key").decode()
    false = signature("rl").replace("sp=rl", "sp=rwl")  # of another set of rights
    for connection in (place, f"{place};AccountKey={other}", f"{place};SharedAccessSignature={false}"):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        said = refused("az://mine/songs.csv", out)
        assert "No permission to read az://mine/songs.csv; set AZURE_STORAGE_CONNECTION_STRING" in said
        assert other not in said


def test_a_wrong_account_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for connection, says in (
        ("nonsense", "AZURE_STORAGE_CONNECTION_STRING is not a connection string"),
        ("AccountKey=abcd", "AZURE_STORAGE_CONNECTION_STRING is not a connection string"),
        ("AccountName=a;AccountKey=%%%", "The key of the storage account is not base64"),
        ("", "Set AZURE_STORAGE_ACCOUNT_NAME"),
        ("AccountName=a;AccountKey=abcd;BlobEndpoint=http://127.0.0.1:9/a", "az://songs/songs.csv cannot be reached"),
    ):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        assert says in refused("az://songs/songs.csv", tmp_path / "c")
