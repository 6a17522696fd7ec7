"""The page of `explore`: what `findings.find` found, section by section.

Who sings and how much stands here; the text itself is in `exploretext`, copies and leaks in `explorecopies`. Where a
corpus has too little of something for a picture, a sentence says so, and how to have it.
"""

from __future__ import annotations

import shlex
from typing import Any

from lyrist._version import __version__
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.exploring.copies import leak, near_copies
from lyrist.corpus.exploring.texts import lengths, repetition, words
from lyrist.corpus.languages import LANGUAGES
from lyrist.reports import figures
from lyrist.reports.page import Block, Code, Column, Details, Facts, Figure, Items, Page, Prose, Section, Table


def page_of(found: dict[str, Any], corpus: Corpus) -> Page:
    """Return the page that shows ``found``."""
    songs, rows = found["corpus"]["songs"], found["rows"]
    sources = ", ".join(source["name"] for source in rows["sources"][:4])
    more = f" and {len(rows['sources']) - 4} more" if len(rows["sources"]) > 4 else ""
    sections = [
        _rows(found),
        _artists(found),
        _genres(found),
        _languages_and_years(found),
        *_other_columns(found),
        lengths(found),
        repetition(found),
        words(found),
        near_copies(found),
        leak(found, corpus),
        _made(found, corpus),
    ]
    return Page(
        title=f"{songs:,} song{'s' if songs != 1 else ''}, looked at closely",
        kicker="Lyrist · explore",
        subtitle=f"What is in the corpus made from {sources}{more}: who sings, about what, in which words, "
        "and what to beware of.",
        sections=sections,
        lead=[_facts(found)],
        footer=f"Made by Lyrist {__version__} from the corpus with the fingerprint {found['corpus']['fingerprint']}. "
        "Lyrics belong to their owners; this page shows single words of them only.",
    )


def _facts(found: dict[str, Any]) -> Facts:
    rows, artists, genres = found["rows"], found["artists"], found["genres"]
    languages, words, copies = found["languages"], found["lengths"]["words"]["spread"], found["near_copies"]
    told = [("songs", f"{rows['kept']:,}", f"of {rows['read']:,} rows read")]
    if artists["different"]:
        told.append(("artists", f"{artists['different']:,}", f"{rows['kept'] / artists['different']:.1f} songs each"))
    if genres["different"]:
        most = genres["songs"][0]
        told.append(("genres", f"{genres['different']:,}", f"{most['share']:.0%} {most['genre']}"))
    if languages["different"]:
        most = languages["songs"][0]
        told.append(("languages", f"{languages['different']:,}", f"{most['share']:.1%} {_language(most['language'])}"))
    if words:
        told.append(("words in a song", f"{words['p50']:,.0f}", "median"))
    if copies["looked_for"]:
        told.append(("near-copies", f"{copies['clusters']:,}", f"clusters, {copies['covers']:,} of them covers"))
    return Facts(told)


def _rows(found: dict[str, Any]) -> Section:
    rows = found["rows"]
    dropped = rows["dropped"]
    gone = rows["read"] - rows["kept"]
    intro = f"{rows['read']:,} rows were read and {rows['kept']:,} kept; every other row has a reason."
    blocks: list[Block] = []
    if dropped:
        bars = figures.bars(
            [(row["reason"], row["rows"]) for row in dropped],
            title=f"{gone:,} rows dropped, by reason",
            name="dropped",
        )
        table = Table(
            ["reason", Column("rows", ",d"), Column("of all rows", ".2%"), "meaning"],
            [[row["reason"], row["rows"], row["share"], row["meaning"]] for row in dropped],
        )
        blocks += [bars, table] if len(dropped) > 1 else [table]
    else:
        intro = f"{rows['read']:,} rows were read and all of them kept."
    rules = [(name, told["songs"]) for name, told in rows["rules"].items()]
    if rules:
        note = "A rule counts a text that it changed, dropped rows included. `lyrist rules` tells what each does."
        table = Table(
            ["rule", Column("texts changed", ",d", bar=True), Column("of all rows", ".1%")],
            [[name, told["songs"], told["share"]] for name, told in rows["rules"].items()],
            note=note,
        )
        blocks.append(Details(f"What cleaning changed ({len(rules)} rules)", [table]))
    return Section("Where the rows went", blocks, intro, anchor="rows")


