"""Compare the rules of English with the CMU Pronouncing Dictionary at the ends of the lines of real songs.

``python benchmarks/rhymes.py TABLE.csv...``: tables with a column of lyrics; the package ``pronouncing`` must be installed. It
prints the agreement of the sounds from the stressed vowel on and of syllables, each occurrence of a word counted, and the
precision and recall of rhymes between the ends of lines at most four lines apart. Words that the dictionary does not have are
left out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import text
from lyrist.text import pronunciation, rhyme
from lyrist.text.rhyme import Rhyme

COLUMNS = ("lyrics", "text", "lyric")
APART = 4
CACHES = (pronunciation.sound, rhyme._pronunciations, rhyme._endings, rhyme._rhymes, rhyme._beats, rhyme.stress)


def songs(tables: list[Path]) -> Iterator[list[str]]:
    """Yield the last words of the lines of each English song."""
    for table in tables:
        frame = pl.read_csv(table, infer_schema=False)
        if "language" in frame.columns:
            frame = frame.filter(pl.col("language") == "en")
        column = next(name for name in COLUMNS if name in frame.columns)
        for lyrics in frame[column].drop_nulls():
            yield [end for end in map(rhyme.last_word, text.lines(lyrics)) if end]


DICTIONARY, COMMON = rhyme._dictionary, pronunciation.common


def measured(by_rules: bool, words: Counter[str], pairs: Counter[tuple[str, str]]) -> dict[str, Any]:
    """Return endings, syllables and grades by the rules or by the dictionary."""
    for cache in CACHES:
        cache.cache_clear()
    rhyme._dictionary = (lambda: None) if by_rules else DICTIONARY
    pronunciation.common = COMMON if by_rules else dict
    return {
        "endings": {word: rhyme._endings(word, "en") for word in words},
        "syllables": {word: {len(rhyme._places(said)) for said in rhyme.pronunciations(word)} for word in words},
        "grades": {pair: rhyme.rhymes(*pair) for pair in pairs},
    }


def share(hits: Counter[bool]) -> str:
    """Return a share with its count."""
    return f"{hits[True] / max(hits.total(), 1):.4f} of {hits.total():,}"


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--errors", type=int, default=0, help="print so many of the most frequent differences")
    given = parser.parse_args()
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    look = DICTIONARY()
    for ends in songs(given.tables):
        known = [end if look(end) else "" for end in ends]
        words.update(filter(None, known))
        for place, end in enumerate(known):
            near = known[max(0, place - APART) : place]
            pairs.update((min(end, other), max(end, other)) for other in near if end and other and end != other)
    truth, found = measured(False, words, pairs), measured(True, words, pairs)
    common = COMMON()
    right = {w: bool(set(found["endings"][w][:1]) & set(truth["endings"][w])) or not truth["endings"][w] for w in words}
    for name, some in (
        ("all words", words),
        ("words outside the built-in list", [w for w in words if w not in common]),
    ):
        count: Counter[bool] = Counter()
        beats: Counter[bool] = Counter()
        for word in some:
            count[right[word]] += words[word]
            beats[bool(found["syllables"][word] & truth["syllables"][word])] += words[word]
        print(f"{name}: endings as in the dictionary {share(count)} line ends, syllables {share(beats)}")
    for name, grade in (("perfect", Rhyme.PERFECT), ("near or better", Rhyme.NEAR)):
        precision: Counter[bool] = Counter()
        recall: Counter[bool] = Counter()
        for pair, n in pairs.items():
            here, there = found["grades"][pair] >= grade, truth["grades"][pair] >= grade
            precision[there] += n * here
            recall[here] += n * there
        print(f"{name}: precision {share(precision)} pairs, recall {share(recall)}")
    wrong = [(word, n) for word, n in words.most_common() if not right[word]]
    for word, n in wrong[: given.errors]:
        print(f"  {n:6,} {word}: {found['endings'][word]} instead of {truth['endings'][word]}")


if __name__ == "__main__":
    main()
