"""Reads mutated tables, cleans mutated texts and opens mutated corpora; by hand: ``python tests/hostile_inputs.py SECONDS SEED``.

What a table of any format holds after damage is rows or one `LyristError`: each row is counted once, no other exception is
raised, and nothing takes more than 20 CPU-seconds. With ``--atheris`` (``pip install atheris``) the mutations are guided by
the branches of the readers and the cleaner that they reach.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import random
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_runs import changed, flipped

MARKS = (
    b'"', b'""', b",", b";", b"\t", b"\n", b"\r\n", b"\r", b"\0", b'\\"', b"\xff\xfe", b"\xef\xbb\xbf", b"[", b"]", b"{", b"}",
    b":", b"\\u0000", b"\\ud800", b"null", b"NaN", b"1e999", b"-", b"=", b"\xe2\x80\xa8", b"[Chorus]", b"[00:12.30]", b"(x2)",
    b"&amp;", b"&#x1F600;", b"<br>", b"\xc3\x83\xc2\xa9", b"Lyrics by", b"http://a.b/", b"\xe2\x80\x8b", b"PK\x03\x04", b"PAR1",
)  # fmt: skip
LINES = (
    "[Chorus: Ann]", "river moon, stone", 'she said "hey" again', "(oh, oh)", "Am  G  C", "[00:12.30] the tide", "don’t know",
    "1 ContributorLow Tide Lyrics", "You might also like", "x2", "la la la", "Über die Brücke", "我把灯放在窗边", "",
)  # fmt: skip
SLOW = 20
"""CPU-seconds that one input must not take."""


def rows(chance: random.Random, count: int = 6) -> list[dict[str, Any]]:
    """Return songs."""
    return [
        {"artist": f"A{n}", "title": f"Song {n}", "year": 1990 + n, "lyrics": "\n".join(chance.choices(LINES, k=5))}
        for n in range(count)
    ]


def tables(songs: list[dict[str, Any]]) -> dict[str, tuple[str, bytes]]:
    """Return the songs in each format: the ending of a file, and its content."""
    import polars as pl

    frame, texts = pl.DataFrame(songs), {}
    for name, given in {"csv": {}, "tsv": {"delimiter": "\t"}, "csv in cells": {"quoting": csv.QUOTE_ALL}}.items():
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(songs[0]), **given)  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows(songs)
        texts[name] = (".tsv" if name == "tsv" else ".csv", out.getvalue().encode())
    parquet, arrow, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frame.write_parquet(parquet)
    frame.write_ipc(arrow)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("songs.csv", texts["csv"][1])
        archive.writestr("more.jsonl", "\n".join(map(json.dumps, songs)))
    return {
        **texts,
        "csv.gz": (".csv.gz", gzip.compress(texts["csv"][1])),
        "json": (".json", json.dumps(songs).encode()),
        "jsonl": (".jsonl", "\n".join(map(json.dumps, songs)).encode()),
        "parquet": (".parquet", parquet.getvalue()),
        "arrow": (".arrow", arrow.getvalue()),
        "zip": (".zip", packed.getvalue()),
        "txt": (".txt", songs[0]["lyrics"].encode()),
        "lrc": (".lrc", "\n".join(f"[00:1{n}.00]{line}" for n, line in enumerate(LINES[:9])).encode()),
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return the content with bytes changed, cut, inserted, or parts repeated and moved."""
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(content) + 1)
        size = chance.choice((0, 1, 3, chance.randrange(len(content) + 1)))
        kind = chance.random()
        if kind < 0.5:
            content = content[:at] + chance.choice(MARKS) * chance.choice((1, 1, 2, 40)) + content[at + min(size, 9) :]
        elif kind < 0.7 and content:
            content = flipped(content, chance)
        elif kind < 0.85:
            content = content[:at] + content[at : at + size] + content[at:]
        else:
            content = content[:at] + content[at + size :]
    return content[: 1 << 20]


def read(path: Path) -> int:
    """Read a table, and clean what it holds; return the number of rows, each of which must be counted once."""
    from lyrist.corpus.cleaning import clean_series
    from lyrist.corpus.columns import recognise
    from lyrist.corpus.reading import Reader, find_sources, sniff

    total = 0
    for source in find_sources([path]):
        header, sample = sniff(source)
        reader = Reader(source, recognise(header, sample=sample, source_name=source.name))
        seen: list[int] = []
        for chunk in reader:
            seen += [row["row"] for part in (chunk.songs, chunk.rejected) for row in part.to_pylist()]
            import polars as pl

            clean_series(pl.Series(chunk.songs["lyrics"].to_pylist(), dtype=pl.String))
        assert sorted(seen) == list(range(1, reader.rows + 1)), "rows are lost or counted twice"
        total += reader.rows
    return total


def cleaned(text: str) -> None:
    """Clean a text in every way; cleaning twice must change nothing."""
    from lyrist.corpus.cleaning import Cleaning, clean

    for how in (Cleaning(), Cleaning(sections="keep", parentheses="drop")):
        once = clean(text, how)
        assert clean(once, how) == once, f"cleaned twice differs: {text!r}"