def _artists(found: dict[str, Any]) -> Section:
    artists = found["artists"]
    if not artists["different"]:
        return Section("Artists", [_absent("an artist", "--artist")])
    shown = artists["songs"]
    most = shown[0]
    intro = (
        f"{artists['different']:,} artists. Whoever always answered {most['artist']} would be right {most['share']:.1%} of the "
        "time: the line that a model of artists has to beat."
    )
    if artists["different"] == 1:
        return Section("Artists", [], f"All songs are by {most['artist']}.{_without(artists, 'artist')}")
    title = f"The {len(shown)} artists with the most songs" if len(shown) < artists["different"] else "Songs by artist"
    blocks: list[Block] = [
        figures.bars([(row["artist"], row["songs"]) for row in shown], title=title, name="artists"),
    ]
    each = [row for row in artists["songs_each"] if row["artists"]]
    if len(each) > 1:
        picture = figures.bars(
            [(row["songs"], row["artists"]) for row in each],
            title="Artists by how many songs they have",
            name="songs-each",
            caption="An artist with fewer than five songs is hard to learn and harder to test.",
        )
        blocks.append(picture)
    return Section("Artists", blocks, intro + _without(artists, "artist"))


def _genres(found: dict[str, Any]) -> Section:
    genres = found["genres"]
    if not genres["different"]:
        return Section("Genres", [_absent("a genre", "--genre")])
    most = genres["songs"][0]
    if genres["different"] == 1:
        return Section("Genres", [], f"All songs are {most['genre']}.{_without(genres, 'genre')}")
    intro = f"{genres['different']:,} genres, the commonest {most['genre']} with {most['share']:.1%} of the songs that have one."
    blocks: list[Block] = [
        figures.bars(_most(genres, "genre"), title="Songs by genre", name="genres"),
    ]
    profiles = genres["profiles"]
    columns: list[str | Column] = ["genre", Column("songs", ",d"), Column("artists", ",d")]
    columns += [Column("words", ",.0f", note="median"), Column("repeated words", ".0%", note="median")]
    columns += [Column("diversity", ".2f", note="median")]
    table = Table(
        columns,
        [
            [
                row["genre"],
                row["songs"],
                row["artists"],
                *(_median(row[n]) for n in ("words", "repetition", "diversity")),
            ]
            for row in profiles
        ],
        caption="What the songs of a genre are like",
        note="What is measured is told under Repetition and variety, below.",
    )
    return Section("Genres", [*blocks, table], intro + _without(genres, "genre"))


def _languages_and_years(found: dict[str, Any]) -> Section:
    languages, years = found["languages"], found["years"]
    told = []
    blocks: list[Block] = []
    if languages["different"] > 1:
        named = [(_language(name), n) for name, n in _most(languages, "language")]
        others = sum(n for _, n in named[1:])
        if others >= 0.02 * sum(n for _, n in named):
            blocks.append(figures.bars(named, title="Songs by language", name="languages"))
        else:
            rest = ", ".join(f"{name} {n:,}" for name, n in named[1:])
            told.append(f"Nearly all songs are in {named[0][0]} ({named[0][1]:,}); the others: {rest}.")
    elif languages["different"]:
        told.append(f"All songs are in {_language(languages['songs'][0]['language'])}.")
    by_year = {row["year"]: row["songs"] for row in years["songs"]}
    if len(by_year) > 1:
        blocks.append(_year_picture(by_year))
        if years["missing"]:
            told.append(f"{years['missing']:,} songs have no year.")
    elif by_year:
        told.append(f"All songs with a year are of {next(iter(by_year))}.")
    else:
        told.append("No song has a year; if the table has one, name its column: `lyrist prepare --year COLUMN`.")
    return Section("Languages and years", blocks, " ".join(told), anchor="languages")


