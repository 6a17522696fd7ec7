"""``lyrist prepare`` compared with a notebook, in one run, on one generated table.

Both read the same CSV, clean it, identify the languages, drop copies and near-copies, split and write. CPU seconds are
compared, since they do not depend on what else the machine does; wall seconds and memory are also reported. langdetect
is so slow that it sees a sample of the songs, and its seconds are scaled by songs; everything else in the notebook runs
on as many rows as `lyrist prepare` gets, up to ``--notebook-rows``, and is scaled only beyond that.

    python benchmarks/prepare.py [--rows 20000] [--notebook-rows 20000] [--languages-of 1000] [--runs 3] [--json] [--out PAGE.md]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import __version__
from lyrist.files import write_text
from measuring import Run, measure
from songtables import Truth, generate

LIKE = 0.6
"""Planted copies from this Jaccard similarity on are expected to be found."""

STAGES = {
    "read": (("ingest",), ("read",)),
    "clean and filter": (("clean", "filter"), ("clean", "filter")),
    "languages": (("language",), ("language",)),
    "copies, splits, writing": (("signatures", "write", "narrow", "write songs"), ("copies", "split and write")),
}
"""For each stage: the names of its parts in ``corpus.json``, and in the notebook."""

SHORT = "language, 400 characters"


@dataclass(frozen=True)
class Side:
    """What one of the two took, for all songs of the table."""

    stages: dict[str, float]
    """CPU seconds; ``start, and the rest`` among them."""
    wall: float
    peak: int
    """Bytes."""
    found: float
    """Share of the planted copies with a similarity of `LIKE` or more that are not in the result."""
    lost: int
    """English songs that are no copies and yet not in the result."""

    @property
    def cpu(self) -> float:
        """CPU seconds of the whole."""
        return sum(self.stages.values())


def lyrist(truth: Truth, folder: Path) -> Side:
    """Run ``lyrist prepare`` on the table."""
    corpus = folder / "corpus"
    command = [sys.executable, "-m", "lyrist", "prepare", str(truth.path), "--out", str(corpus)]
    run = measure([*command, "--languages", "en", "--quiet"])
    seconds = json.loads((corpus / "corpus.json").read_text())["counts"]["seconds"]["cpu"]
    stages = {stage: sum(seconds.get(part, 0.0) for part in parts) for stage, (parts, _) in STAGES.items()}
    stages["start, and the rest"] = max(run.cpu - sum(stages.values()), 0.0)
    dropped = pl.read_parquet(corpus / "dropped" / "*.parquet", columns=["row"])["row"]
    rows = pl.Series(range(1, truth.rows + 1))
    return Side(stages, run.wall, run.peak, *_right(truth, rows.filter(~rows.is_in(dropped.implode())), truth.rows))


def notebook(truth: Truth, folder: Path, rows: int, languages_of: int) -> tuple[Side, Side, dict[str, Any]]:
    """Run the notebook; return what it takes with langdetect on whole texts, and on 400 characters, and its figures."""
    script = Path(__file__).with_name("notebook.py")
    command = [sys.executable, str(script), str(truth.path), str(folder / "notebook"), "--rows", str(rows)]
    run = measure([*command, "--languages-of", str(languages_of)])
    figures = json.loads(run.output)
    seconds, scale = figures["seconds"], truth.rows / rows
    by_song = figures["filtered"] / figures["languages_of"]
    right = _right(truth, pl.Series(figures.pop("ids")) - 1_000_000, rows)

    def side(language: str) -> Side:
        told = {**seconds, "language": seconds[language] * by_song}
        stages = {stage: scale * sum(told[part] for part in parts) for stage, (_, parts) in STAGES.items()}
        stages["start, and the rest"] = seconds["start"]
        return Side(stages, _wall(run, seconds, sum(stages.values())), run.peak, *right)

    return side("language"), side(SHORT), figures


def _wall(run: Run, seconds: dict[str, float], cpu: float) -> float:
    """Return wall seconds of the whole, as far from its CPU seconds as in the run that was measured."""
    return cpu * run.wall / max(sum(seconds.values()), 1e-9)


def _right(truth: Truth, kept: pl.Series, rows: int) -> tuple[float, int]:
    """Return the share of planted copies among the first ``rows`` that were dropped, and how many songs were lost."""
    known = truth.table().filter(pl.col("row") <= rows)
    copies = known.filter(pl.col("jaccard") >= LIKE)["row"]
    songs = pl.Series(range(1, rows + 1))
    songs = songs.filter(~songs.is_in(known["row"].implode()))
    return 1 - float(copies.is_in(kept.implode()).mean() or 0), int((~songs.is_in(kept.implode())).sum())


def results(rows: int, notebook_rows: int, languages_of: int, seed: int) -> dict[str, Any]:
    """Generate a table, run both, and return all figures."""
    with tempfile.TemporaryDirectory(prefix="lyrist-bench-") as name:
        folder = Path(name)
        truth = generate(rows, folder / "songs.csv", seed=seed)
        size = truth.path.stat().st_size
        ours = lyrist(truth, folder)
        whole, short, figures = notebook(truth, folder, min(rows, notebook_rows), languages_of)
    sides = {"lyrist": ours, "notebook": whole, "notebook_400": short}
    return {
        "rows": rows,
        "bytes": size,
        "seed": seed,
        "planted": dict(truth.planted),
        "lyrist_version": __version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "notebook_rows": figures["read"],
        "languages_of": figures["languages_of"],
        "sides": {
            key: {**asdict(side), "cpu": side.cpu, "songs_per_second": rows / side.cpu} for key, side in sides.items()
        },
        "ratio": whole.cpu / ours.cpu,
        "ratio_400": short.cpu / ours.cpu,
    }


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run with the median ratio, and the ratios of all."""
    ordered = sorted(runs, key=lambda found: float(found["ratio"]))
    return {**ordered[len(ordered) // 2], "ratios": [found["ratio"] for found in ordered]}


def table(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the lines of the table: a name and a cell for each side; the first line is its head."""
    sides, rows = found["sides"], found["rows"]
    lines: list[tuple[str, ...]] = [
        ("songs a CPU second", "lyrist", "notebook", "notebook, 400 characters", "ratio", "ratio, 400 characters")
    ]
    for stage in STAGES:
        taken = [side["stages"][stage] for side in sides.values()]
        lines.append((stage, *(_rate(rows, seconds) for seconds in taken), *_ratios(taken)))
    start = [side["stages"]["start, and the rest"] for side in sides.values()]
    lines.append(("start, and the rest", *(f"{seconds:.1f} s" for seconds in start), "", ""))
    taken = [side["cpu"] for side in sides.values()]
    lines.append(("all", *(_rate(rows, seconds) for seconds in taken), *_ratios(taken)))
    lines.append(("CPU seconds", *(f"{seconds:,.1f}" for seconds in taken), *_ratios(taken)))
    wall = [side["wall"] for side in sides.values()]
    lines.append(("wall seconds", *(f"{seconds:,.1f}" for seconds in wall), *_ratios(wall)))
    lines.append(("peak memory", *(f"{side['peak'] / 1e6:,.0f} MB" for side in sides.values()), "", ""))
    lines.append(("planted copies found", *(f"{side['found']:.1%}" for side in sides.values()), "", ""))
    lines.append(("songs lost", *(f"{side['lost']:,}" for side in sides.values()), "", ""))
    return lines


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}" if seconds else "-"


def _ratios(taken: list[float]) -> tuple[str, str]:
    ours, *others = taken
    first, second = (f"{other / ours:.1f}" if ours else "-" for other in others)
    return first, second


def plain(found: dict[str, Any]) -> str:
    """Return the table for a terminal."""
    lines = table(found)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    told = ["  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([_about(found), "", *told, "", _verdict(found)])


def page(found: dict[str, Any], command: str) -> str:
    """Return the page of the documentation."""
    head, *lines = table(found)
    markdown = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    markdown += [f"| {' | '.join(line)} |" for line in lines]
    text = ["# Benchmark: `prepare` against a notebook", "", f"Made by `{command}`; not written by hand.", ""]
    text += [_about(found), "", *markdown, "", _verdict(found), "", NOTES]
    return "\n".join(text)


NOTES = f"""## How it is measured

- Both sides run as processes of their own, one after the other, on the same CSV, which `benchmarks/generate.py` made for
  the run. CPU seconds are those of the process and all its children; memory is the sum over them, looked at ten times a
  second, with shared pages counted once.
- The notebook is `benchmarks/notebook.py`: pandas with `apply` and `re`, langdetect on whole texts or on their first 400
  characters, datasketch's MinHashLSH (128 hashes, threshold 0.5). Its rules of cleaning cover only the debris that is
  planted here.
- langdetect sees a random sample, and its seconds are scaled by songs; where the notebook read fewer rows than Lyrist, its
  other seconds are scaled as well, but not those to start and to import. Its wall seconds are its CPU seconds times the
  wall seconds that a CPU second took in its run. Its memory is that of the rows it read.
- *Planted copies found*: the share of copies and covers with a Jaccard similarity of {LIKE} or more that did not get
  into the result. *Songs lost*: English songs without a twin that did not get into it, for whatever reason.
"""


def _about(found: dict[str, Any]) -> str:
    return (
        f"{found['rows']:,} generated rows ({found['bytes'] / 1e6:,.0f} MB CSV, seed {found['seed']}); "
        f"Lyrist {found['lyrist_version']}, Python {found['python']}, {found['cores']} cores. The notebook read "
        f"{found['notebook_rows']:,} rows, and langdetect {found['languages_of']:,} songs of them."
    )


def _verdict(found: dict[str, Any]) -> str:
    ours, notebook_side = found["sides"]["lyrist"], found["sides"]["notebook"]
    ratios = ", ".join(f"{ratio:.1f}" for ratio in found["ratios"])
    several = (
        f" Of {len(found['ratios'])} runs, whose ratios were {ratios}, this is the median." if "," in ratios else ""
    )
    return (
        f"`prepare` takes {1e6 * ours['cpu'] / found['rows']:,.0f} microseconds of CPU a song, the notebook "
        f"{found['ratio']:.1f} times as much ({found['ratio_400']:.1f} times where langdetect sees only 400 characters). "
        f"Peak memory: {ours['peak'] / 1e6:,.0f} MB on {found['rows']:,} rows against "
        f"{notebook_side['peak'] / 1e6:,.0f} MB on {found['notebook_rows']:,}.{several}"
    )


def main() -> None:
    """Measure, and print or write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--notebook-rows", type=int, default=20_000, help="rows that the notebook reads at most")
    parser.add_argument("--languages-of", type=int, default=1_000, help="songs that langdetect sees")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=1, help="measure so often, and show the run with the median ratio")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--out", type=Path, help="write the page of the documentation here")
    given = parser.parse_args()
    size = (given.rows, given.notebook_rows, given.languages_of, given.seed)
    found = median([results(*size) for _ in range(given.runs)])
    print(json.dumps(found, indent=2) if given.json else plain(found))
    if given.out:
        asked = [
            f"--{name.replace('_', '-')} {value}" for name, value in vars(given).items() if name not in ("json", "out")
        ]
        write_text(given.out, page(found, " ".join(["python benchmarks/prepare.py", *asked])))


if __name__ == "__main__":
    main()
