"""`kill -9` at any moment, then ``--resume``: the same corpus, run and study as undisturbed, and nothing is done twice.

Each run is a process group of its own that is killed: before a change of the file system with a given number (so that
every boundary between two stages is met), or at a moment drawn at random. LYRIST_KILLS=30 kills each verb so many times
in place of a few.
"""

import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist.corpus.corpus import Corpus
from lyrist.files import staging_path
from nursing import Event, Nursery
from songtables.fouracts import songbook
from tinytokenizer import chat_model

MANY = int(os.environ.get("LYRIST_KILLS", "0"))
TINY = ["--hidden", "8", "--embedding-size", "8", "--steps", "6", "--evaluate-every", "2", "--threads", "1"]
PLAN = """
summary = "Three of three kinds."
[[recipes]]
recipe = "majority"
[[recipes]]
recipe = "tfidf-logistic"
[[recipes]]
recipe = "lstm"
options = { steps = 4, hidden = 8, embedding_size = 8, evaluate_every = 2, threads = 1 }
"""


@pytest.fixture(scope="module")
def tables(nursery: Nursery) -> list[str]:
    """Four tables, so that there are several shards; some rows of each are dropped, and some are copies."""
    songs = songbook()[::3]
    places = []
    for number in range(4):
        part = [*songs[number::4], songs[0]]
        frame = pl.DataFrame(
            {name: [getattr(song, name) for song in part] for name in ("artist", "title", "genre", "lyrics")}
        )
        place = nursery.folder / f"songs-{number}.{'parquet' if number == 3 else 'csv'}"
        frame.write_parquet(place) if number == 3 else frame.write_csv(place)
        places.append(str(place))
    return places


@pytest.fixture(scope="module")
def corpus(nursery: Nursery, tables: list[str]) -> Path:
    nursery.run(["prepare", *tables, "--out", str(nursery.folder / "corpus"), "--validation", "0.2", "--test", "0.2"])
    return nursery.folder / "corpus"


@dataclass
class Verb:
    """A command, what it makes, and what must not be done again."""

    arguments: list[str]
    finished: Callable[[Path], list[str]]
    """Given what a kill left: patterns of paths that the resumed run must not write."""
    boundaries: list[str]
    """Patterns of changes before which it is killed, whatever chance says."""
    at_random: int
    """So many kills at random moments beside these."""
    resume: bool = True
    """Whether the command can resume; otherwise it is run again from the start."""
    suffix: str = ""
    """Ending of the output, where it is a file."""


def prepared(left: Path) -> list[str]:
    work = left / "work"
    done = [rf"/(clean|keys)/{path.stem}\." for path in (work / "counts").glob("*.json")]
    return [*done, *([r"work/raw", r"/ingest\.json"] if (work / "ingest.json").exists() else [])]


def trained(left: Path) -> list[str]:
    saved = [int(path.name.rpartition("-")[2]) for path in (left / "checkpoints").glob("checkpoint-*")]
    return [rf"/checkpoints/checkpoint-{step}$" for step in range(max(saved, default=0) + 1)]


def studied(left: Path) -> list[str]:
    return [
        rf"/runs/{re.escape(path.parent.name)}(\.partial)?$"
        for path in left.glob("runs/*/run.json")
        if "partial" not in path.parent.name
    ]


def nothing(left: Path) -> list[str]:
    """Return no pattern: what is done again is not examined."""
    return []


def verbs(corpus: Path, tables: list[str]) -> dict[str, Verb]:
    plan = corpus.parent / "plan.toml"
    plan.write_text(PLAN)
    ends = [r"os.rename \S*\.partial \S+$", r"os.remove \S*\.lock"]
    return {
        "prepare": Verb(
            ["prepare", *tables, "--languages", "en", "--workers", "1"],
            prepared,
            [
                r"/ingest\.json",
                r"counts/00002",
                r"ledger",
                r"corpus\.json$",
                r"os.rmdir \S*work ",
                *ends,
            ],
            2,
        ),
        "neural": Verb(["train", "lstm", str(corpus), *TINY], trained, [r"checkpoint-4$", *ends[:1]], 0),
        "writer": Verb(
            ["train", "gru", str(corpus), "--condition", "genre", *TINY, "--vocabulary", "300", "--context", "64"],
            trained,
            [r"checkpoint-4$", r"run\.json"],
            0,
        ),
        "linear": Verb(["train", "nb-svm", str(corpus)], trained, [r"results"], 0),
        "study": Verb(
            ["study", str(plan), str(corpus), "--target", "genre", "--no-other-split"],
            studied,
            [r"runs/lstm\.partial", *ends[:1]],
            0,
        ),
        "gpt": Verb(
            [
                "train",
                "gpt",
                str(corpus),
                "--target",
                "lyrics",
                *TINY[4:],
                "--width",
                "16",
                "--heads",
                "2",
                "--vocabulary",
                "300",
            ],
            trained,
            [r"checkpoint-4$"],
            0,
        ),
        "lora": Verb(
            [
                "train",
                "causal",
                str(corpus),
                "--model",
                str(corpus.parent / "chat"),
                "--lora",
                "true",
                "--lora-rank",
                "2",
                "--condition",
                "genre",
                "--context",
                "400",
                *TINY[4:],
            ],
            trained,
            [r"checkpoint-4$"],
            0,
        ),
        "explore": Verb(["explore", str(corpus)], nothing, [r"explore\.html", *ends[:1]], 0, resume=False),
        "label": Verb(["label", str(corpus.parent / "nb-svm"), *tables[:1]], nothing, [r"\.part"], 0, suffix=".csv"),
        "write": Verb(
            ["write", str(corpus.parent / "ngram"), "-n", "2"], nothing, [r"\.tmp"], 0, resume=False, suffix=".txt"
        ),
    }


