"""``lyrist prepare`` at several sizes: seconds, memory and songs a second by stage, and whether the result is right.

    python benchmarks/scale.py --rows 300000 1000000 --folder FOLDER [--results scale.json]
    python benchmarks/scale.py --results scale.json --page docs/scale.md
    python benchmarks/scale.py --results scale.json --simulate 5900000

Everything is on: all rules of cleaning, the language of every song, exact copies and near-copies, a balance, splits by
artist. Tables are generated (kept in the folder and used again; a million songs are 1.5 GB), prepared in a process of
its own under two workers, and the corpus is checked against the truth that the generator recorded. Each size is written
into the results as soon as it is measured. ``--page`` puts tables and a figure of all results into the page.
``--simulate`` prints what the measured seconds of all tasks make of more cores.
"""

from __future__ import annotations

import argparse
import heapq
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from checking import SIMILAR, check
from lyrist import __version__
from lyrist.corpus.corpus import Corpus
from lyrist.files import read_json, staging_path, write_json, write_text
from lyrist.reports.figures import curves
from measuring import measure
from songtables import generate

OPTIONS = ("--balance", "genre", "--split-by", "artist")
WORKERS = 2
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

STAGES = {
    "ingest": "read",
    "clean": "clean",
    "filter": "filter",
    "language": "languages",
    "signatures": "signatures of copies",
    "write": "write clean songs",
    "narrow": "copies, balance, splits",
    "write songs": "write the corpus",
}
"""The parts in ``corpus.json``, as the page calls them."""


def measured(rows: int, folder: Path, seed: int, *, keep: bool) -> dict[str, Any]:
    """Generate the table if it is not there, prepare it, check the corpus; return all figures."""
    table, corpus = folder / f"songs-{rows}-{seed}.csv", folder / f"corpus-{rows}-{seed}"
    if not table.exists():
        generate(rows, table, seed=seed)
    shutil.rmtree(corpus, ignore_errors=True)
    command = [sys.executable, "-m", "lyrist", "prepare", str(table), "--out", str(corpus), *OPTIONS]
    run = measure([*command, "--workers", str(WORKERS), "--quiet"], lambda: stage(staging_path(corpus)))
    opened = Corpus.open(corpus)
    seconds = opened.info["counts"]["seconds"]["cpu"]
    found = {
        "rows": rows,
        "seed": seed,
        "bytes": table.stat().st_size,
        "lyrist": __version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "options": [*OPTIONS, "--workers", str(WORKERS)],
        "fingerprint": opened.fingerprint,
        "cpu": run.cpu,
        "wall": run.wall,
        "peak": run.peak,
        "peaks": run.peaks,
        "walls": run.seconds,
        "tasks": opened.info["counts"]["seconds"]["tasks"],
        "main process": opened.info["counts"]["seconds"]["main process"],
        "seconds": {**seconds, "start, and the rest": max(run.cpu - sum(seconds.values()), 0.0)},
        "kept": opened.ledger.kept,
        "check": check(opened, table),
    }
    if not keep:
        shutil.rmtree(corpus)
    return found


def stage(building: Path) -> str:
    """Return what `lyrist prepare` is at, told from the files that it has written so far."""
    work = building / "work"
    if not (work / "ingest.json").exists():
        return "writing" if (building / "songs").exists() else "reading"
    if (building / "songs").exists():
        return "writing"
    done = sum(1 for _ in (work / "counts").glob("*.json"))
    return "text" if done < sum(1 for _ in (work / "raw").glob("*.parquet")) else "copies and splits"


