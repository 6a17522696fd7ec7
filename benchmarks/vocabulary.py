"""Write ``src/lyrist/text/english.txt``: common English words in order of frequency, with their pronunciations.

The pronunciations are those of the CMU Pronouncing Dictionary (its data have a BSD licence), the order is that of the
frequency list of SymSpell (MIT licence): ``python benchmarks/vocabulary.py cmudict.dict frequency_dictionary_en_82_765.txt``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

WORDS, SHORT_WORDS = 15_000, 40_000
"""All words up to the first rank; up to the second those of at most two syllables and those with a stress on the last one."""
FILE = Path(__file__).parents[1] / "src" / "lyrist" / "text" / "english.txt"
CONTRACTED = re.compile(r"[a-z]+(?:n't|'(?:ll|re|ve|d|m|s))")
STEMS = frozenset(
    re.findall(
        r"\w+",
        """i you he she it we they that there here who what how where when why this is are was were do does did has have had can
        could would should must need ai wo ca sha let y ma everything everybody nobody someone nothing something
        mama papa daddy baby""",
    )
)
"""Stems of contractions; 's of any other word follows by rule."""
LETTERS = frozenset("bcdefghjklmnpqrstuvwxyz")


def main(dictionary: Path, frequencies: Path) -> None:
    """Write the file."""
    said: dict[str, list[str]] = {}
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, _, sounds = line.partition("#")[0].strip().partition(" ")
        said.setdefault(re.sub(r"\(\d+\)$", "", word).strip("'"), []).append(sounds)
    ordered = [line.split()[0] for line in frequencies.read_text(encoding="utf-8-sig").splitlines()]
    known = [word for word in ordered if word in said and "'" not in word and word not in LETTERS]
    beats = {word: "".join(re.findall(r"\d", said[word][0])) for word in known}
    short = {word for word in known[:SHORT_WORDS] if len(beats[word]) < 3 or beats[word][-1] in "12"}
    plain = [word for rank, word in enumerate(known) if rank < WORDS or word in short]
    contracted = [word for word in said if CONTRACTED.fullmatch(word) and re.split("n't|'", word)[0] in STEMS]
    lines = [f"{word} {'|'.join(dict.fromkeys(said[word]))}\n" for word in [*plain, *sorted(contracted)]]
    FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
