"""`demo`: every step on the built-in songbook, from a table with the usual defects to one page with the results."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lyrist import files
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.explore import explore
from lyrist.corpus.ledger import REASONS
from lyrist.corpus.prepare import Prepared, prepare
from lyrist.errors import LyristError
from lyrist.evaluation.label import Labelled, label
from lyrist.generation import output
from lyrist.generation.config import GenerationConfig
from lyrist.generation.form import counts
from lyrist.reports import page
from lyrist.reports.blocks import Block, Code, Column, Facts, Links, Lyrics, Page, Prose, Section, Table
from lyrist.results import Result
from lyrist.songbook import songbook, write_songbook
from lyrist.studies.study import Studied, study
from lyrist.training.train import Fitted, train

if TYPE_CHECKING:
    from lyrist.training.writer import Writer

INDEX, TABLE, UNSEEN, LABELS, GENRE_STUDY = "index.html", "songbook.csv", "unseen.csv", "labels.parquet", "genre.toml"

SPLIT: dict[str, Any] = {"languages": "en", "test": 0.16, "stratify": "artist"}
"""Options of `prepare`: more test songs than by default, because the table is small."""

GENRE = """# A study of your own is a file like this one.
name = "genre"
target = "genre"
why = "A song's act gives its genre away: a split by song has every act in training, a split by artist does not."

[[recipes]]
recipe = "majority"

[[recipes]]
recipe = "artist-lookup"

[[recipes]]
recipe = "layout"

[[recipes]]
recipe = "nb-svm"