def opened(path: Path) -> None:
    """Open a corpus and read all that it holds."""
    from lyrist.corpus.corpus import Corpus

    for verify in (True, False):
        corpus = Corpus.open(path, verify=verify)
        corpus.songs(), corpus.duplicates, corpus.contained, corpus.dropped()
        repr(corpus), corpus._repr_html_(), corpus.check_target("artist")


def make_corpus(folder: Path) -> Path:
    """Prepare a small corpus."""
    from lyrist.corpus.prepare import prepare

    chance = random.Random(1)
    text = tables([*rows(chance, 30), *rows(chance, 3)])["jsonl"][1]
    (folder / "songs.jsonl").write_bytes(text)
    prepare(str(folder / "songs.jsonl"), out=str(folder / "corpus"), languages="", min_words=1, seed=1)
    return folder / "corpus"


class Fuzz:
    """Counts what was tried by kind, and keeps what went wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tried, self.read, self.wrong = folder, Counter[str](), Counter[str](), list[str]()
        self.corpus = make_corpus(folder)

    def one(self, chance: random.Random) -> None:
        """Try one mutation."""
        kind = chance.choice(("table", "table", "text", "corpus"))
        if kind == "text":
            text = damaged("\n".join(chance.choices(LINES, k=6)).encode(), chance).decode("utf-8", "replace")
            self.attempt("cleaner", lambda: cleaned(text), text)
        elif kind == "table":
            name, (ending, content) = chance.choice(list(tables(rows(chance)).items()))
            path = self.folder / f"songs{ending}"
            path.write_bytes(damaged(content, chance))
            self.attempt(name, lambda: read(path), path.read_bytes())
        else:
            place = self.folder / "mutated"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(self.corpus, place)
            path = chance.choice(sorted(each for each in place.rglob("*") if each.suffix in (".json", ".parquet")))
            content = path.read_bytes()
            if path.suffix == ".json" and chance.random() < 0.8:
                path.write_text(json.dumps(changed(json.loads(content), chance)))
            else:
                path.write_bytes(damaged(content, chance))
            self.attempt(f"corpus: {path.suffix[1:]}", lambda: opened(place), path.relative_to(place))

    def attempt(self, kind: str, work: Callable[[], object], given: object) -> None:
        """Call ``work``; what it raises must be a `LyristError`."""
        from lyrist.errors import LyristError

        started = time.process_time()
        try:
            work()
            self.read[kind] += 1
        except LyristError:
            pass
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.wrong.append(f"{kind}: {type(error).__name__}: {str(error)[:300]} for {str(given)[:2000]}")
        if time.process_time() - started > SLOW:
            self.wrong.append(f"{kind}: {time.process_time() - started:.0f} CPU-seconds for {str(given)[:2000]}")
        self.tried[kind] += 1


def fuzz(seed: int, enough: Callable[[int], bool]) -> Fuzz:
    """Try mutations until ``enough`` of the number so far."""
    from lyrist import progress

    progress.quiet()
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, count = Fuzz(Path(place)), 0
        while not enough(count):
            found.one(random.Random(f"{seed} {count}"))
            count += 1
    return found


def guided(seconds: int, seed: int) -> None:
    """Let atheris choose the mutations of tables and texts; it prints their number and exits.

    Its limit of time is of the clock and not of the processor, so it is larger than `SLOW`.
    """
    import atheris

    with atheris.instrument_imports(include=["lyrist.corpus"]):
        import lyrist.corpus.cleaning
        import lyrist.corpus.columns
        import lyrist.corpus.reading  # noqa: F401
    from lyrist.errors import LyristError

    folder = Path(tempfile.mkdtemp())
    endings = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".lrc")
    seeds = folder / "seeds"
    seeds.mkdir()
    for ending, content in tables(rows(random.Random(seed))).values():
        if ending in endings:
            (seeds / f"{len(list(seeds.iterdir()))}").write_bytes(bytes([endings.index(ending)]) + content)

    def one(data: bytes) -> None:
        path = folder / f"songs{endings[data[0] % len(endings)] if data else '.csv'}"
        path.write_bytes(data[1:])
        with contextlib.suppress(LyristError):
            read(path)
        cleaned(data[1:].decode("utf-8", "replace"))

    limits = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096"]
    limits += [f"-timeout={15 * SLOW}", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *limits, str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    if "--atheris" in sys.argv:
        guided(int(sys.argv[1]), int(sys.argv[2]))
    seconds, begun = float(sys.argv[1]), list[float]()

    def enough(count: int) -> bool:
        begun.append(time.monotonic())
        return begun[-1] - begun[0] > seconds

    found = fuzz(int(sys.argv[2]), enough)
    print(json.dumps({"tried": found.tried, "read": found.read, "findings": len(found.wrong)}))  # noqa: T201
    print(*found.wrong, sep="\n", file=sys.stderr)  # noqa: T201
    sys.exit(bool(found.wrong))
