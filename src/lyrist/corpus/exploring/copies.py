"""Sections of the page of `explore` about copies: which songs are the same, and what that gives away in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lyrist.corpus.corpus import Corpus
from lyrist.reports import figures
from lyrist.reports.page import Block, Column, Details, Prose, Section, Table

SHOWN = 60
"""The page lists so many; the table beside it lists more."""


def near_copies(found: dict[str, Any]) -> Section:
    """Return the section on clusters of near-copies, covers first."""
    copies = found["near_copies"]
    if not copies["looked_for"]:
        told = "They were not looked for (`lyrist prepare --duplicates keep`): a split of this corpus may leak."
        return Section("Near-copies and covers", [Prose(told, "warning")], anchor="near-copies")
    if not copies["clusters"]:
        return Section("Near-copies and covers", [], "None were found.", anchor="near-copies")
    intro = (
        f"{copies['songs']:,} songs stand in {copies['clusters']:,} clusters of the same or nearly the same text; "
        f"{copies['covers']:,} clusters hold several artists. Songs of one cluster never stand on two sides of a split."
    )
    blocks = [
        _cluster_table(
            [c for c in copies["list"] if c["cover"]], "Covers: one text, several artists", copies["covers"]
        ),
        _cluster_table(
            [c for c in copies["list"] if not c["cover"]],
            "Copies under one name",
            copies["clusters"] - copies["covers"],
        ),
    ]
    return Section("Near-copies and covers", [block for block in blocks if block], intro, anchor="near-copies")


def _cluster_table(clusters: Sequence[dict[str, Any]], title: str, total: int) -> Block | None:
    if not clusters:
        return None
    rows: list[list[str | float]] = []
    for cluster in clusters[:SHOWN]:
        first, *others = [_named(song) for song in cluster["songs"]]
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        rows.append([first, "; ".join(others[:3]) + more, cluster["jaccard"]])
    note = f"{len(rows):,} of {total:,}; `tables/near_copies.csv` has more." if len(rows) < total else ""
    columns: list[str | Column] = ["song", "the same as", Column("similarity", ".2f", note="Jaccard, lowest")]
    return Details(f"{title} ({total:,})", [Table(columns, rows, note=note)], open=total <= 30 or "Covers" in title)


def _named(song: dict[str, Any]) -> str:
    gone = "" if song["split"] else " (dropped)"
    return f"{song['artist'] or '?'} – {song['title'] or '?'}{gone}"


def leak(found: dict[str, Any], corpus: Corpus) -> Section:
    """Return the section on what test songs have in common with training."""
    leak = found["leak"]
    random, own = leak["random"], leak["corpus"]
    split = corpus.info["settings"]["split"]
    by = f"the table's column {split['column']}" if split["column"] else f"by {split['by']}"
    parts = {"a random split": random, f"this corpus, split {by}": own}
    lines = [
        (key, what)
        for key, what in (("artist", "their artist"), ("near_copy", "a near-copy"))
        if random[key] is not None
    ]
    intro = (
        "A model is tested on songs that it has not seen. If it has seen the artist, it may know the singer rather than the "
        "genre; if it has seen a near-copy, it may know the song by heart. A random split of single songs allows both."
    )
    blocks: list[Block] = []
    if not random["test"] or not own["test"]:
        blocks.append(Prose("There are too few songs for a test split."))
    elif lines:
        shares = {name: [told[key] or 0.0 for key, _ in lines] for name, told in parts.items()}
        picture = figures.stacked(
            [f"{what} is in training" for _, what in lines],
            shares,
            side_by_side=True,
            spec=".1%",
            title="Test songs of which …",
            name="leak",
            caption=f"{random['test']:,} test songs of a random split with the near-copies that were dropped in it; "
            f"{own['test']:,} of this corpus.",
            width=560,
        )
        blocks.append(picture)
    if random["artist"] is not None and not split["column"] and split["by"] == "song":
        blocks.append(
            Prose(
                "To tell artists apart, each must be in training. To tell genres, compare with "
                "`lyrist prepare --split-by artist`: the difference is what the singer gives away.",
                "note",
            )
        )
    if not leak["looked_for"]:
        blocks.append(Prose("Near-copies were not looked for (`--duplicates keep`).", "warning"))
    return Section("What a random split would leak", blocks, intro, anchor="leak")