NOISE = ("seconds", "cpu", "wall", "worker_peak_bytes", "tokens_per_second", "memory_available")


def quiet(value: Any) -> Any:
    """Return a JSON value without what a clock or a gauge told."""
    if isinstance(value, dict):
        return {key: quiet(item) for key, item in value.items() if not any(noise in key for noise in NOISE)}
    return [quiet(item) for item in value] if isinstance(value, list) else value


def content(folder: Path) -> dict[str, Any]:
    """Return every file below a folder: bytes, or what a JSON file says but for seconds; pages and pictures by name."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = quiet(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            found[name] = [quiet(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix == ".safetensors":  # the order of the keys of its header differs from run to run
            data = path.read_bytes()
            size = 8 + int.from_bytes(data[:8], "little")
            found[name] = (json.loads(data[8:size]), data[size:])
        elif path.suffix in (".html", ".svg", ".csv") or (path.name == "README.md" and path.parent.name == "model"):
            found[name] = ""
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def points(verb: Verb, changes: list[Event], seconds: float, chance: random.Random) -> list[tuple[str, float]]:
    """Return when to kill: before a change, or after so many seconds."""
    found: list[tuple[str, float]] = []
    told = [" ".join(change) for change in changes]
    for pattern in verb.boundaries:
        met = [number for number, change in enumerate(told, 1) if re.search(pattern, change)]
        assert met, (pattern, told)
        found.append(("change", met[-1]))
    found += [("moment", chance.uniform(0.02, seconds)) for _ in range(verb.at_random)]
    if MANY:
        found += [("change", chance.randint(1, len(changes))) for _ in range(MANY // 2)]
        found += [("moment", chance.uniform(0.02, seconds)) for _ in range(MANY - MANY // 2)]
    return found


RUNS = {"label": ("nb-svm", []), "write": ("ngram", ["--target", "lyrics", "--vocabulary", "300"])}
"""What a command needs: the recipe of a run, and its options."""


@pytest.mark.parametrize(
    "name", ["prepare", "neural", "writer", "linear", "study", "gpt", "lora", "explore", "label", "write"]
)
def test_a_kill_at_any_moment_costs_nothing_that_was_finished(
    nursery: Nursery, corpus: Path, tables: list[str], name: str, record_property: Callable[[str, object], None]
) -> None:
    if name == "linear" and not MANY:
        pytest.skip("one is in the study; alone only with LYRIST_KILLS")
    verb = verbs(corpus, tables)[name]
    calm, out = nursery.folder / f"{name}-calm{verb.suffix}", nursery.folder / f"{name}{verb.suffix}"
    if name == "lora":
        chat_model(corpus.parent / "chat", Corpus.open(corpus).songs("train")["lyrics"].to_list() * 4)
    if name in RUNS:
        recipe, options = RUNS[name]
        nursery.run(["train", recipe, str(corpus), *options, "--out", str(nursery.folder / recipe)])
    began = time.monotonic()
    changes = nursery.run([*verb.arguments, "--out", str(out)])
    seconds = time.monotonic() - began
    out.rename(calm)
    whole = content(calm)
    command = [*verb.arguments, "--out", str(out)]
    kills = points(verb, changes, seconds, random.Random(7))
    for how, when in kills:
        if how == "change":
            nursery.kill_before(command, int(when))
        else:
            nursery.kill_after(command, when)
        note = out.with_name(f".{out.name}.complete")
        whole_then = out.exists() or (note.exists() and note.read_text())
        again = r"/runs/[^/]+\.partial" if name == "study" else r"\.partial/"  # a study tells anew what its runs say
        forbidden = [again] if whole_then else verb.finished(staging_path(out))
        changed = nursery.run([*command, *(["--resume"] if verb.resume else [])])
        at = f"killed {how} {when} of {len(changes)} changes, {seconds:.2f} s"
        for event in (
            event for event in changed if verb.finished is not nothing and event[0] not in ("os.remove", "os.rmdir")
        ):
            written = event[2] if event[0] == "os.rename" else event[1]
            assert not any(re.search(pattern, written) for pattern in forbidden), f"{at}: done again: {event}"
        told = content(out)
        assert list(told) == list(whole), at
        for file, value in whole.items():
            assert told[file] == value, f"{at}: {file} differs"
        assert {path.name for path in nursery.folder.iterdir() if re.search(rf"\b{name}\b", path.name)} <= {
            out.name,
            calm.name,
            f".{out.name}.lock",
            *RUNS.get(name, ())[:1],
        }, at
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    record_property("kills", len(kills))
