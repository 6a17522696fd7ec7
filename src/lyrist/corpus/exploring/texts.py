"""Sections of the page of `explore` about the text: how long songs are, how much they repeat, which words tell them apart."""

from __future__ import annotations

from typing import Any

from lyrist.corpus.exploring.measures import quantiles
from lyrist.reports import figures
from lyrist.reports.page import Block, Column, Details, Prose, Section, Table

CLOUDS = 6
"""Clouds are drawn for so many genres, and for so many artists."""

SPREAD = "Dot: median; thick: the middle half; thin: nine in ten."


def lengths(found: dict[str, Any]) -> Section:
    """Return the section on words, lines and section headers."""
    lengths, sections = found["lengths"], found["sections"]
    blocks: list[Block] = []
    rows = []
    for name, what in (("words", "words"), ("lines", "lines"), ("words_a_line", "words a line")):
        told = lengths[name]["spread"]
        spec = ",.1f" if name == "words_a_line" else ",.0f"
        rows.append([what, *(format(n, spec) for n in (told["mean"], *quantiles(told), told["max"]))])
        if "histogram" in lengths[name] and found["corpus"]["songs"] > 1:
            shape = lengths[name]["histogram"]
            picture = figures.histogram(
                shape["edges"],
                {"songs": shape["counts"]},
                xlabel=f"{what} in a song",
                marks=[(f"median {told['p50']:,.0f}", told["p50"])],
                title=f"How many {what} a song has",
                name=f"{name}",
                caption="The longest half per cent of songs stand in the last column." if name == "words" else "",
            )
            blocks.append(picture)
    columns = ["", "mean", "5%", "25%", "median", "75%", "95%", "longest"]
    blocks.append(
        Table([columns[0], *(Column(name, align="right") for name in columns[1:])], rows, caption="Length of a song")
    )
    told_lines = []
    if lengths["one_line"]:
        told_lines.append(
            f"{lengths['one_line']:,} songs of 60 words or more stand on one line: they had lost their line breaks before they "
            "were read, and tell nothing of lines, verses or rhyme."
        )
    if not sections["kept"]:
        told_lines.append(
            "Section headers were dropped; `lyrist prepare --sections keep` keeps them, to be counted here."
        )
    elif sections["kinds"]:
        share = [(kind, n / found["corpus"]["songs"]) for kind, n in sections["kinds"].items()]
        blocks.append(figures.bars(share, spec=".1%", title="Songs with a section of each kind", name="sections"))
        told_lines.append(f"{sections['songs_with']:,} songs have section headers.")
    else:
        told_lines.append("No song has section headers.")
    return Section("Length and lines", blocks, " ".join(told_lines), anchor="lengths")


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
        for name, what, told in (("repetition", "repeated words", repetition), ("diversity", "diversity", diversity)):
            if not told["songs"]:
                continue
            shape, middle = told["histogram"], told["songs"]["p50"]
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
    """Return the section on the words that tell genres and artists."""
    words, sample = found["words"], found["sample"]
    intro = (
        "Stop words are left out: scikit-learn's list and its contractions for English, and for another language the words "
        "in more than two fifths of its songs. A word tells a group if its TF-IDF is higher in the group's songs than in "
        "all others, on average."
    )
    if sample["songs"] < sample["of"]:
        intro += f" Measured on {sample['songs']:,} of {sample['of']:,} songs, drawn by seed {sample['seed']}."
    blocks: list[Block] = []
    if words["common"]:
        picture = figures.cloud(
            words["common"],
            title="The words in most songs",
            name="cloud",
            caption="The larger, the more songs have it. Colours mean nothing.",
            width=760,
            height=320,
        )
        blocks.append(picture)
    else:
        blocks.append(Prose("No words are left without stop words."))
    for column, what in (("genre", "genre"), ("artist", "artist")):
        groups = words[column]
        if not groups:
            blocks.append(Prose(f"No {what} has enough songs (five) to tell its words from those of the others."))
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
            [what, Column("songs", ",d", note="in the sample"), "most telling words"],
            [[g[column], g["songs"], ", ".join(w["word"] for w in g["words"][:12])] for g in groups],
            caption=f"The words that tell each {what} from all others",
        )
        blocks += [
            table,
            Details(
                f"Clouds of the {len(clouds)} commonest {what}s", clouds, open=column == "genre" or not words["genre"]
            ),
        ]
    return Section("Telling words", blocks, intro, anchor="words")
