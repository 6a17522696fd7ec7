"""`prepare`: tables of songs -> a corpus that can be trusted.

Four stages, each of which leaves files and is not done again by ``--resume``: *ingest* (tables -> raw shards), the *text
pass* (clean, filter, language, signatures; shard by shard on all cores or a cluster), the *narrow stages* (duplicates,
balance, splits: on ids and hashes only) and the *writing*. Everything is built beside the final place and renamed at the
end.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from lyrist import progress
from lyrist._version import __version__
from lyrist.corpus import summary
from lyrist.corpus.cleaning import RULES, Cleaning
from lyrist.corpus.columns import ROLES, kept_name
from lyrist.corpus.containment import contained_details, contained_pairs, scale_of
from lyrist.corpus.corpus import FORMAT, PAIRS, SPLITS, Corpus
from lyrist.corpus.duplicates import copy_details, near_copies, notice_details, with_names
from lyrist.corpus.ingest import Tables, ingest
from lyrist.corpus.labels import multi_columns
from lyrist.corpus.languages import check_languages
from lyrist.corpus.ledger import Ledger
from lyrist.corpus.parallel import Workers, check_engine
from lyrist.corpus.reading import find_sources
from lyrist.corpus.shards import FILE_BYTES, Filters, clean_shard, decided, place_songs, write_files
from lyrist.corpus.splits import Split, decide, read_labels
from lyrist.errors import LyristError, UsageError
from lyrist.files import finished, read_json, staged, write_json, write_text
from lyrist.results import Result

Duplicates = Literal["drop", "group", "keep"]
Contained = Literal["group", "drop", "keep"]

CORPUS = "corpus.json"

WORK = "work"
"""The folder of what the stages leave for each other; it goes when the corpus is whole."""

OTHER_SETTINGS = "The interrupted run had other settings; give the same options to --resume it, or leave --resume out."


@dataclass(frozen=True)
class Settings:
    """All that decides what comes out; saved in ``corpus.json``."""

    tables: Tables
    cleaning: Cleaning
    filters: Filters
    split: Split
    duplicates: Duplicates = "drop"
    """``drop`` all but one of each near-duplicate cluster, ``group`` them on one side of the split, or ``keep`` (ignore)."""
    balance: str | None = None
    """Column whose classes are down-sampled to the rarest."""
    seed: int = 0
    keep: tuple[str, ...] = field(default=())
    """Further columns of the table that the corpus keeps."""
    contained: Contained = "group"
    """``group`` songs with what contains them on one side of the split, ``drop`` the contained ones, or ``keep`` (ignore)."""

    mask: tuple[str, ...] = ()
    """Columns whose values are replaced by a placeholder in the lyrics of their songs."""

    multi_label: str = "auto"
    """How columns with several labels a song are found; see `lyrist.corpus.labels.multi_columns`."""

    @property
    def looks_inside(self) -> bool:
        """Whether contained versions are looked for; without near-copies they are not."""
        return self.duplicates != "keep" and self.contained != "keep"


@dataclass(frozen=True, repr=False)
class Prepared(Result):
    """What `prepare` returns: the corpus, and what a person wants to read about it."""

    corpus: Corpus
    show_dropped: str | None = None

    def summary(self) -> str:
        """Return how many songs were read, what was dropped and why, and where the corpus is."""
        if self.show_dropped:
            return summary.dropped_examples(self.corpus, self.show_dropped)
        return summary.of_corpus(self.corpus)

    def figures(self) -> dict[str, Any]:
        """Return the counts for ``--json``."""
        counts = self.corpus.info["counts"]
        found = {"corpus": str(self.corpus.path), **self.corpus.ledger.to_json(), "counts": counts}
        if self.corpus.info.get("unread"):
            found["unread"] = self.corpus.info["unread"]
        if self.corpus.info.get("multi_label"):
            found["multi_label"] = self.corpus.info["multi_label"]
        if self.show_dropped:
            shown = summary.examples(self.corpus, self.show_dropped, limit=100)
            found["examples"] = shown.to_dicts()
        return found


def prepare(
    *tables: str,
    out: str,
    preset: str = "auto",
    title: str | None = None,
    artist: str | None = None,
    genre: str | None = None,
    lyrics: str | None = None,
    language: str | None = None,
    year: str | None = None,
    keep: tuple[str, ...] = (),
    encoding: str = "auto",
    lines: Literal["auto", "join", "keep"] = "auto",
    languages: str = "all",
    genres: str = "",
    min_words: int = 10,
    non_songs: Literal["drop", "keep"] = "drop",
    max_words: int = 5_000,
    sections: Literal["drop", "keep"] = "drop",
    parentheses: Literal["drop", "keep"] = "keep",
    rules_off: str = "",
    mask_labels: str = "",
    multi_label: str = "auto",
    duplicates: Duplicates = "drop",
    contained: Contained = "group",
    balance: str | None = None,
    split_by: str = "song",
    train_until: int | None = None,
    stable: bool = False,
    split_column: str | None = None,
    stratify: str | None = None,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    engine: str = "local",
    workers: int | None = None,
    memory: int = 256,
    resume: bool = False,
    show_dropped: str | None = None,
) -> Prepared:
    """Make a clean corpus of tables of songs: every row ends in it or in its ledger with a reason.

    Parameters
    ----------
    tables
        Files, globs, folders or addresses (s3://, gs://, az://, hf://, https://): CSV, TSV, Parquet, JSON, JSONL (also .gz,
        .zip, .zst), or a folder of text files.
    out
        The corpus directory; an earlier corpus there is replaced when the new one is whole.
    preset
        How the columns are called: auto, or the name of a known table.
    title
        The table's column of titles, where its name is unusual.
    artist
        The table's column of artists.
    genre
        The table's column of genres.
    lyrics
        The table's column of lyrics.
    language
        The table's column of languages; the language is predicted from the lyrics in any case.
    year
        The table's column of years or dates.
    keep
        A further column to keep, such as a target; may be given several times. A column ``id`` becomes ``table_id``.
    encoding
        The encoding of text: auto detects it file by file, or the name of one, such as utf-8 or cp1252.
    lines
        Tables with one row per line of a song: auto recognises them and joins the rows, join insists on it, keep takes each
        row for a song.
    languages
        Codes such as en,es: songs in other languages are dropped; all keeps every one.
    genres
        Genres such as rap,pop: the others are dropped; empty keeps every one.
    non_songs
        ``drop`` lists of dates, albums or tracks and translations credited to the artist, or ``keep`` them.
    min_words
        Songs with fewer words are dropped.
    max_words
        Songs with more words are dropped.
    sections
        Section headers such as [Chorus]: drop them, or keep them as normalised lines.
    parentheses
        Text in parentheses (backing vocals): keep or drop it.
    rules_off
        Cleaning rules not to apply, separated by commas; ``lyrist rules`` lists them.
    mask_labels
        Columns such as artist, separated by commas: where the lyrics of a song name its value, the name becomes ___.
    multi_label
        Several labels a song, as in pop|rock, in genre and kept columns: auto recognises them, off takes each value for one
        label, or the text between two labels, such as "|".
    duplicates
        Near-copies: drop all but one, group them on one side of the split, or keep (ignore) them.
    contained
        Songs of which half is inside another (live versions, excerpts, remixes): group them on one side of the split,
        drop them, or keep (ignore) them. Medleys are dropped unless they are ignored.
    balance
        Column whose classes are down-sampled to the rarest.
    split_by
        song: near-copies stay together; artist: each artist's songs stay together as well; year: training on songs up to a
        year, test on later ones; or a column whose groups stay together.
    train_until
        With --split-by year, the last year of the training songs; by default the one after which the test share is.
    stable
        A song keeps its side when songs are added or the table is prepared again; the shares are only nearly as requested.
    split_column
        The table's own column of splits, used instead.
    stratify
        Column whose shares each split shall have; by default genre where the table has it, else artist.
    validation
        The share of songs that choose among models, from 0 to 1.
    test
        The share of songs on which models are scored, from 0 to 1.
    seed
        Decides the splits and the balance.
    engine
        local, ray, or ray://HOST:PORT.
    workers
        Processes that read, clean, compare and write; by default one a core.
    memory
        Megabytes, about, that a process may hold while copies and contained versions are looked for; less makes more,
        smaller tasks with the same result.
    resume
        Go on with an interrupted run of the same settings.
    show_dropped
        Show examples of the rows dropped for this reason (without tables: of the corpus that is there).

    Raises
    ------
    LyristError
        A table cannot be read, no column holds lyrics, nothing is left, or ``out`` cannot be written.
    """
    if not tables and show_dropped:
        return Prepared(Corpus.open(out, verify=False), show_dropped)
    if not tables:
        raise UsageError("prepare needs a table: lyrist prepare TABLE... --out CORPUS.")
    check_engine(engine)
    if memory < 1:
        raise UsageError(f"--memory is a number of megabytes, 1 or more; {memory} is not.")
    named = {"title": title, "artist": artist, "genre": genre, "lyrics": lyrics, "language": language, "year": year}
    kept = {name: kept_name(name) for name in keep}  # a column "source" is table_source; options may say either
    split_by = kept.get(split_by, split_by)
    balance, stratify = balance and kept.get(balance, balance), stratify and kept.get(stratify, stratify)
    settings = Settings(
        Tables.of(tables, preset, keep, encoding, lines, **named, split=split_column),
        Cleaning(sections=sections, parentheses=parentheses, off=_listed(rules_off)),
        Filters(
            languages=() if languages == "all" else tuple(check_languages(_listed(languages))),
            genres=tuple(name.lower() for name in _listed(genres)),
            min_words=min_words,
            non_songs=non_songs == "keep",
            max_words=max_words,
            labelled=_needed(balance, genres, split_by),
        ),
        Split(
            by=split_by,
            validation=validation,
            test=test,
            seed=seed,
            column=split_column,
            stratify=stratify,
            train_until=train_until,
            stable=stable,
        ),
        duplicates,
        balance,
        seed,
        tuple(kept.values()),
        contained,
        tuple(kept.get(name, name) for name in _listed(mask_labels)),
        multi_label,
    )
    final = Path(out)
    if resume and finished(final, CORPUS) and _is_finished(settings, final):
        return Prepared(Corpus.open(final), show_dropped)
    with (
        staged(final, resume=resume, marker=CORPUS, scaffold=(WORK,)) as building,
        Workers(engine, workers) as started,
    ):
        build(settings, building, started, memory << 20)
    return Prepared(Corpus.open(final, verify=False), show_dropped)


def build(settings: Settings, out: Path, workers: Workers, memory: int) -> None:
    """Run the stages and write the corpus into the directory ``out``; what an earlier run finished there is used."""
    work = out / WORK
    started = time.monotonic()
    work.mkdir(exist_ok=True)
    _same_settings(settings, work / "settings.json")
    own = {"": workers.own()}
    read = ingest(settings.tables, work, workers)
    own["reading"] = workers.own()
    _check_fields(settings, read)
    passed = _text_pass(settings, read, work, workers)
    own["text"] = workers.own()
    narrow_started = workers.clock()
    clusters = with_names(work, near_copies(work, workers, memory, ignore=settings.duplicates == "keep"))
    notices = notice_details(work, clusters)
    if len(notices) == passed["kept"]:
        raise _nothing_left(read, passed["reasons"] | {"site-notice": len(notices)})
    pairs = contained_pairs(work, clusters, workers, memory) if settings.looks_inside else PAIRS.to_frame()
    pairs = pairs.join(notices, on="id", how="anti").join(notices.rename({"id": "within"}), on="within", how="anti")
    clusters = clusters.join(notices, on="id", how="anti")
    decisions, leaked = decide(
        read_labels(work, _labels(settings), keyed=settings.split.stable),
        clusters,
        settings.split,
        drop=settings.duplicates == "drop",
        balanced=settings.balance,
        seed=settings.seed,
        contained=pairs,
        drop_contained=settings.contained == "drop",
        notices=notices["id"],
    )
    seconds = {"ingest": read["seconds"], **passed["seconds"], "narrow": workers.clock() - narrow_started}
    own["copies, balance, splits"] = workers.own()
    writing_started = workers.clock()
    details = pl.concat([notices, copy_details(clusters), contained_details(pairs)]).unique("id", keep="first")
    decided(work, decisions, details, passed["shards"])
    checksums, written = write_songs(settings, work, out, decisions, passed, workers)
    sides = decisions.select("id", pl.col("split").cast(pl.String))
    named = clusters.join(sides, on="id", how="left").sort("cluster", "id")
    named.write_parquet(out / "duplicates.parquet")
    pairs = pairs.drop("split", "within_split", strict=False).join(sides, on="id", how="left", maintain_order="left")
    pairs = pairs.join(sides.select(within="id", within_split="split"), on="within", how="left", maintain_order="left")
    pairs.select(*PAIRS).write_parquet(out / "contained.parquet")
    seconds["write songs"] = workers.clock() - writing_started
    ledger = _ledger(read, passed, decisions)
    ledger.check()
    counts = _counts(read, passed, named, decisions, leaked) | written
    counts["contained"] = summary.count_contained(pairs, ledger)
    write_json(
        out / "ledger.json",
        ledger.to_json()
        | {"grouped": {"contained": counts["contained"]["songs"]}}
        | ({"unread": read["unread"]} if read["unread"] else {}),
    )
    own["writing"] = workers.own()
    counts["seconds"] = {
        "wall": round(time.monotonic() - started, 2),
        "cpu": {k: round(v, 3) for k, v in seconds.items()},
        "main process": {k: round(own[k] - before, 3) for before, k in zip(own.values(), list(own)[1:], strict=False)},
        "tasks": {name: [round(one, 3) for one in each] for name, each in workers.seconds.items()},
    }
    info = {
        "format": FORMAT,
        "lyrist": __version__,
        "settings": dataclasses.asdict(settings),
        "sources": read["sources"],
        "unread": read["unread"],
        "columns": read["sources"][0]["columns"],
        "counts": counts,
        "fingerprint": _fingerprint(settings, read, decisions),
        "checksums": checksums,
    }
    info["multi_label"] = multi_columns(Corpus(out, info, ledger), settings.multi_label)
    write_text(out / "README.md", summary.card(info, ledger))
    write_json(out / CORPUS, info)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _needed(balance: str | None, genres: str, split_by: str) -> tuple[str, ...]:
    """Return the columns without which a song is dropped; the language is predicted for every song, whatever the table says."""
    needed = (
        balance if balance != "language" else None,
        "genre" if genres else None,
        "year" if split_by == "year" else None,
    )
    return tuple(dict.fromkeys(name for name in needed if name))


def _is_finished(settings: Settings, out: Path) -> bool:
    """Return whether the corpus ``out`` is of these settings, and of tables that are as long as they were, if still there."""
    info = read_json(out / CORPUS, "a corpus")
    if info.get("lyrist") != __version__ or info.get("settings") != _as_json(settings):
        return False
    try:
        now = {source.name: source.bytes for source in find_sources(settings.tables.tables, {})}
    except LyristError:
        return True
    before = {source["name"]: source["bytes"] for source in info["sources"]}
    return before == {name: size for name, size in now.items() if name not in info.get("unread", {})}


def _as_json(settings: Settings) -> Any:
    """Return the settings as JSON gives them back."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def _same_settings(settings: Settings, path: Path) -> None:
    """Refuse to go on with the work of other settings: the result would be a mixture."""
    wanted = _as_json(settings)
    if path.exists() and read_json(path, "an unfinished corpus") != wanted:
        raise LyristError(OTHER_SETTINGS)
    write_json(path, wanted)