def plain(found: list[dict[str, Any]]) -> str:
    """Return the tables of all sizes as Markdown."""
    sizes = [f"{one['rows']:,}" for one in found]
    parts = [_table(["songs read", *sizes], _costs(found)), "", "CPU-microseconds a song, by stage:", ""]
    stages = {**STAGES, "start, and the rest": "start, and the rest"}
    lines = [
        [name, *(f"{1e6 * one['seconds'].get(key, 0) / one['rows']:.1f}" for one in found)]
        for key, name in stages.items()
    ]
    parts += [_table(["stage", *sizes], lines), "", "Songs a CPU-second, by stage:", ""]
    lines = [
        [name, *(f"{one['rows'] / max(one['seconds'].get(key, 0), 1e-9):,.0f}" for one in found)]
        for key, name in STAGES.items()
    ]
    parts += [_table(["stage", *sizes], lines), "", "Against what was planted:", ""]
    return "\n".join([*parts, _table(["", *sizes], _truths(found))])


def _costs(found: list[dict[str, Any]]) -> list[list[str]]:
    stages = list(dict.fromkeys(name for one in found for name in one["peaks"]))
    return [
        ["CSV", *(f"{one['bytes'] / 1e9:.2f} GB" for one in found)],
        ["CPU-seconds", *(f"{one['cpu']:,.0f}" for one in found)],
        ["CPU-microseconds a song", *(f"{1e6 * one['cpu'] / one['rows']:.0f}" for one in found)],
        ["songs a CPU-second", *(f"{one['rows'] / one['cpu']:,.0f}" for one in found)],
        ["wall seconds", *(f"{one['wall']:,.0f}" for one in found)],
        ["peak memory, all processes", *(f"{one['peak'] / 1e6:,.0f} MB" for one in found)],
        *(
            [f"... while at {name}", *(f"{one['peaks'].get(name, 0) / 1e6:,.0f} MB" for one in found)]
            for name in stages
        ),
    ]


def _truths(found: list[dict[str, Any]]) -> list[list[str]]:
    every = [one["check"] for one in found]
    lines = [["exact copies found", *(_found(one["copies"]["exact"]) for one in every)]]
    above = "1"
    for least in map("{:g}".format, SIMILAR):
        name = f"near-copies of similarity {least} to {above} found" if least != "0" else "below that"
        lines.append([name, *(_found(one["copies"][least]) for one in every)])
        above = least
    lines.append(["all copies of similarity 0.8 and more", *(_found(one["recall"]) for one in every)])
    lines.append(["songs merged wrongly", *(f"{m['false']:,} of {m['songs']:,}" for m in (o["merges"] for o in every))])
    codes = dict.fromkeys(code for one in every for code in one["languages"])
    for code in codes:
        cells = [one["languages"].get(code) for one in every]
        lines.append(
            [f"language identified: {code}", *(f"{c['right']:.3%} of {c['n']:,}" if c else "-" for c in cells)]
        )
    for what in ("cluster", "artist"):
        lines.append(
            [f"{what}s on two sides of the split", *(str(o["splits"][f"{what}s_on_two_sides"]) for o in every)]
        )
    lines.append(["the ledger's sums agree", *("yes" if one["ledger"]["agrees"] else "NO" for one in every)])
    for kind in dict.fromkeys(kind for one in every for kind in one["no_songs"]):
        lines.append([f"{kind} rows left out", *(_found(one["no_songs"].get(kind)) for one in every)])
    lines.append(["songs lost", *(f"{one['lost']:,}" for one in every)])
    return lines


def _found(share: dict[str, Any] | None) -> str:
    return f"{share['found']:.2%} of {share['n']:,}" if share and share["n"] else "-"


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = f"|---|{'---:|' * (len(head) - 1)}"
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])


def figure(found: list[dict[str, Any]]) -> str:
    """Return the curve of CPU-seconds over songs as SVG, with a straight line through the smallest size beside it."""
    rows = [one["rows"] for one in found]
    least = min(found, key=lambda one: one["rows"])
    straight = [least["cpu"] / least["rows"] * count for count in rows]
    lines = {"measured": (rows, [one["cpu"] for one in found]), "in proportion": (rows, straight)}
    title = "CPU-seconds of prepare"
    return curves(lines, xlabel="songs", ylabel="CPU-seconds", log="xy", markers=True, title=title).svg


