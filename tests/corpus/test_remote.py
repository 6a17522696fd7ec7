"""Tables at addresses are read like those on the disk, whatever the connection does, and no secret is ever shown."""

import bz2
import gzip
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from servers import KEY, SECRET, Shelf, served

from lyrist.cli import run
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.prepare import prepare
from lyrist.corpus.reading import find_sources, remote
from lyrist.corpus.reading.remote import Address, without_secrets
from lyrist.errors import LyristError
from lyrist.files import staging_path
from songtables.fouracts import songbook


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no credentials of whoever runs the tests, and short pauses."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "HF_", "STORAGE_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with served(Shelf()) as found:
        yield found


@pytest.fixture
def store(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Return the same as S3, with credentials that are right."""
    shelf.signed = True
    monkeypatch.setenv("AWS_ENDPOINT_URL", shelf.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return shelf


def frame() -> pl.DataFrame:
    songs = songbook()[:60]
    return pl.DataFrame({name: [getattr(s, name) for s in songs] for name in ("artist", "title", "genre", "lyrics")})


def parquet() -> bytes:
    buffer = io.BytesIO()
    frame().write_parquet(buffer, row_group_size=20)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("songs.csv", frame().write_csv())
    return buffer.getvalue()


TABLES: dict[str, Callable[[], bytes]] = {
    "songs.csv": lambda: frame().write_csv().encode(),
    "songs.jsonl.gz": lambda: gzip.compress(frame().write_ndjson().encode(), mtime=0),
    "songs.json.zst": lambda: zstandard.compress(frame().write_json().encode()),
    "songs.tsv.bz2": lambda: bz2.compress(frame().write_csv(separator="\t").encode()),
    "songs.parquet": parquet,
    "songs.zip": zipped,
}


def described(corpus: Corpus) -> list[object]:
    return [corpus.fingerprint, corpus.info["sources"], corpus.ledger, corpus.songs().rows()]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_reads_alike_from_wherever_it_is(
    store: Shelf, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TABLES[name]()
    (tmp_path / name).write_bytes(data)
    local = described(prepare(str(tmp_path / name), out=str(tmp_path / "local")).corpus)
    monkeypatch.setattr(remote, "AHEAD", 1 << 13)
    store.files = {f"/bucket/deep/{name}": data}
    assert described(prepare(f"s3://bucket/deep/{name}", out=str(tmp_path / "s3")).corpus) == local
    store.signed, store.files = False, {f"/a b/{name}": data}
    for ranges, lengths in ((True, True), (False, True), (False, False)):
        store.ranges, store.lengths = ranges, lengths
        out = tmp_path / f"web-{ranges}-{lengths}"
        assert described(prepare(f"{store.url}/a%20b/{name}", out=str(out)).corpus) == local


@pytest.mark.parametrize("name", ["songs.csv", "songs.parquet", "songs.jsonl.gz"])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_made_again_and_goes_on(shelf: Shelf, name: str, ranges: bool, tmp_path: Path) -> None:
    data = TABLES[name]()
    (tmp_path / name).write_bytes(data)
    whole = described(prepare(str(tmp_path / name), out=str(tmp_path / "local")).corpus)
    shelf.files, shelf.ranges = {f"/{name}": data}, ranges
    for place in (0, 1, len(data) // 2, len(data) - 1):
        shelf.cuts = [place] * 2 + [len(data)] + [place] * 2
        assert described(prepare(f"{shelf.url}/{name}", out=str(tmp_path / "web")).corpus) == whole
    shelf.answers = [503, 429]
    assert described(prepare(f"{shelf.url}/{name}", out=str(tmp_path / "web")).corpus) == whole


def test_a_store_that_breaks_off_is_tried_again(store: Shelf, tmp_path: Path) -> None:
    store.files = {"/bucket/songs.csv": TABLES["songs.csv"]()}
    whole = described(prepare("s3://bucket/songs.csv", out=str(tmp_path / "a")).corpus)
    store.cuts = [10, 20_000, 5, 5]
    assert described(prepare("s3://bucket/songs.csv", out=str(tmp_path / "b")).corpus) == whole


def refused(table: str, out: Path) -> str:
    with pytest.raises(LyristError) as caught:
        prepare(table, out=str(out))
    assert "\n" not in str(caught.value)
    assert not out.exists()
    return str(caught.value)


def test_what_goes_wrong_on_the_web_is_one_sentence(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files = {"/songs.csv": TABLES["songs.csv"](), "/empty.csv": b""}
    table, out = f"{shelf.url}/songs.csv", tmp_path / "c"
    shelf.cuts = [30_000] * 60
    shelf.ranges = False
    assert "cannot be read to its end: the connection was cut after" in refused(table, out)
    shelf.cuts, shelf.ranges = [], True
    assert "the server answers 404; check the address" in refused(f"{shelf.url}/nothing.csv", out)
    for status, says in (
        (403, "No permission to read"),
        (500, "cannot be reached: the server answers 500"),
        (418, "answers 418"),
    ):
        shelf.answers = [status] * 4
        assert says in refused(table, out)
        shelf.answers = []
    assert "is empty" in refused(f"{shelf.url}/empty.csv", out)
    assert "cannot be reached: Connection refused" in refused("http://127.0.0.1:9/songs.csv", out)
    assert "no host of this name" in refused("https://nowhere.invalid/songs.csv", out)
    assert "is the text of one song" in _song(shelf, out)


def _song(shelf: Shelf, out: Path) -> str:
    shelf.files["/one.txt"] = b"la la la\nla la\n"
    return refused(f"{shelf.url}/one.txt", out)


def test_a_file_that_changes_while_it_is_read_is_reported(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files = {"/songs.csv": TABLES["songs.csv"]()}
    raw = remote.RemoteFile(Address(f"{shelf.url}/songs.csv"))
    shelf.version = 2
    raw.seek(10)
    with raw, pytest.raises(LyristError, match="changed while it was read"):
        raw.read(5)


def test_what_goes_wrong_in_a_store_is_one_sentence(
    store: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.files, out = {"/bucket/songs.csv": TABLES["songs.csv"]()}, tmp_path / "c"
    assert "There is no s3://bucket/song.csv" in refused("s3://bucket/song.csv", out)
    assert "There is no bucket 'bocket'" in refused("s3://bocket/songs.csv", out)
    assert "No file matches s3://bucket/*.tsv" in refused("s3://bucket/*.tsv", out)
    says = refused(f"s3://{KEY}:{SECRET}@bucket/songs.csv", out)
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead" in says
    assert SECRET not in says
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong/wrong")
    says = refused("s3://bucket/songs.csv", out)
    assert "No permission to read s3://bucket/songs.csv; set AWS_ACCESS_KEY_ID" in says
    assert "wrong/wrong" not in says
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "s3://bucket/songs.csv cannot be reached (network connection)" in refused("s3://bucket/songs.csv", out)
    assert "Set AZURE_STORAGE_ACCOUNT_NAME" in refused("az://container/songs.csv", out)


def test_an_open_bucket_needs_no_credentials(store: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store.files = {"/bucket/songs.csv": TABLES["songs.csv"]()}
    assert "No permission to read" in refused("s3://bucket/songs.csv", tmp_path / "c")
    store.signed = False
    assert prepare("s3://bucket/songs.csv", out=str(tmp_path / "c")).corpus.ledger.read == 60


def test_patterns_and_folders_of_a_store(store: Shelf) -> None:
    names = [
        "a/one.csv",
        "a/two.CSV.gz",
        "a/deep/three.parquet",
        "a/deep/.hidden.csv",
        "a/notes.md",
        "b/four.csv",
        "five.csv",
    ]
    data = {"csv": TABLES["songs.csv"](), "gz": gzip.compress(TABLES["songs.csv"]()), "parquet": parquet(), "md": b"#"}
    store.files = {f"/bucket/{name}": data[name.rpartition(".")[2].lower()] for name in names}

    def found(table: str) -> list[str]:
        return [str(source.path).removeprefix("s3://bucket/") for source in find_sources([table])]

    assert found("s3://bucket/a") == ["a/deep/three.parquet", "a/one.csv", "a/two.CSV.gz"]
    assert found("s3://bucket/a/") == found("s3://bucket/a")
    assert found("s3://bucket/*/*.csv") == ["a/one.csv", "b/four.csv"]
    assert found("s3://bucket/**/*.csv") == ["a/deep/.hidden.csv", "a/one.csv", "b/four.csv", "five.csv"]
    assert found("s3://bucket/[!f]*/o?e.csv") == ["a/one.csv"]
    assert [s.name for s in find_sources(["s3://bucket/a/one.csv", "s3://bucket/a/one.csv"])] == ["one.csv"]


def test_a_data_set_of_the_hub(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", shelf.url)
    monkeypatch.setenv("HF_TOKEN", "hf_t0ken")
    names = ("songs.csv", "songs.parquet")
    shelf.files = {f"/datasets/me/songs/resolve/main/deep/{name}": TABLES[name]() for name in names}
    for name in names:
        (tmp_path / name).write_bytes(TABLES[name]())
        local = described(prepare(str(tmp_path / name), out=str(tmp_path / "local")).corpus)
        out = str(tmp_path / "hub")
        assert described(prepare(f"hf://datasets/me/songs/deep/{name}", out=out).corpus) == local
        assert described(prepare(f"hf://datasets/me/songs/**/*.{name[6:]}", out=out).corpus) == local
    assert "There is no hf://datasets/me/no/a.csv" in refused("hf://datasets/me/no/a.csv", tmp_path / "c")


def test_an_archive_at_an_address_has_a_ratio_too(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyrist.corpus.reading.streams.ALLOWANCE", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("songs.csv", b"title,lyrics\n" + b"T,la\n" * 1_000_000)
    shelf.files = {"/songs.zip": buffer.getvalue()}
    for shelf.ranges in (True, False):
        assert "unpacks to more than 100 times its size" in refused(f"{shelf.url}/songs.zip", tmp_path / "c")


SIGNED = "X-Amz-Credential=AKIDSECRET1&X-Amz-Signature=5ECRE72&id=7"


def test_no_secret_is_saved_or_shown(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.files, shelf.password = {"/songs.csv": TABLES["songs.csv"]()}, "Basic bWU6dDBwLTVlY3JldA=="
    table = f"{shelf.url.replace('://', '://me:t0p-5ecret@')}/songs.csv?{SIGNED}"
    with monkeypatch.context() as patch:
        patch.setattr("lyrist.corpus.prepare.write_songs", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(table, out=str(tmp_path / "c"))
    written = [path.read_bytes() for path in staging_path(tmp_path / "c").rglob("*") if path.is_file()]
    shelf.requests.clear()
    assert (
        run(["prepare", table.replace("5ECRE72", "5ECRE73"), "--out", str(tmp_path / "c"), "--resume", "--json"]) == 0
    )
    assert not shelf.requests  # the same table with a new signature: it has been read
    assert run(["prepare", table.replace("songs.csv", "no.csv"), "--out", str(tmp_path / "d")]) == 1
    said = capsys.readouterr()
    written += [path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()]
    for secret in ("t0p-5ecret", "AKIDSECRET1", "5ECRE7"):
        assert not any(secret.encode() in data for data in written)
        assert secret not in said.out + said.err
    assert f"{shelf.url}/no.csv?X-Amz-Credential=…&X-Amz-Signature=…&id=7" in said.err


word = st.text("abcXYZ019-_.~/+", min_size=6, max_size=12)


@given(word, word, word, st.sampled_from(["http", "https", "s3", "gs", "az", "hf"]))
def test_an_address_is_shown_without_its_secrets(name: str, password: str, signature: str, scheme: str) -> None:
    secret, token = f"PW{password}PW".replace("/", "%2F"), f"SIG{signature}SIG"
    address = Address(f"{scheme}://{name.replace('/', '')}:{secret}@host.example/some/file.csv?sig={token}&x=1#{token}")
    for said in (str(address), f"{address}", repr(address), address.name, address.host):
        assert secret not in said
        assert token not in said
    assert address.real.count(token) == 2
    assert without_secrets(str(address)) == str(address)
    assert without_secrets(f"plain {token}@x?y={token}") == f"plain {token}@x?y={token}"