def _check_fields(settings: Settings, read: dict[str, Any]) -> None:
    """Refuse options that speak of a column which no table has."""
    roles = {role for source in read["sources"] for role in source["columns"]} & set(ROLES) - {"lyrics"}
    have = roles | {"language", *settings.keep}
    needed = {"--balance": settings.balance, "--stratify": settings.split.stratify}
    if settings.filters.genres:
        needed["--genres"] = "genre"
    if settings.split.by != "song":
        needed[f"--split-by {settings.split.by}"] = settings.split.by
    needed |= {f"--mask-labels {name}": name for name in settings.mask}
    for option, column in needed.items():
        if column and column not in have:
            way = f"name it with --{column} COLUMN" if column in ROLES else f"keep it with --keep '{column}'"
            raise LyristError(
                f"{option} needs the column '{column}', which the corpus would not have; {way}. "
                f"It has: {', '.join(sorted(have))}."
            )


def _text_pass(settings: Settings, read: dict[str, Any], work: Path, workers: Workers) -> dict[str, Any]:
    """Clean all shards and add up their counts."""
    for name in ("clean", "keys", "signatures", "sketches", "changed", "dropped", "counts"):
        (work / name).mkdir(exist_ok=True)
    shards = [str(path) for path in sorted((work / "raw").glob("*.parquet"))]
    given = {
        "cleaning": dataclasses.asdict(settings.cleaning),
        "filters": dataclasses.asdict(settings.filters),
        "signatures": settings.duplicates != "keep" or settings.split.stable,
        "scale": scale_of(read["read"]) if settings.looks_inside else None,
        "keep": settings.keep,
        "mask": settings.mask,
    }
    by_shard: dict[str, dict[str, Any]] = {}
    done = 0
    with progress.task("cleaning") as advance:
        for counts in workers.map(clean_shard, shards, given):
            by_shard[counts["shard"]] = counts
            done += counts["read"]
            advance(done, read["read"])
    kept: dict[str, int] = {}
    repetition, peak, size = np.zeros(3), 0, 0
    sums: dict[str, dict[str, float]] = {"reasons": {}, "seconds": {}}
    for shard, counts in sorted(
        by_shard.items()
    ):  # as they came, the last digits would depend on which worker was faster
        kept[shard] = counts["kept"]
        size += counts["bytes"]
        repetition += counts["repetition"]
        peak = max(peak, counts["peak_bytes"])
        for name, added in sums.items():
            for key, value in counts[name].items():
                added[key] = added.get(key, 0) + value
    if not any(kept.values()):
        raise _nothing_left(read, sums["reasons"])
    measured = max(repetition[0], 1)
    words = {
        "songs": int(repetition[0]),
        "before": repetition[1] / measured,
        "after": repetition[2] / measured,
    }
    total = sum(kept.values())
    return {"kept": total, "shards": kept, "bytes": size, "repetition": words, "worker_peak_bytes": peak, **sums}


