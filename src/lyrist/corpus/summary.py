"""What a person reads about a corpus: the summary after ``prepare``, examples of what went, and the dataset card."""

from __future__ import annotations

from shlex import quote
from typing import Any

import numpy as np
import polars as pl

from lyrist.corpus.arrays import components
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.duplicates import covers
from lyrist.corpus.labels import LISTS
from lyrist.corpus.languages import LANGUAGES
from lyrist.corpus.ledger import REASONS, Ledger
from lyrist.corpus.reading.chunks import ENCODED
from lyrist.text import counted, printable

CONTAINED = "contained"
"""The kind of songs that are inside another: grouped, or dropped for this reason where that was requested."""

REPAIRS = {
    "nul-byte": "{} held a NUL byte, which was removed",
    "translation": "{} held a song and its translation with one set of times; the translation was left out",
}
"""What the readers mend without dropping the row; {} is "N rows"."""


def of_corpus(corpus: Corpus) -> str:
    """Return the summary: how many rows came in, what went and why, how the rest is split, and where it is."""
    info, ledger = corpus.info, corpus.ledger
    counts = info["counts"]
    lines = [f"{ledger.read:,} rows read, {ledger.kept:,} songs kept, {ledger.read - ledger.kept:,} dropped"]
    for reason, count in sorted(ledger.dropped.items(), key=lambda item: -item[1]):
        lines.append(f"  {count:>9,}  {reason:<18} {REASONS.get(reason, '')}")
    if ledger.dropped:
        commonest = max(ledger.dropped, key=ledger.dropped.__getitem__)
        lines.append(f"  (see them: lyrist prepare --out {quote(str(corpus.path))} --show-dropped {commonest})")
    if "invalid-utf8" in ledger.dropped:
        lines.append("  Rows are not valid UTF-8: if the table has another encoding, say so, as in --encoding cp1252.")
    if not any("artist" in source["columns"] for source in info["sources"]):
        lines.append("No column was taken for the artist: if the table has one, name it, as in --artist COLUMN.")
    lines += _notes(info)
    lines += _unread(info)
    lines += [_repaired(kind, count) for kind, count in counts["repaired"].items()]
    lines += [*_notices(corpus), _clusters(counts), *_contained(corpus), _splits(counts, info)]
    lines.append("languages: " + _shares(counts["languages"]))
    lines += several(info.get("multi_label", {}))
    changed = {rule: n for rule, n in counts["rules"].items() if n}
    if changed:
        rules = sorted(changed.items(), key=lambda item: -item[1])[:6]
        lines.append("cleaned: " + ", ".join(f"{rule} in {counted(n, 'song')}" for rule, n in rules))
    lines += [f"masked: the {name} in {n:,} song{'s' * (n != 1)}" for name, n in counts.get("masked", {}).items()]
    lines.append(f"corpus: {corpus.path}  (fingerprint {corpus.fingerprint}, {counts['seconds']['wall']:.1f} s)")
    return printable("\n".join(lines))


def several(columns: dict[str, Any]) -> list[str]:
    """Return a line for each column with several labels a song, see `lyrist.corpus.labels.multi_columns`."""
    return [
        f"several labels a song in {name}: {counted(found['labels'], 'label')}, "
        + ("in lists" if found["separator"] == LISTS else f"separated by '{found['separator']}'")
        + f"; more than one in {counted(found['several'], 'song')} (--multi-label off: one label a song)"
        for name, found in columns.items()
    ]


def _notes(info: dict[str, Any]) -> list[str]:
    """Return how tables were read that are not as usual: joined lines, no header, another encoding."""
    notes = [f"{source['name']}: {note}" for source in info["sources"] for note in source.get("notes", ())]
    return [*notes[:10], f"and {len(notes) - 10:,} more such notes in corpus.json"] if len(notes) > 10 else notes


def _unread(info: dict[str, Any]) -> list[str]:
    """Return which files of folders and patterns are not in the corpus, and why."""
    unread: dict[str, str] = info.get("unread", {})
    if not unread:
        return []
    lines = [f"{len(unread):,} file{'s were' if len(unread) > 1 else ' was'} not read:"]
    lines += [f"  {name}: {why}" if name not in why else f"  {why}" for name, why in list(unread.items())[:20]]
    return [*lines, f"  and {len(unread) - 20:,} more in ledger.json"] if len(unread) > 20 else lines


