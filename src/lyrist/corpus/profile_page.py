"""The page of `explore`, drawn from the values of `lyrist.corpus.profile`.

Where a corpus has too few values for a chart, a sentence gives the reason and the way to get one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from lyrist._version import __version__
from lyrist.corpus import trends
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.languages import LANGUAGES
from lyrist.corpus.profile import quantiles
from lyrist.reports import figures
from lyrist.reports.blocks import Block, Code, Column, Details, Facts, Figure, Items, Page, Prose, Section, Table
from lyrist.reports.figures import curves

CLOUDS = 6
"""Clouds are drawn for so many genres, and for so many artists."""

ALIKE = 1.25
"""Groups whose largest has at most so many times the songs of the smallest are a sentence, not a chart of equal bars."""

SPREAD = "Dot: median; thick: the middle half; thin: nine in ten."


def lengths(found: dict[str, Any]) -> Section:
    """Return the section on words, lines and section headers."""
    lengths, sections = found["lengths"], found["sections"]
    blocks: list[Block] = []
    rows = []
    for name, what in (("words", "words"), ("lines", "lines"), ("words_a_line", "words a line")):
        spread = lengths[name]["spread"]
        spec = ",.1f" if name == "words_a_line" else ",.0f"
        rows.append([what, *(format(n, spec) for n in (spread["mean"], *quantiles(spread), spread["max"]))])
        if "histogram" in lengths[name] and found["corpus"]["songs"] > 1:
            shape = lengths[name]["histogram"]
            picture = figures.histogram(
                shape["edges"],
                {"songs": shape["counts"]},
                xlabel=f"{what} in a song",
                marks=[(f"median {spread['p50']:,.0f}", spread["p50"])],
                title=f"How many {what} a song has",
                name=f"{name}",
                caption="The longest half per cent of songs are in the last column." if name == "words" else "",
            )
            blocks.append(picture)
    columns = ["", "mean", "5%", "25%", "median", "75%", "95%", "longest"]
    blocks.append(
        Table([columns[0], *(Column(name, align="right") for name in columns[1:])], rows, caption="Length of a song")
    )
    sentences = []
    if lengths["one_line"]:
        sentences.append(
            f"{lengths['one_line']:,} songs of 60 words or more are on one line: they had lost their line breaks before they "
            "were read, and say nothing about lines, verses or rhyme."
        )
    if not sections["kept"]:
        sentences.append(
            "Section headers were dropped; `lyrist prepare --sections keep` keeps them, to be counted here."
        )
    elif sections["kinds"]:
        share = [(kind, n / found["corpus"]["songs"]) for kind, n in sections["kinds"].items()]
        blocks.append(figures.bars(share, spec=".1%", title="Songs with a section of each kind", name="sections"))
        sentences.append(f"{sections['songs_with']:,} songs have section headers.")
    else:
        sentences.append("No song has section headers.")
    return Section("Length and lines", blocks, " ".join(sentences), anchor="lengths")


def repetition(found: dict[str, Any]) -> Section:
    """Return the section on repeated and on different words."""
    repetition, diversity = found["repetition"], found["diversity"]
    cleaning = repetition["cleaning"]
    intro = (
        "Repetition is the share of words that have occurred before in the same song. It is a feature of a song, and "
        f"never a reason to drop it. Over {cleaning['songs']:,} songs it was {cleaning['before']:.1%} on average before "
        f"cleaning and is {cleaning['after']:.1%} after."
    )
    blocks: list[Block] = []
    if found["corpus"]["songs"] > 1:
        for name, what, measured in (
            ("repetition", "repeated words", repetition),
            ("diversity", "diversity", diversity),
        ):
            if not measured["songs"]:
                continue
            shape, middle = measured["histogram"], measured["songs"]["p50"]
            picture = figures.histogram(
                shape["edges"],
                {"songs": shape["counts"]},
                xlabel=what if name == "repetition" else f"different words in {diversity['window']} in a row",
                marks=[(f"median {middle:.0%}", middle)],
                percent="x",
                title="How much is repeated" if name == "repetition" else "How varied the words are",
                name=name,
            )
            blocks.append(picture)
    profiles = [row for row in found["genres"]["profiles"] if row["songs"] >= 5]
    if len(profiles) > 1:
        for name, title in (("repetition", "Repetition by genre"), ("diversity", "Variety by genre")):
            rows = sorted(((r["genre"], quantiles(r[name])) for r in profiles if r[name]), key=lambda row: -row[1][2])
            blocks.append(figures.spreads(rows, percent=True, title=title, name=f"{name}-by-genre", caption=SPREAD))
    window = diversity["window"]
    note = (
        f"Variety is the moving-average type-token ratio (Covington and McFall, 2010): the share of different words in every "
        f"{window} words in a row, averaged over the song. Unlike different words over all words it does not fall with length. "
        f"It is measured on the songs of the sample with {window} words or more."
    )
    return Section("Repetition and variety", [*blocks, Prose(note, "note")], intro, anchor="repetition")


def words(found: dict[str, Any]) -> Section:
    """Return the section on the words by which genres and artists differ."""
    words, sample = found["words"], found["sample"]
    intro = (
        "Stop words are left out: scikit-learn's list and its contractions for English, and for another language the words "
        "in more than two fifths of its songs. A word is characteristic of a group if its TF-IDF is higher in the group's "
        "songs than in all others, on average."
    )
    if sample["songs"] < sample["of"]:
        intro += f" Measured on {sample['songs']:,} of {sample['of']:,} songs, drawn by seed {sample['seed']}."
    blocks: list[Block] = []
    if words["common"]:
        picture = figures.cloud(
            words["common"],
            title="The words in most songs",
            name="cloud",
            caption="The larger a word, the more songs have it.",
            width=760,
            height=320,
        )
        blocks.append(picture)
    else:
        blocks.append(Prose("No words are left without stop words."))
    for column, what in (("genre", "genre"), ("artist", "artist")):
        groups = words[column]
        if not groups:
            blocks.append(Prose(f"No {what} has enough songs (five) for characteristic words."))
            continue
        clouds = [
            figures.cloud(
                {word["word"]: word["weight"] for word in group["words"]},
                most=45,
                title=f"{group[column]}",
                name=f"cloud-{column}-{number + 1}",
                height=220,
            )
            for number, group in enumerate(groups[:CLOUDS])
        ]
        table = Table(
            [what, Column("songs", ",d", note="in the sample"), "most characteristic words"],
            [[g[column], g["songs"], ", ".join(w["word"] for w in g["words"][:12])] for g in groups],
            caption=f"The words by which each {what} differs from all others",
        )
        blocks += [
            table,
            Details(
                f"Clouds of the {len(clouds)} commonest {what}s", clouds, open=column == "genre" or not words["genre"]
            ),
        ]
    return Section("Characteristic words", blocks, intro, anchor="words")


SHOWN = 60
"""The page lists so many; the table beside it lists more."""


def near_copies(found: dict[str, Any]) -> Section:
    """Return the section on clusters of near-copies, covers first."""
    copies = found["near_copies"]
    if not copies["looked_for"]:
        text = "They were not looked for (`lyrist prepare --duplicates keep`): a split of this corpus may leak."
        return Section("Near-copies and covers", [Prose(text, "warning")], anchor="near-copies")
    if not copies["clusters"]:
        return Section("Near-copies and covers", [], "None were found.", anchor="near-copies")
    intro = (
        f"{copies['songs']:,} songs are in {copies['clusters']:,} clusters of the same or nearly the same text; "
        f"{copies['covers']:,} clusters hold several artists. Songs of one cluster are never on two sides of a split."
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


def contained(found: dict[str, Any]) -> list[Section]:
    """Return the section on songs that are inside others, if there are any."""
    contained = found["contained"]
    if not contained["songs"]:
        return []
    rows = [
        [f"{row['artist'] or '?'} – {row['title'] or '?'}", f"{row['within_artist'] or '?'} – {row['within_title'] or '?'}",
         row["containment"]]
        for row in contained["list"][:SHOWN]
    ]  # fmt: skip
    note = (
        f"{len(rows):,} of {contained['pairs']:,}; `tables/contained.csv` has more."
        if len(rows) < contained["pairs"]
        else ""
    )
    columns: list[str | Column] = ["song", "is in", Column("share", ".0%", note="of its three-word sequences")]
    intro = (
        f"{contained['songs']:,} songs are inside other songs for at least half (live versions, remixes, excerpts). They are "
        "kept, on the same side of every split."
    )
    return [Section("Contained versions", [Table(columns, rows, note=note)], intro, anchor="contained")]


def doubtful_labels(found: dict[str, Any]) -> list[Section]:
    """Return the section on songs whose label is probably wrong, if there are any."""
    column = found["column"]
    way = f"`lyrist explore CORPUS --doubtful {column}` lists those that a model of the lyrics doubts."
    if not found["listed"] and not found["read"]:
        return (
            [Section(f"Songs with a doubtful {column}", [], f"None. {way}", anchor="doubtful")]
            if found["songs"]
            else []
        )
    intro = (
        f"{found['listed']:,} of {found['songs']:,} songs have a {column} that is probably wrong, or that another song with "
        "the same text contradicts. `tables/doubtful.csv` lists them. "
    )
    read = (
        f"A model read {found['read']:,} songs; none was judged by a model that was fitted on it."
        if found["read"]
        else f"Found without a model. {way}"
    )
    return [Section(f"Songs with a doubtful {column}", [doubtful_table(found)], intro + read, anchor="doubtful")]


def doubtful_table(found: dict[str, Any]) -> Table:
    """Return the table of songs whose label is probably wrong."""
    rows = [
        [f"{row['artist'] or '?'} – {row['title'] or '?'}", row["given"], row["suggested"], row["reasons"],
         row["other"] or "", row["probability"]]
        for row in found["list"][:SHOWN]
    ]  # fmt: skip
    columns: list[str | Column] = [
        "song", "given label", "probably", "because of", "compared with", Column("probability", ".2%", note="of the given label"),
    ]  # fmt: skip
    note = f"{len(rows):,} of {found['listed']:,}; the CSV file has more." if len(rows) < found["listed"] else ""
    return Table(columns, rows, note=note)


def mentions(found: dict[str, Any]) -> list[Section]:
    """Return the section on labels that can be read in the text, if any song has a label."""
    rows = [
        [label, one["known"], one["named"], one["named"] / one["known"]]
        for label, one in found["mentions"].items()
        if one["known"]
    ]
    if not rows:
        return []
    columns: list[str | Column] = [
        "label",
        Column("songs with it", ",d"),
        Column("name it", ",d"),
        Column("share", ".1%"),
    ]
    intro = (
        "A song that names its artist or genre gives the label away: a model need not know how it is written. Compare with the "
        "recipe `label-mention`, which reads nothing else, and with a corpus of `lyrist prepare --mask-labels artist`."
    )
    return [Section("Labels that the lyrics name", [Table(columns, rows)], intro, anchor="mentions")]


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
        shares = {name: [group[key] or 0.0 for key, _ in lines] for name, group in parts.items()}
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
                "To classify artists, each must be in training. To classify genres, compare with "
                "`lyrist prepare --split-by artist`: the difference is what the singer gives away.",
                "note",
            )
        )
    if not leak["looked_for"]:
        blocks.append(Prose("Near-copies were not looked for (`--duplicates keep`).", "warning"))
    return Section("What a random split would leak", blocks, intro, anchor="leak")


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
        *trends_of(found),
        near_copies(found),
        *contained(found),
        *doubtful_labels(found["doubtful"]),
        *mentions(found),
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
    facts = [("songs", f"{rows['kept']:,}", f"of {rows['read']:,} rows read")]
    if artists["different"]:
        facts.append(("artists", f"{artists['different']:,}", f"{rows['kept'] / artists['different']:.1f} songs each"))
    if genres["different"]:
        most = genres["songs"][0]
        facts.append(("genres", f"{genres['different']:,}", f"{most['share']:.0%} {most['genre']}"))
    if languages["different"]:
        most = languages["songs"][0]
        facts.append(("languages", f"{languages['different']:,}", f"{most['share']:.1%} {_language(most['language'])}"))
    if words:
        facts.append(("words in a song", f"{words['p50']:,.0f}", "median"))
    if copies["looked_for"]:
        facts.append(("near-copies", f"{copies['clusters']:,}", f"clusters, {copies['covers']:,} of them covers"))
    return Facts(facts)


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
    rules = [(name, counted["songs"]) for name, counted in rows["rules"].items()]
    if rules:
        note = "A rule counts the kept songs that it changed. `lyrist rules` lists what each does."
        table = Table(
            ["rule", Column("texts changed", ",d", bar=True), Column("of all rows", ".1%")],
            [[name, counted["songs"], counted["share"]] for name, counted in rows["rules"].items()],
            note=note,
        )
        blocks.append(Details(f"What cleaning changed ({len(rules)} rules)", [table]))
    return Section("Where the rows went", blocks, intro, anchor="rows")


def _counts(rows: Sequence[tuple[str, float]], what: str, groups: int, *, title: str, name: str) -> Block:
    """Return a chart of the songs of each group, or a sentence if all groups are shown and have about as many."""
    least, most = min(count for _, count in rows), max(count for _, count in rows)
    if len(rows) < groups or most > ALIKE * least:
        return figures.bars(rows, title=title, name=name)
    songs = f"{most:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"
    return Prose(f"Each {what} has about as many songs: {songs}.")


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
        _counts(
            [(row["artist"], row["songs"]) for row in shown],
            "artist",
            artists["different"],
            title=title,
            name="artists",
        ),
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
    intro += " A song with several genres counts for each, so the shares add up to more than 100%." * (
        "labels" in genres
    )
    blocks: list[Block] = [
        _counts(_most(genres, "genre"), "genre", genres["different"], title="Songs by genre", name="genres"),
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
        note="What is measured is explained under Repetition and variety, below.",
    )
    return Section("Genres", [*blocks, table], intro + _without(genres, "genre"))


def _languages_and_years(found: dict[str, Any]) -> Section:
    languages, years = found["languages"], found["years"]
    sentences = []
    blocks: list[Block] = []
    if languages["different"] > 1:
        named = [(_language(name), n) for name, n in _most(languages, "language")]
        others = sum(n for _, n in named[1:])
        if others >= 0.02 * sum(n for _, n in named):
            blocks.append(figures.bars(named, title="Songs by language", name="languages"))
        else:
            rest = ", ".join(f"{name} {n:,}" for name, n in named[1:])
            sentences.append(f"Nearly all songs are in {named[0][0]} ({named[0][1]:,}); the others: {rest}.")
    elif languages["different"]:
        sentences.append(f"All songs are in {_language(languages['songs'][0]['language'])}.")
    by_year = {row["year"]: row["songs"] for row in years["songs"]}
    if len(by_year) > 1:
        blocks.append(_year_picture(by_year))
        if years["missing"]:
            sentences.append(f"{years['missing']:,} songs have no year.")
    elif by_year:
        sentences.append(f"All songs with a year are of {next(iter(by_year))}.")
    else:
        sentences.append("No song has a year; if the table has one, name its column: `lyrist prepare --year COLUMN`.")
    return Section("Languages and years", blocks, " ".join(sentences), anchor="languages")


def _year_picture(by_year: dict[int, int]) -> Figure:
    """Return songs by year; what is far from the rest is at the ends, since tables hold years such as 0 and 9999."""
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
    caption = f"{odd:,} songs of years outside are at the ends." if odd else ""
    title = "Songs by year" if step == 1 else f"Songs by year, {step} years a column"
    return figures.histogram(
        edges, {"songs": counts}, xlabel="year", plain="x", title=title, caption=caption, name="years", width=720
    )


def trends_of(found: dict[str, Any]) -> list[Section]:
    """Return the section on change over the years, if there are two periods with enough songs."""
    changes = found["trends"]
    if not changes:
        return []
    length, periods = changes["length"], changes["periods"]
    period = "decade" if length == 10 else "year"
    blocks: list[Block] = []
    for name, rows in changes["all"].items():
        what, spec = trends.MEASURES[name]
        if len(rows) > 1:
            blocks.append(
                _trend_picture({"all songs": rows}, f"{what[0].upper()}{what[1:]}", f"trend-{name}", "%" in spec)
            )
    if changes["languages"]:
        shares = {_language(row["language"]): row["shares"] for row in changes["languages"]}
        blocks.append(_trend_picture(shares, "Languages", "trend-languages", percent=True))
    for direction in ("rising", "falling"):
        if words := changes[direction]:
            shown = [_period(row["period"], length) for row in periods]
            columns: list[str | Column] = ["word", *(Column(name, ".1%") for name in shown)]
            rows = [[word["word"], *word["shares"]] for word in words]
            blocks.append(Table(columns, rows, caption=f"Words in a {direction} share of songs"))
    for column in ("genre", "artist"):
        groups = changes[column]
        pictures: list[Block] = [
            _trend_picture(parts, f"{what[0].upper()}{what[1:]}, by {column}", f"trend-{name}-by-{column}", "%" in spec)
            for name, (what, spec) in trends.MEASURES.items()
            if (parts := {row[column]: row["measures"][name] for row in groups if name in row["measures"]})
        ]
        if pictures:
            blocks.append(Details(f"The same by {column}", pictures))
    rhymed = (
        " Rhymes, perfect or near, are counted within four lines of a section." if "rhyme" in changes["all"] else ""
    )
    note = (
        "Bands: 95% intervals; the songs of an artist count as one cluster (Liang and Zeger, 1986). Words: "
        f"Cochran-Armitage test for a trend in the share of songs that have the word among their first {trends.FIRST}, with "
        "Holm's correction. The table has the songs that are in it: a change can be a "
        f"change of its sources.{rhymed} `tables/trends.csv` has all figures."
    )
    intro = (
        f"{sum(row['songs'] for row in periods):,} songs by {period}, from {_period(periods[0]['period'], length)} to "
        f"{_period(periods[-1]['period'], length)}; a {period} with fewer than {trends.FEWEST} songs is left out. "
        f"{_changes(changes)}"
    )
    return [Section("Change over the years", [*blocks, Prose(note, "note")], intro, anchor="trends")]


def _period(start: int, length: int) -> str:
    return f"{start}s" if length == 10 else str(start)


def _changes(changes: dict[str, Any]) -> str:
    """Return the measures whose first and last intervals do not overlap, in a sentence."""
    found = []
    for name, rows in changes["all"].items():
        first, last = rows[0], rows[-1]
        if first["high"] < last["low"] or last["high"] < first["low"]:
            what, spec = trends.MEASURES[name]
            change = "rose" if last["mean"] > first["mean"] else "fell"
            found.append(f"{what} {change} from {first['mean']:{spec}} to {last['mean']:{spec}}")
    return (
        f"From the first to the last, {'; '.join(found)}."
        if found
        else "No measure differs clearly from first to last."
    )


def _trend_picture(groups: dict[str, list[dict[str, Any]]], title: str, name: str, percent: bool) -> Figure:
    years = {group: [row["period"] for row in rows] for group, rows in groups.items()}
    return curves(
        {group: (years[group], [row["mean"] for row in rows]) for group, rows in groups.items()},
        bands={group: ([r["low"] for r in rows], [r["high"] for r in rows]) for group, rows in groups.items()},
        percent=percent,
        plain="x",
        markers=True,
        title=title,
        name=name,
    )


def _other_columns(found: dict[str, Any]) -> list[Section]:
    blocks: list[Block] = []
    for name, column in found["columns"].items():
        if 1 < column["different"] <= max(50, found["corpus"]["songs"] // 20):
            picture = figures.bars(_most(column, "value"), title=f"Songs by {name}", name=f"column-{len(blocks) + 1}")
            blocks.append(picture)
        else:
            blocks.append(
                Prose(f"{name}: {column['different']:,} different values, {column['missing']:,} songs without one.")
            )
    return [Section("Other columns", blocks)] if blocks else []


def _made(found: dict[str, Any], corpus: Corpus) -> Section:
    splits = found["corpus"]["splits"]
    sources = Table(
        ["table", Column("rows", ",d"), Column("bytes", ",d"), "sha256"],
        [[s["name"], s["rows"], s["bytes"], s["sha256"][:16] + "…"] for s in found["rows"]["sources"]],
        caption="Sources",
    )
    items = [
        f"Splits: {', '.join(f'{name} {n:,}' for name, n in splits.items())} songs.",
        "A word is a run of letters and digits, with apostrophes inside it, in lower case. Empty lines do not count.",
        "Counts, lengths and repetition are of all songs; words, clouds and variety of "
        + ("all songs too." if found["sample"]["songs"] == found["sample"]["of"] else "the sample."),
        "Beside this page: `explore.json` (every figure), `tables/` (CSV) and `figures/` (SVG).",
    ]
    top = f" --top {found['top']}" if found["top"] != 30 else ""
    judged = f" --doubtful {shlex.quote(found['doubtful']['column'])}" if found["doubtful"]["read"] else ""
    again = Code(f"lyrist explore {shlex.quote(corpus.path.name)}{top}{judged}", "Make this page again")
    return Section("How this page was made", [Items(items), sources, again], anchor="made")


# ------------------------------------------------------------------------------------------------------------- parts


def _absent(what: str, option: str) -> Prose:
    return Prose(f"No song has {what}; if the table has one, name its column: `lyrist prepare {option} COLUMN`.")


def _without(column: dict[str, Any], what: str) -> str:
    missing = column["missing"]
    return f" {missing:,} song{'s have' if missing != 1 else ' has'} no {what}." if missing else ""


def _most(column: dict[str, Any], name: str, most: int = 15) -> list[tuple[str, float]]:
    """Return the commonest values of a column and their songs, and the rest as one."""
    if column["different"] <= most + 1:
        most += 1
    shown = [(str(row[name]), row["songs"]) for row in column["songs"][:most]]
    if column["different"] > len(shown):
        shown.append(
            (
                f"{column['different'] - len(shown):,} others",
                column.get("labels", column["known"]) - sum(n for _, n in shown),
            )
        )
    return shown


def _language(code: str) -> str:
    return LANGUAGES.get(code, code).strip()


def _median(spread: dict[str, float] | None) -> float | None:
    return spread["p50"] if spread else None