def write_songs(
    settings: Settings, work: Path, out: Path, decisions: pl.DataFrame, passed: dict[str, Any], workers: Workers
) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Write ``out/songs`` and ``out/dropped``; return the checksums, and what cleaning changed in the songs that were kept."""
    sizes = dict(decisions["split"].drop_nulls().value_counts().iter_rows())
    files = {name: -(-sizes.get(name, 0) * passed["bytes"] // (passed["kept"] * FILE_BYTES)) for name in SPLITS}
    files = {name: max(count, min(sizes.get(name, 0), 1)) for name, count in files.items()}
    for folder in (work / "placed", out / "songs", out / "dropped"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    given = {"work": str(work), "out": str(out), "files": files, "keep": settings.keep, "seed": settings.seed}
    names: list[list[str]] = []
    size = 0.0
    for split, count in files.items():
        for number in range(count):
            one = sizes[split] / count * passed["bytes"] / passed["kept"]
            if not names or size + one > FILE_BYTES:  # small files are one task
                names.append([])
                size = 0.0
            names[-1].append(f"{split}-{number:05d}")
            size += one
    rules = np.zeros(len(RULES), np.int64)
    masked = dict.fromkeys(settings.mask, 0)
    languages: dict[str, int] = {}
    with progress.task("writing", "files") as advance:
        total = len(passed["shards"]) + len(names)
        for done, found in enumerate(workers.map(place_songs, list(passed["shards"]), given), 1):
            rules += found["rules"]
            for added, counts in ((masked, found["masked"]), (languages, found["languages"])):
                for name, count in counts.items():
                    added[name] = added.get(name, 0) + count
            advance(done, total)
        checksums: dict[str, str] = {}
        for done, found in enumerate(workers.map(write_files, names, given), len(passed["shards"]) + 1):
            checksums |= found
            advance(done, total)
    for folder in (out / "songs", out / "dropped"):
        for left in folder.glob("*.tmp"):  # of a worker that was lost
            left.unlink()
    return dict(sorted(checksums.items())), {
        "rules": {rule.name: int(count) for rule, count in zip(RULES, rules, strict=True)},
        "languages": dict(sorted(languages.items(), key=lambda item: (-item[1], item[0]))),
        "masked": masked,
    }


def _nothing_left(read: dict[str, Any], dropped: dict[str, float]) -> LyristError:
    """Return the error of a table of which every row was rejected or dropped."""
    reasons = sorted({**read["rejected"], **dropped}.items(), key=lambda item: -item[1])
    why = ", ".join(f"{count:,.0f} {reason}" for reason, count in reasons)
    notice = " --duplicates keep keeps one text under many titles." if dropped.get("site-notice") else ""
    return LyristError(
        f"No song is left of {read['read']:,} rows: {why}. Loosen the filters, or check the columns.{notice}"
    )


def _labels(settings: Settings) -> list[str]:
    """Return the columns by which songs are split and balanced."""
    split = settings.split
    needed = (
        settings.balance,
        split.stratify,
        "split" if split.column else None,
        split.by if split.by != "song" else None,
    )
    return ["artist", "genre", *(name for name in needed if name)]


def _ledger(read: dict[str, Any], passed: dict[str, Any], decisions: pl.DataFrame) -> Ledger:
    dropped: dict[str, int] = {}
    narrow = dict(decisions["reason"].drop_nulls().value_counts().iter_rows())
    for counts in (read["rejected"], passed["reasons"], narrow):
        for reason, count in counts.items():
            dropped[reason] = dropped.get(reason, 0) + int(count)
    return Ledger(read=read["read"], kept=int(decisions["split"].is_not_null().sum()), dropped=dropped)


def _counts(
    read: dict[str, Any], passed: dict[str, Any], named: pl.DataFrame, decisions: pl.DataFrame, leaked: int
) -> dict[str, Any]:
    """Return what ``corpus.json`` counts, but for what `write_songs` counted."""
    splits = dict(decisions["split"].drop_nulls().value_counts().iter_rows())
    return {
        "read": read["read"],
        "kept": sum(splits.values()),
        "splits": {name: splits.get(name, 0) for name in SPLITS},
        "repaired": read["repaired"],
        "clusters": summary.count_clusters(named),
        "near_copies_across_splits": leaked,
        "repetition": passed["repetition"],
        "worker_peak_bytes": passed["worker_peak_bytes"],
    }


def _fingerprint(settings: Settings, read: dict[str, Any], decisions: pl.DataFrame) -> str:
    """Hash the settings, the bytes of the sources, and where every song went: the same on any machine and engine."""
    what = {**dataclasses.asdict(settings), "sources": [source["sha256"] for source in read["sources"]]}
    what.pop("multi_label")  # it changes no song
    what["tables"] = {k: v for k, v in what["tables"].items() if k != "tables"}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    kept = decisions.filter(pl.col("split").is_not_null())
    digest.update(kept["id"].to_numpy().tobytes())
    digest.update(kept["cluster"].to_numpy().tobytes())
    digest.update(kept["split"].replace_strict(SPLITS, [0, 1, 2], return_dtype=pl.UInt8).to_numpy().tobytes())
    return digest.hexdigest()[:16]