def _repaired(kind: str, count: int) -> str:
    rows = counted(count, "row")
    if kind.startswith(ENCODED):
        return f"{rows} of tables in UTF-8 read as {kind.removeprefix(ENCODED)}, detected; --encoding names another."
    return REPAIRS.get(kind, "{}: " + kind).format(rows) + "."


def _clusters(counts: dict[str, Any]) -> str:
    found = counts["clusters"]
    if not found["songs"]:
        return "near-copies: none found"
    return (
        f"near-copies: {counted(found['songs'], 'song')} in {counted(found['clusters'], 'cluster')} (the dropped ones "
        f"included), {found['covers']:,} with covers (several artists); "
        f"{counts['near_copies_across_splits']:,} are divided between splits"
    )


def _notices(corpus: Corpus) -> list[str]:
    """Return the texts of the notes of sites that were dropped."""
    if not corpus.ledger.dropped.get("site-notice"):
        return []
    texts = corpus.dropped("site-notice")["detail"].unique(maintain_order=True)
    more = [f"  and {len(texts) - 3:,} more"] if len(texts) > 3 else []
    return [
        "notes of sites, one text each (--duplicates keep keeps them):",
        *(f"  {text}" for text in texts.head(3)),
        *more,
    ]


def _contained(corpus: Corpus) -> list[str]:
    """Return how many songs are grouped with what contains them, and some of them by title."""
    found = corpus.info["counts"].get("contained", {"songs": 0})
    if not found["songs"]:
        return []
    lines = [
        f"contained: {counted(found['songs'], 'song')} inside others (live versions, excerpts, remixes), grouped in "
        f"{counted(found['clusters'], 'cluster')}; {counted(found['across_splits'], 'pair')} across splits"
    ]
    pairs = examples(corpus, CONTAINED, 3)
    lines += [f"  {_pair(row)}" for row in pairs.iter_rows(named=True)]
    return [*lines, f"  (see them: lyrist prepare --out {quote(str(corpus.path))} --show-dropped contained)"]


def _pair(row: dict[str, Any]) -> str:
    one, other = (
        " - ".join(part for part in (row[f"{of}artist"], row[f"{of}title"]) if part) or "?" for of in ("", "within_")
    )
    return f"{one} is in {other} ({row['containment']:.0%})"


def _splits(counts: dict[str, Any], info: dict[str, Any]) -> str:
    split = info["settings"]["split"]
    by = f"the table's column {split['column']}" if split["column"] else split["by"]
    by += f" (training up to {split['train_until']})" if split.get("train_until") else ""
    line = f"split by {by}: " + ", ".join(f"{name} {counts['splits'][name]:,}" for name in SPLITS)
    for name in ("validation", "test"):
        wanted = 0 if split["column"] or split["by"] == "year" else split[name] * counts["kept"]
        if counts["splits"][name] < wanted / 2:
            line += (
                f"; {name} is far below the {wanted:,.0f} requested, since songs that belong together are not parted"
            )
    return line


def _shares(languages: dict[str, int]) -> str:
    total = max(sum(languages.values()), 1)
    shares = [f"{LANGUAGES.get(code, code)} {n:,} ({n / total:.1%})" for code, n in list(languages.items())[:6]]
    return ", ".join(shares) + (f" and {len(languages) - 6} more" if len(languages) > 6 else "")


def dropped_examples(corpus: Corpus, reason: str, limit: int = 20) -> str:
    """Return the first rows that were dropped for ``reason``, a line each."""
    if reason == CONTAINED and reason not in corpus.ledger.dropped:
        pairs = examples(corpus, reason)
        lines = [f"contained: {len(pairs):,} pairs, kept and grouped on one side of the split"]
        lines += [f"  {_pair(row)}" for row in pairs.head(limit).iter_rows(named=True)]
        more = (
            [f"  and {len(pairs) - limit:,} more in {corpus.path / 'contained.parquet'}"] if len(pairs) > limit else []
        )
        return printable("\n".join(lines + more))
    rows = corpus.dropped(reason, limit)
    total = corpus.ledger.dropped[reason]
    lines = [f"{reason}: {total:,} rows. {REASONS.get(reason, '')}"]
    for row in rows.iter_rows(named=True):
        name = " - ".join(part for part in (row["artist"], row["title"]) if part) or "?"
        lines.append(
            f"  {row['source']} row {row['row']:,}: {name}" + (f"  [{row['detail']}]" if row["detail"] else "")
        )
    if total > limit:
        lines.append(f"  and {total - limit:,} more in {corpus.path / 'dropped'}")
    return printable("\n".join(lines))


