"""What tests of several rooms share."""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import hypothesis
import polars as pl
import pytest

from lyrist.corpus.cleaning import Cleaning
from lyrist.corpus.corpus import FORMAT, SPLITS, Corpus
from lyrist.corpus.duplicates import covers
from lyrist.corpus.ledger import Ledger
from lyrist.corpus.splits import Split
from lyrist.errors import LyristError
from lyrist.files import write_json
from nursing import Nursery, nursery_in

hypothesis.settings.register_profile("lyrist", deadline=None)  # no test may fail because the machine is busy
hypothesis.settings.load_profile("lyrist")

MakeCorpus: TypeAlias = Callable[..., Corpus]

SCHEMA = {
    "id": pl.Int64,
    "title": pl.String,
    "artist": pl.String,
    "genre": pl.String,
    "year": pl.Int32,
    "language": pl.String,
    "lyrics": pl.String,
    "cluster": pl.Int64,
}
DUPLICATES = {
    "id": pl.Int64,
    "cluster": pl.Int64,
    "kind": pl.String,
    "jaccard": pl.Float64,
    "title": pl.String,
    "artist": pl.String,
    "split": pl.String,
}


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Return what runs commands in processes that can be killed, or whose disk is full."""
    with nursery_in(tmp_path_factory.mktemp("nursery")) as found:
        yield found


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory: pytest.TempPathFactory) -> MakeCorpus:
    """Return a function that writes a corpus directory by hand, without `prepare`, and opens it.

    ``make_corpus(songs, duplicates=None, dropped={}, settings={})``: ``songs`` has any of the columns of a corpus (the
    others are null, ids count up) and ``split`` (by default eight in ten train, one validation, one test); further
    columns are kept ones. ``duplicates`` has the columns of ``duplicates.parquet``; ``dropped`` counts rows by reason;
    ``settings`` are laid over the default ones.
    """

    def make(
        songs: pl.DataFrame,
        duplicates: pl.DataFrame | None = None,
        dropped: Mapping[str, int] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Corpus:
        path = tmp_path_factory.mktemp("made") / "corpus"
        (path / "songs").mkdir(parents=True)
        whole = _whole(songs)
        for split in SPLITS:
            part = whole.filter(pl.col("split") == split).drop("split")
            if len(part):
                part.write_parquet(path / "songs" / f"{split}-00000.parquet")
        copies = (
            pl.DataFrame(schema=DUPLICATES) if duplicates is None else duplicates.select(*DUPLICATES).cast(DUPLICATES)
        )
        copies.write_parquet(path / "duplicates.parquet")
        lost = dict(dropped or {})
        ledger = Ledger(len(whole) + sum(lost.values()), len(whole), lost)
        write_json(path / "ledger.json", ledger.to_json())
        write_json(path / "corpus.json", _info(whole, copies, ledger, dict(settings or {})))
        return Corpus.open(path)

    return make


def _whole(songs: pl.DataFrame) -> pl.DataFrame:
    """Return ``songs`` with every column of a corpus, and ``split``."""
    if "id" not in songs.columns:
        songs = songs.with_columns(id=pl.int_range(pl.len(), dtype=pl.Int64))
    if "cluster" not in songs.columns:
        songs = songs.with_columns(cluster=pl.col("id"))
    if "split" not in songs.columns:
        place = pl.int_range(pl.len()) % 10
        songs = songs.with_columns(
            split=pl.when(place == 8)
            .then(pl.lit("validation"))
            .when(place == 9)
            .then(pl.lit("test"))
            .otherwise(pl.lit("train"))
        )
    missing = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in songs.columns]
    kept = [name for name in songs.columns if name not in (*SCHEMA, "split")]
    return songs.with_columns(missing).cast(SCHEMA).select(*SCHEMA, *kept, "split")  # type: ignore[arg-type]


def _info(whole: pl.DataFrame, copies: pl.DataFrame, ledger: Ledger, settings: dict[str, Any]) -> dict[str, Any]:
    splits = dict(whole["split"].value_counts().iter_rows())
    kept = [name for name in whole.columns if name not in (*SCHEMA, "split")]
    about = covers(copies) if len(copies) else None
    return {
        "format": FORMAT,
        "lyrist": "0",
        "settings": {
            "cleaning": dataclasses.asdict(Cleaning()),
            "split": dataclasses.asdict(Split()),
            "duplicates": "drop",
            "balance": None,
            "seed": 0,
            "keep": kept,
            **settings,
        },
        "sources": [{"name": "table.csv", "bytes": 1, "sha256": "0" * 64, "rows": ledger.read, "columns": {}}],
        "columns": {},
        "counts": {
            "read": ledger.read,
            "kept": ledger.kept,
            "splits": {name: splits.get(name, 0) for name in SPLITS},
            "repaired": {},
            "rules": {"spaces": 1, "links": 0},
            "languages": {},
            "clusters": {
                "songs": len(copies),
                "clusters": 0 if about is None else len(about),
                "covers": 0 if about is None else int(about["cover"].sum()),
                "exact": int((copies["kind"] == "exact").sum()),
            },
            "near_copies_across_splits": 0,
            "repetition": {"songs": len(whole), "before": 0.5, "after": 0.4},
            "seconds": {"wall": 0.0, "cpu": {}},
        },
        "fingerprint": "0123456789abcdef",
    }


@pytest.fixture(scope="session")
def check_report(chromium: Any) -> Callable[[Path], None]:
    """Return a function that asserts that axe finds no violation in a report, on a phone and on wide screens, and its size."""
    from axe_playwright_python.base import AXE_FILE_PATH

    axe = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
    script = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
        each => [each.id, each.help, each.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]))"""

    def check(path: Path) -> None:
        html = path.read_text(encoding="utf-8")
        assert len(re.sub(r"data:image/[^\"']*", "", html)) <= 500_000, f"{path.name} is too large"
        page = chromium.new_page()
        page.goto(path.absolute().as_uri())
        page.evaluate(f"{axe}; 0")
        for width, scheme in ((390, "dark"), (1440, "light"), (2560, "light")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path.name, width)
            if width < 2560:  # the rules see the same page as on 1,440 pixels
                assert page.evaluate(script) == [], (path.name, width, scheme)
        page.close()

    return check


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The real pretrained model, fetched once into the cache of the user."""
    from lyrist.models import fetch

    if os.environ.get("LYRIST_OFFLINE"):
        pytest.skip("SmolLM2 IS NOT TESTED: LYRIST_OFFLINE is set")
    try:
        fetch.fetch("smollm2")
    except LyristError as error:
        pytest.skip(f"SmolLM2 IS NOT TESTED: {error}")
    return "smollm2"