CORES = (1, 2, 8, 64, 512)


def simulated(one: dict[str, Any], rows: int) -> str:
    """Return the seconds of every stage on several numbers of cores, as Markdown, for so many songs.

    The measured tasks are repeated until they are as many as that many songs have, and each goes to the first core that is
    free; what the main process does takes as much longer, and no task runs meanwhile. A worker starts in as long as the main
    process does, all at the same time. Disks are as fast as they were.
    """
    times = rows / one["rows"]
    start = one["seconds"]["start, and the rest"] / (WORKERS + 1)
    stages: dict[str, list[float]] = {"start of the main process": [start] * len(CORES), "start of workers": []}
    stages["start of workers"] = [start if cores > 1 else 0.0 for cores in CORES]
    for name, seconds in one["tasks"].items():
        tasks = (seconds * -(-rows // one["rows"]))[: max(1, round(times * len(seconds)))]
        stages[f"tasks: {name}, {len(tasks):,}"] = [_makespan(tasks, cores) for cores in CORES]
    for name, took in one["main process"].items():
        stages[f"main process: {name}"] = [took * times] * len(CORES)
    whole = [sum(column) for column in zip(*stages.values(), strict=True)]
    lines = [[name, *(f"{value:,.1f}" for value in column)] for name, column in stages.items()]
    lines += [["all", *(f"{value:,.1f}" for value in whole)]]
    lines += [["speed-up", *(f"{whole[0] / value:.1f}" for value in whole)]]
    serial = 1 - sum(column[0] for name, column in stages.items() if name.startswith("tasks")) / whole[0]
    head = [f"seconds at {rows:,} songs", *(f"{cores} core{'s' * (cores > 1)}" for cores in CORES)]
    return f"{_table(head, lines)}\n\nThe main process alone: {serial:.1%} of the CPU-seconds.\n"


def _makespan(seconds: list[float], cores: int) -> float:
    """Return when the last task ends if each goes to the first core that is free."""
    free = [0.0] * cores
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks of the page."""
    whole = page.read_text(encoding="utf-8")
    head, _, rest = whole.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise SystemExit(f"{page} has no place for the figures: {BEGIN} ... {END}")
    write_text(page, f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print or write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[], help="sizes to measure")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("scale"), help="where tables and corpora are put")
    parser.add_argument("--keep", action="store_true", help="keep the corpora")
    parser.add_argument("--results", type=Path, help="JSON file that collects the figures of all sizes")
    parser.add_argument("--page", type=Path, help="page of the documentation that gets the figures")
    parser.add_argument(
        "--simulate", type=int, metavar="SONGS", help="print the seconds on more cores for so many songs"
    )
    given = parser.parse_args(arguments)
    known = read_json(given.results, "results") if given.results and given.results.exists() else []
    found = {one["rows"]: one for one in known}
    given.folder.mkdir(parents=True, exist_ok=True) if given.rows else None
    for rows in given.rows:
        found[rows] = measured(rows, given.folder, given.seed, keep=given.keep)
        if given.results:
            write_json(given.results, [found[size] for size in sorted(found)])
    ordered = [found[size] for size in sorted(found)]
    if given.simulate:
        sys.stdout.write(simulated([one for one in ordered if "tasks" in one][-1], given.simulate))
        return
    sys.stdout.write(plain(ordered) + "\n")
    if given.page:
        drawing = given.page.with_suffix(".svg")
        write_text(drawing, figure(ordered))
        about = f"Lyrist {ordered[-1]['lyrist']}, Python {ordered[-1]['python']}, {ordered[-1]['cores']} cores."
        text = f"![CPU-seconds of prepare over songs]({drawing.name})\n\n{about}\n\n{plain(ordered)}"
        put(given.page, text)


if __name__ == "__main__":
    main()