def _year_picture(by_year: dict[int, int]) -> Figure:
    """Return songs by year; what is far from the rest stands at the ends, since tables hold years such as 0 and 9999."""
    ordered = [year for year, n in sorted(by_year.items()) for _ in range(min(n, 1_000))]
    low, high = ordered[len(ordered) // 200], ordered[-1 - len(ordered) // 200]
    low = ordered[0] if low - ordered[0] <= 10 else low
    high = ordered[-1] if ordered[-1] - high <= 10 else high
    step = max(1, (high - low) // 60)
    edges = list(range(low, high + step + 1, step))
    counts = [0.0] * (len(edges) - 1)
    for year, n in by_year.items():
        counts[min(max((year - low) // step, 0), len(counts) - 1)] += n
    odd = sum(n for year, n in by_year.items() if not low <= year < edges[-1])
    caption = f"{odd:,} songs of years outside stand at the ends." if odd else ""
    title = "Songs by year" if step == 1 else f"Songs by year, {step} years a column"
    return figures.histogram(
        edges, {"songs": counts}, xlabel="year", plain="x", title=title, caption=caption, name="years", width=720
    )


def _other_columns(found: dict[str, Any]) -> list[Section]:
    blocks: list[Block] = []
    for name, told in found["columns"].items():
        if 1 < told["different"] <= max(50, found["corpus"]["songs"] // 20):
            picture = figures.bars(_most(told, "value"), title=f"Songs by {name}", name=f"column-{len(blocks) + 1}")
            blocks.append(picture)
        else:
            blocks.append(
                Prose(f"{name}: {told['different']:,} different values, {told['missing']:,} songs without one.")
            )
    return [Section("Other columns", blocks)] if blocks else []


def _made(found: dict[str, Any], corpus: Corpus) -> Section:
    splits = found["corpus"]["splits"]
    sources = Table(
        ["table", Column("rows", ",d"), Column("bytes", ",d"), "sha256"],
        [[s["name"], s["rows"], s["bytes"], s["sha256"][:16] + "…"] for s in found["rows"]["sources"]],
        caption="Sources",
    )
    told = [
        f"Splits: {', '.join(f'{name} {n:,}' for name, n in splits.items())} songs.",
        "A word is a run of letters and digits, with apostrophes inside it, in lower case. Empty lines do not count.",
        "Counts, lengths and repetition are of all songs; words, clouds and variety of "
        + ("all songs too." if found["sample"]["songs"] == found["sample"]["of"] else "the sample."),
        "Beside this page: `explore.json` (every figure), `tables/` (CSV) and `figures/` (SVG).",
    ]
    top = f" --top {found['top']}" if found["top"] != 30 else ""
    again = Code(f"lyrist explore {shlex.quote(corpus.path.name)}{top}", "Make this page again")
    return Section("How this page was made", [Items(told), sources, again], anchor="made")


# ------------------------------------------------------------------------------------------------------------- parts


def _absent(what: str, option: str) -> Prose:
    return Prose(f"No song has {what}; if the table has one, name its column: `lyrist prepare {option} COLUMN`.")


def _without(told: dict[str, Any], what: str) -> str:
    missing = told["missing"]
    return f" {missing:,} song{'s have' if missing != 1 else ' has'} no {what}." if missing else ""


def _most(told: dict[str, Any], name: str, most: int = 15) -> list[tuple[str, float]]:
    """Return the commonest values of a column and their songs, and the rest as one."""
    if told["different"] <= most + 1:
        most += 1
    shown = [(str(row[name]), row["songs"]) for row in told["songs"][:most]]
    if told["different"] > len(shown):
        shown.append((f"{told['different'] - len(shown):,} others", told["known"] - sum(n for _, n in shown)))
    return shown


def _language(code: str) -> str:
    return LANGUAGES.get(code, code).strip()


def _median(told: dict[str, float] | None) -> float | None:
    return told["p50"] if told else None
