"""`explore`: what is in a corpus, as one page, pictures, tables and figures for machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import progress
from lyrist.corpus import trends
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.languages import LANGUAGES
from lyrist.corpus.profile import find
from lyrist.corpus.summary import several
from lyrist.errors import UsageError
from lyrist.files import spreadsheet_safe, staged, write_json, write_text
from lyrist.results import Result
from lyrist.text import printable

PAGE, FIGURES = "explore.html", "explore.json"


@dataclass(frozen=True, repr=False)
class Explored(Result):
    """What `explore` returns: where the page is, and what was found."""

    path: Path
    found: dict[str, Any]

    def summary(self) -> str:
        """Return what a person wants to know first, and where the page is."""
        found = self.found
        artists, genres, languages = found["artists"], found["genres"], found["languages"]
        lines = [f"{found['corpus']['songs']:,} songs by {artists['different']:,} artists"]
        if genres["songs"]:
            most = genres["songs"][0]
            each = "; a song with several genres counts for each" if "labels" in genres else ""
            lines.append(f"genres: {genres['different']:,}, most {most['genre']} ({most['share']:.1%}){each}")
        lines += several(found["several_labels"])
        if languages["songs"]:
            shares = [
                f"{LANGUAGES.get(row['language'], row['language'])} {row['share']:.1%}" for row in languages["songs"]
            ]
            lines.append("languages: " + ", ".join(shares[:4]))
        words, repeated = found["lengths"]["words"]["spread"], found["repetition"]["songs"]
        if words:
            lines.append(f"words in a song: {words['p50']:,.0f} (median); repeated words: {repeated['p50']:.0%}")
        copies = found["near_copies"]
        if copies["looked_for"]:
            lines.append(f"near-copies: {copies['clusters']:,} clusters, {copies['covers']:,} of them covers")
        lines += [_contained(found["contained"]), _mentions(found["mentions"])]
        lines += [_leak(found["leak"]), _doubtful(found["doubtful"])]
        lines.append(f"page: {self.path / PAGE}")
        return printable("\n".join(line for line in lines if line))

    def figures(self) -> dict[str, Any]:
        """Return everything that was found, as in ``explore.json``."""
        return {"page": str(self.path / PAGE), **self.found}


def explore(
    corpus: str, *, out: str | None = None, top: int = 30, doubtful: str | None = None, raw_csv: bool = False
) -> Explored:
    """Draw what is in a corpus: one page that needs no network, pictures, tables, and figures for machines.

    Parameters
    ----------
    corpus
        The corpus directory that ``lyrist prepare`` made.
    out
        Where to write explore.html, explore.json, figures/ and tables/; by default CORPUS/explore.
    top
        How many artists to show: those with the most songs.
    doubtful
        A column of labels, such as genre or artist: list the songs whose label is probably wrong by a model of the lyrics,
        too. By default, genres are compared between near-copies, contained versions and the songs of an artist only.
    raw_csv
        Write texts to tables/ as they are. By default a text that a spreadsheet would read as a formula gets a ``'`` before it.

    Returns
    -------
    Explored
        ``found`` holds what ``explore.json`` does.

    Raises
    ------
    LyristError
        There is no such corpus, it is damaged, or ``out`` cannot be written or holds something else.
    """
    from lyrist.corpus.profile_page import page_of
    from lyrist.reports.figures import save
    from lyrist.reports.page import figures_of, write

    if not 1 <= top <= 500:
        raise UsageError(f"--top is a number of artists from 1 to 500; {top} is not.")
    opened = Corpus.open(corpus)
    if doubtful is not None:
        opened.check_target(doubtful)
    final = Path(out) if out else opened.path / "explore"
    with staged(final, marker=FIGURES) as building:
        found = find(opened, top, doubtful)
        with progress.task("drawing", "pictures") as advance:
            page = page_of(found, opened)
            advance(1, 1)
        write(page, building / PAGE)
        for figure in figures_of(page):
            save(figure, building / "figures" / f"{figure.name}.svg")
        _write_tables(found, building / "tables", raw_csv)
        write_json(building / FIGURES, found)
    return Explored(final, found)


def _contained(contained: dict[str, Any]) -> str:
    n = contained["songs"]
    return f"contained in other songs (live versions, excerpts, remixes): {n:,} song{'s' * (n != 1)}" if n else ""


def _mentions(mentions: dict[str, dict[str, int]]) -> str:
    parts = [
        f"{label} in {one['named']:,} of {one['known']:,} songs ({one['named'] / one['known']:.1%})"
        for label, one in mentions.items()
        if one["known"]
    ]
    return f"labels that the lyrics name: {', '.join(parts)}" if parts else ""


def _leak(leak: dict[str, Any]) -> str:
    random = leak["random"]
    parts = [
        f"{random[key]:.1%} of its test songs a known {what}"
        for key, what in (("artist", "artist"), ("near_copy", "near-copy"))
        if random[key] is not None
    ]
    return f"a random split would have given {' and '.join(parts)}" if parts else ""


def _doubtful(found: dict[str, Any]) -> str:
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in found["reasons"].items() if n)
    return f"songs with a doubtful {found['column']}: {found['listed']:,} ({reasons})" if reasons else ""


def _write_tables(found: dict[str, Any], folder: Path, raw: bool) -> None:
    """Write one CSV file for each table that has rows."""
    tables: dict[str, list[dict[str, Any]]] = {
        "artists": found["artists"]["songs"],
        "genres": found["genres"]["songs"],
        "languages": found["languages"]["songs"],
        "years": found["years"]["songs"],
        "dropped": found["rows"]["dropped"],
        "words_by_genre": _flat(found["words"]["genre"], "genre"),
        "words_by_artist": _flat(found["words"]["artist"], "artist"),
        "lengths": [
            {"measure": name, **length["spread"]}
            for name, length in found["lengths"].items()
            if isinstance(length, dict) and length["spread"]
        ],
        "genre_profiles": [
            {"genre": row["genre"], "songs": row["songs"], "artists": row["artists"]}
            | {
                f"{name}_{key}": value
                for name in ("words", "repetition", "diversity")
                for key, value in (row[name] or {}).items()
            }
            for row in found["genres"]["profiles"]
        ],
        "trends": trends.table_of(found["trends"]),
        "contained": found["contained"]["list"],
        "doubtful": found["doubtful"]["list"],
        "near_copies": [
            {"cluster": number, "cover": cluster["cover"], "jaccard": cluster["jaccard"], **song}
            for number, cluster in enumerate(found["near_copies"]["list"])
            for song in cluster["songs"]
        ],
    }
    folder.mkdir()
    for name, rows in tables.items():
        if rows:
            table = pl.DataFrame(rows, infer_schema_length=None)
            write_text(folder / f"{name}.csv", (table if raw else spreadsheet_safe(table)).write_csv())


def _flat(groups: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{name: group[name], **word} for group in groups for word in group["words"]]