[[recipes]]
recipe = "ensemble"
"""

WRITER = "ngram"
"""The recipe of the fitted writer: a network takes too long for a demo."""

PRETRAINED = "smollm2"
"""The pretrained model that writes the songs; where it cannot be fetched, the fitted writer does."""

LYRICS = GenerationConfig(form="verse,chorus", rhyme="AABB", syllables=8, original=6, candidates=10, seed=1)
"""The options of the songs of the pretrained model: few candidates, because each line takes seconds on a CPU."""
PRETRAINED_GENRES = 2
"""The pretrained model writes a song for each of so many genres, for the same reason."""

GENERATION = GenerationConfig(
    temperature=0.75, min_p=0.1, form="verse,chorus,verse", rhyme="AABB", syllables=9, original=6, seed=1
)

SHOWN = 8
"""Labelled songs on the page."""


@dataclass(frozen=True)
class Written:
    """A song of the demo."""

    genre: str
    title: str
    """Title of a real song of the genre, which a pretrained model was requested to write under."""
    text: str
    copied: str
    """Longest run of words that also occurs in a training song."""
    note: str


@dataclass(frozen=True, repr=False)
class Shown(Result):
    """A finished demo."""

    path: Path
    prepared: Prepared
    studied: Studied
    genre: Studied
    labelled: Labelled
    written: Fitted
    songs: list[Written]
    without: str
    """Why the pretrained model did not write the songs; empty if it did."""
    seconds: float

    def summary(self) -> str:
        """Return what each step found, and where to look."""
        parts = (self.prepared, self.studied, self.genre, self.labelled, self.written)
        return "\n\n".join(
            [
                *(part.summary() for part in parts),
                f"Open {self.path / INDEX} in a browser. Everything above took {self.seconds:.0f} s.",
            ]
        )

    def figures(self) -> dict[str, Any]:
        """Return the figures of each step."""
        return {
            "prepare": self.prepared.figures(),
            "study": self.studied.figures(),
            "genre": self.genre.figures(),
            "label": self.labelled.figures(),
            "train": self.written.figures(),
            "writer": WRITER if self.without else PRETRAINED,
            "songs": [{"genre": song.genre, "lyrics": song.text, "copied": song.copied} for song in self.songs],
            "seconds": self.seconds,
        }


def demo(*, out: str = "demo", seed: int = 0) -> Shown:
    """Do everything on the built-in songbook: prepare, explore, study, label, write, and one page with the results.

    Parameters
    ----------
    out
        The directory: songbook.csv, corpus, explore, study, genre, labels.parquet, writer and index.html go there.
    seed
        Seed of the split and of everything else that is random.

    Raises
    ------
    LyristError
        ``out`` holds something else, or cannot be written.
    """
    importlib.import_module("lyrist.studies.samples")  # first: it needs PyTorch, without which no part is begun
    started, folder = time.monotonic(), Path(out)
    _claim(folder)
    with files.explained(folder), files.locked(folder.absolute()):
        return _shown(folder, seed, started)


def _shown(folder: Path, seed: int, started: float) -> Shown:
    corpus = str(folder / "corpus")
    write_songbook(folder / TABLE)
    prepared = prepare(str(folder / TABLE), out=corpus, seed=seed, **SPLIT)
    explore(corpus, out=str(folder / "explore"))
    studied = study("ladder", corpus, out=str(folder / "study"), target="artist", seed=seed)
    files.write_text(folder / GENRE_STUDY, GENRE)
    genre = study(str(folder / GENRE_STUDY), corpus, out=str(folder / "genre"), seed=seed)
    assert isinstance(studied, Studied)  # noqa: S101 - the ladder is a study of classifiers
    assert isinstance(genre, Studied)  # noqa: S101
    labelled = _labelled(folder, prepared.corpus, studied)
    written = train(WRITER, corpus, out=str(folder / "writer"), condition="genre", seed=seed)
    assert isinstance(written, Fitted)  # noqa: S101 - it writes
    writer, without = _pretrained()
    songs = _songs(written, writer, prepared.corpus)
    shown = Shown(folder, prepared, studied, genre, labelled, written, songs, without, time.monotonic() - started)
    page.write(_index(shown), folder / INDEX)
    return shown


def _claim(folder: Path) -> None:
    """Make the directory; raise where it holds something else than an earlier demo."""
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / TABLE).is_file():
            raise LyristError(f"{folder} exists and is not an earlier demo (it has no {TABLE}); choose another --out.")


def _labelled(folder: Path, corpus: Corpus, studied: Studied) -> Labelled:
    """Label songs that the selected run has not seen: the test songs, and the songs in other languages."""
    other = corpus.dropped("other-language")["row"].to_list()
    table = (
        pl.read_csv(folder / TABLE, truncate_ragged_lines=True)
        .with_row_index("row", 1)
        .filter(pl.col("row").is_in(other))
    )
    columns = ["title", "artist", "lyrics"]
    pl.concat([corpus.songs("test", columns), table.select(columns)]).write_csv(folder / UNSEEN)
    run = studied.path / "runs" / studied.results["picked"]
    return label(str(run), str(folder / UNSEEN), out=str(folder / LABELS), top=3, overwrite=True)


def _pretrained() -> tuple[Writer | None, str]:
    """Return the pretrained model, fetched if necessary; None, and the reason, if it cannot be had."""
    from lyrist.models import fetch
    from lyrist.training.writer import Writer

    try:
        fetch.fetch(PRETRAINED)
        return Writer.pretrained(PRETRAINED), ""
    except LyristError as error:
        return None, str(error)


def _songs(written: Fitted, pretrained: Writer | None, corpus: Corpus) -> list[Written]:
    """Write a song for each genre, or for some, to a form; none is selected."""
    from lyrist.evaluation.originality import Index
    from lyrist.generation.write import compose
    from lyrist.studies.samples import note

    writer, index, songs = pretrained or written.run.writer, Index.of(corpus), []
    with output.shown(None):
        for genre in written.run.writer.conditions["genre"][: PRETRAINED_GENRES if pretrained else None]:
            title = _real(corpus, genre)["title"]
            config = replace(LYRICS, title=title) if pretrained else GENERATION
            (song,) = compose(writer, given={"genre": genre}, config=config, index=index)
            met, copied = counts(song.lines)["rhymes"], index.copied(song.text)
            rhymes = f"Rhymes met: {met['met']} of {met['wanted']}, {met['perfect']} of them perfect."
            songs.append(Written(genre, title, song.text, copied.words, f"{rhymes} {note(copied)}"))
    return songs


def _real(corpus: Corpus, genre: str) -> dict[str, Any]:
    """Return a test song of a genre."""
    songs = corpus.songs("test", ["genre", "artist", "title", "year", "lyrics"])
    return songs.filter(pl.col("genre") == genre).row(0, named=True)


# The page.


def _index(shown: Shown) -> Page:
    results, ledger = shown.studied.results, shown.prepared.corpus.ledger
    lines = {line["name"]: line["test"]["accuracy"] for line in results["recipes"]}
    best = lines[results["picked"]]
    by_song, by_artist = _genre_accuracies(shown.genre.results)
    facts = Facts(
        [
            (
                "rows read",
                f"{ledger.read:,}",
                f"{ledger.kept:,} kept, {ledger.read - ledger.kept:,} dropped with a reason",
            ),
            (
                "who sings it",
                f"{best['value']:.0%}",
                f"{results['picked']}, 95% interval {best['low']:.0%} to {best['high']:.0%}",
            ),
            (
                "without words",
                f"{lines['layout']['value']:.0%}",
                "the same task from line lengths and punctuation alone",
            ),
            ("genre, split by act", f"{by_artist:.0%}", f"but {by_song:.0%} where the acts are known from training"),
            ("total time", f"{shown.seconds:.0f} s", "on this machine"),
        ]
    )
    why = Prose(
        f"The songbook has {len(songbook())} original songs by twelve invented acts in four genres, written for Lyrist (CC0). "
        "Three acts share each genre, and all share a layout, so a model must read the words. Its table has the usual defects "
        "of tables on the web."
    )
    return Page(
        "Lyrist on its own songbook",
        [
            _dropped(shown.prepared.corpus),
            _prevented(shown.prepared.corpus, shown.genre),
            _ladder(shown.studied),
            _labels(shown),
            _lyrics(shown),
            Section("More of this demo", [_links()]),
            Section(
                "On your own songs", [_commands()], "Any table will do: CSV, Parquet, JSON, or a folder of text files."
            ),
        ],
        subtitle="From a table of songs to models that are compared, labels and lyrics",
        kicker="Lyrist demo",
        lead=(facts, why),
    )


def _dropped(corpus: Corpus) -> Section:
    """Return the dropped rows by reason, with an example of each."""
    rows = []
    for reason, count in sorted(corpus.ledger.dropped.items(), key=lambda each: -each[1]):
        example = corpus.dropped(reason, 1).row(0, named=True)
        named = " - ".join(str(example[key]) for key in ("artist", "title") if example.get(key))
        rows.append((reason, count, REASONS[reason], named))
    return Section(
        "What was dropped, and why",
        [Table(["reason", Column("rows", align="right"), "meaning", "for example"], rows)],
        f"Rows read = songs kept + rows dropped: {corpus.ledger.read:,} = {corpus.ledger.kept:,} + "
        f"{corpus.ledger.read - corpus.ledger.kept:,}. `lyrist prepare --out corpus --show-dropped REASON` lists them.",
    )


def _prevented(corpus: Corpus, genre: Studied) -> Section:
    """Return the versions that were kept on one side of the split, and the genre study by song and by artist."""
    songs = corpus.songs(columns=["id", "artist", "title"]).rows_by_key("id", named=True, unique=True)
    sides = {
        row: split for split in ("train", "validation", "test") for row in corpus.songs(split, ["id"])["id"].to_list()
    }
    versions = [
        (songs[a]["artist"], songs[a]["title"], songs[b]["title"], share, sides[a])
        for a, b, share in corpus.contained.select("id", "within", "containment").iter_rows()
    ]
    results = genre.results
    other = {line["name"]: line["test"]["accuracy"]["value"] for line in results["other_split"]["recipes"]}
    rows = [(line["name"], line["test"]["accuracy"]["value"], other.get(line["name"])) for line in results["recipes"]]
    by_song, by_artist = _genre_accuracies(results)
    return Section(
        "Leaks that were prevented",
        [
            Table(
                ["act", "song", "is in", Column("share", ".0%", align="right"), "both in"],
                versions,
                caption="Versions of one song are on the same side of the split",
                note="Their Jaccard similarity is too small to call them near-copies, but a split of single rows could have put "
                "a live version into training and the song into test.",
            ),
            Table(
                ["recipe", Column("split by song", ".1%"), Column("split by artist", ".1%")],
                rows,
                caption="Test accuracy of the genre",
                note="`artist-lookup` reads no lyrics: it looks up the genre of the act. So "
                f"{by_song:.0%} by song is mostly knowledge of acts; on acts that are not in training it is {by_artist:.0%}.",
            ),
        ],
    )


def _genre_accuracies(results: dict[str, Any]) -> tuple[float, float]:
    """Return the test accuracy of the selected recipe by song and by artist."""
    found = (
        next(each for each in lines if each["name"] == results["picked"])
        for lines in (results["recipes"], results["other_split"]["recipes"])
    )
    by_song, by_artist = (line["test"]["accuracy"]["value"] for line in found)
    return by_song, by_artist


def _ladder(studied: Studied) -> Section:
    results = studied.results
    rows, picked = [], []
    for number, line in enumerate(results["recipes"]):
        accuracy = line["test"]["accuracy"]
        interval = f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"
        rows.append((line["name"], accuracy["value"], interval, line["test"]["macro_f1"], line["seconds"]))
        picked += [number] if line["name"] == results["picked"] else []
    return Section(
        "Who sings it? Twelve acts, from the lyrics",
        [
            Table(
                [
                    "recipe",
                    Column("test accuracy", ".1%", bar=True),
                    "95% interval",
                    Column("macro F1", ".3f"),
                    Column("seconds", ".1f"),
                ],
                rows,
                highlight=picked,
                note=f"Marked: selected by {results['chosen_by']}; the test songs were used once, at the end.",
            ),
            Links(
                [
                    (
                        "The report of the study",
                        "study/report.html",
                        "tests of differences, confusions, words that decide",
                    )
                ]
            ),
        ],
        f"The study `ladder` on {results['recipes'][0]['test']['n']} test songs; the first rows are baselines without words.",
    )


def _labels(shown: Shown) -> Section:
    """Return labels of songs that the run has not seen: certain ones, uncertain ones, and songs unlike the training songs."""
    frame = shown.labelled.frame.with_columns(size=pl.col("prediction_set").list.len())
    flagged = frame.filter(pl.col("flags").list.len() > 0).head(SHOWN // 4)
    known = frame.filter(pl.col("flags").list.len() == 0).sort("probability", descending=True)
    some = pl.concat([flagged, *(known[round(at * (len(known) - 1) / (SHOWN - 1))] for at in range(SHOWN))])
    rows = [
        (
            row["title"], row["artist"], row["label"], row["probability"],
            ", ".join(row["prediction_set"][:4]) + (f" and {row['size'] - 4} more" if row["size"] > 4 else ""),
            ", ".join(row["flags"]),
        )
        for row in some.iter_rows(named=True)
    ]  # fmt: skip
    best = next(line for line in shown.studied.results["recipes"] if line["name"] == shown.studied.results["picked"])
    sets = best["test"].get("prediction_sets")
    reached = f" On the test songs they do in {sets['coverage']['value']:.0%}." if sets else ""
    return Section(
        "Labels for songs that it has not seen",
        [
            Table(
                ["song", "act", "label", Column("probability", ".0%"), "prediction set", "unlike the training songs"],
                rows,
            ),
            Links([("All labels", LABELS, f"{len(frame):,} rows, as Parquet")]),
        ],
        f"Prediction sets contain the true act in 90% of cases, so an uncertain song has a long one.{reached} Songs in another "
        "language are flagged.",
    )


def _lyrics(shown: Shown) -> Section:
    """Return the written songs, each followed by a real test song of its genre."""
    from lyrist.studies.samples import span

    name = WRITER if shown.without else PRETRAINED
    blocks: list[Block] = []
    for song in shown.songs:
        marked = span(song.text, song.copied)
        theirs = _real(shown.prepared.corpus, song.genre)
        blocks += [
            Lyrics(
                song.text,
                [(*marked, 1.0)] if marked else [],
                title=f"{song.genre}, written by {name}",
                note=song.note,
            ),
            Lyrics(
                theirs["lyrics"], title=f"{song.genre}, real: {theirs['artist']}, {theirs['title']} ({theirs['year']})"
            ),
        ]
    info, cost = shown.written.run.info, shown.written.run.results["test"]["bits_per_byte"]["value"]
    if shown.without:
        intro = (
            f"Written by n-grams of {info['songs']['train']} songs, counted in {info['seconds']:.1f} s ({cost:.2f} bits per byte "
            f"of unseen songs), to the form {GENERATION.form} with {GENERATION.rhyme} rhymes. They know words and phrases of the "
            f"songbook and no more. The pretrained model was not used: {shown.without}"
        )
    else:
        intro = (
            f"Written by the pretrained model {PRETRAINED}, which was not tuned, to the form {LYRICS.form} with "
            f"{LYRICS.rhyme} rhymes and {LYRICS.syllables} syllables a line; genre and title were given. (The n-grams that "
            f"were fitted on the songbook have {cost:.2f} bits per byte of unseen songs.)"
        )
    intro += (
        " None of the songs was selected. Marked: the longest run of words that also occurs in a training song. Below each song "
        "is a real one of the same genre."
    )
    return Section("Songs that it wrote, beside real ones", blocks, intro)


def _links() -> Links:
    return Links(
        [
            ("The ladder study", "study/report.html", "every recipe, its interval, its errors"),
            ("The genre study", "genre/report.html", f"a study of your own, from {GENRE_STUDY}"),
            (
                "The songs in pictures",
                "explore/explore.html",
                "words, lines, repetition, years, near-copies, what was dropped",
            ),
            ("The corpus", "corpus/README.md", "its card; the songs are Parquet files in corpus/songs"),
        ]
    )


def _commands() -> Code:
    return Code(
        "lyrist prepare YOUR_TABLE.csv --out corpus\n"
        "lyrist explore corpus\n"
        "lyrist study ladder corpus --target artist --out study\n"
        "lyrist label study/runs/ensemble YOUR_TABLE.csv --out labels.parquet\n"
        "lyrist models fetch smollm2\n"
        'lyrist write smollm2 --title "Paper Boats" --about childhood --form verse,chorus --rhyme AABB --syllables 8'
    )