def examples(corpus: Corpus, reason: str, limit: int | None = None) -> pl.DataFrame:
    """Return the rows dropped for ``reason``, or the kept pairs of songs of which one contains the other."""
    if reason != CONTAINED or reason in corpus.ledger.dropped:
        return corpus.dropped(reason, limit)
    pairs = corpus.contained.drop_nulls(["split", "within_split"]).sort("containment", "id", descending=[True, False])
    return pairs if limit is None else pairs.head(limit)


def count_contained(pairs: pl.DataFrame, ledger: Ledger) -> dict[str, int]:
    """Return how many kept songs are contained in other kept songs, and in how many pairs and splits these are."""
    kept = pairs.drop_nulls(["split", "within_split"])
    ids, within = (kept[name].to_list() for name in ("id", "within"))
    names = {song: place for place, song in enumerate(dict.fromkeys([*ids, *within]))}
    left, right = (np.array([names[song] for song in column], np.int64) for column in (ids, within))
    return {
        "songs": kept["id"].n_unique(),
        "pairs": len(kept),
        "clusters": len(np.unique(components(len(names), left, right))),
        "across_splits": int((kept["split"] != kept["within_split"]).sum()),
        "medleys": ledger.dropped.get("medley", 0),
    }


def count_clusters(named: pl.DataFrame) -> dict[str, int]:
    """Return how many songs are in clusters, how many clusters there are, and how many of these hold covers.

    ``named`` is id, cluster, kind and artist of every song in a near-duplicate cluster of two or more.
    """
    return {
        "songs": len(named),
        "clusters": named["cluster"].n_unique(),
        "exact": int((named["kind"] == "exact").sum()),
        "covers": int(covers(named)["cover"].sum()),
    }


def card(info: dict[str, Any], ledger: Ledger) -> str:
    """Return the dataset card in Markdown, with the header that the Hugging Face Hub reads."""
    counts = info["counts"]
    codes = [code for code in list(counts["languages"])[:20] if code != "und"]
    reasons = "\n".join(f"| {r} | {n:,} | {REASONS.get(r, '')} |" for r, n in sorted(ledger.dropped.items()))
    sources = "\n".join(
        f"| {_cell(s['name'])} | {s['bytes']:,} | {s['rows']:,} | `{s['sha256']}` |" for s in info["sources"]
    )
    return f"""---
language: [{", ".join(f'"{code}"' for code in codes)}]
task_categories: [text-classification, text-generation]
configs:
- config_name: default
  data_files:
{"".join(f"  - split: {s}{chr(10)}    path: songs/{s}-*.parquet{chr(10)}" for s in SPLITS if counts["splits"][s])}---

# A corpus of song lyrics

Made by Lyrist {info["lyrist"]}; fingerprint `{info["fingerprint"]}`. {ledger.read:,} rows were read, {ledger.kept:,} songs kept.
The lyrics belong to their owners: this card grants no right to them.

| split | songs |
|---|---|
{"".join(f"| {s} | {counts['splits'][s]:,} |{chr(10)}" for s in SPLITS)}
## Sources

| table | bytes | rows | sha256 |
|---|---|---|---|
{sources}

{_not_read(info)}## What was dropped

| reason | rows | meaning |
|---|---|---|
{reasons}

{_clusters(counts)}. {_splits(counts, info)}.
Every setting is in `corpus.json`; every dropped row in `dropped/`.
"""


def _not_read(info: dict[str, Any]) -> str:
    rows = "\n".join(f"| {_cell(name)} | {_cell(why)} |" for name, why in info.get("unread", {}).items())
    return f"## Files that were not read\n\n| file | why |\n|---|---|\n{rows}\n\n" if rows else ""


def _cell(text: str) -> str:
    """Make ``text`` harmless in a Markdown table."""
    return (
        printable(text)
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("\n", " ")
        .replace("<", "&lt;")
        .replace("`", "'")
    )
