"""A typical notebook that prepares a table of songs: the comparison of ``benchmarks/prepare.py``.

pandas with ``apply``, regular expressions of ``re``, langdetect, datasketch, a split by group. It does what ``lyrist
prepare`` does, as far as a notebook does, and none of it is slowed down: rows are read with the columns that are needed
only, regular expressions are compiled, MinHash takes its shingles in one batch, exact copies go before MinHash, and
headers and debris cover no more than what is needed here.

It prints one JSON object: CPU seconds by stage.
"""

import argparse
import json
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
from datasketch import MinHash, MinHashLSH
from langdetect import DetectorFactory, LangDetectException, detect

HEADER = re.compile(r"^\[[^\]\n]*\]$", re.MULTILINE)
DEBRIS = [
    re.compile(r"\A\d+ Contributors.*?Lyrics"),
    re.compile(r"\d*Embed(?:Share URLCopyEmbedCopy)?\s*\Z"),
    re.compile(r"See [^\n]* LiveGet tickets as low as \$\d+|You might also like"),
    re.compile(r"^(?:Read More|Loading\.\.\.|Save Cancel|Submit Corrections)$", re.MULTILINE),
    re.compile(r"^\.\.\.\n+\*+ This Lyrics is NOT for Commercial use \*+\n\(\d+\)", re.MULTILINE),
    re.compile(r"^(?:Title|Artist|Writer\(s\)): .*$|^© \d+.*$|^.*https?://\S+.*$", re.MULTILINE),
]
SPACES = re.compile(r"[ \t]+")
BLANK_LINES = re.compile(r"\n\s*\n+")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
INSTRUMENTAL = re.compile(r"\W*(?:this song is an )?instrumental\W*", re.IGNORECASE)
COLUMNS = ["title", "tag", "artist", "year", "lyrics", "id", "language"]

seconds: dict[str, float] = {}


class Stage:
    """Adds the CPU seconds of a block to ``seconds``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.started = time.process_time()

    def __exit__(self, *_: object) -> None:
        seconds[self.name] = seconds.get(self.name, 0.0) + time.process_time() - self.started


def clean(text: str) -> str:
    """Take out headers and debris, and tidy the layout."""
    text = text.replace("\r\n", "\n")
    for pattern in DEBRIS:
        text = pattern.sub("", text)
    text = HEADER.sub("", text)
    return BLANK_LINES.sub("\n\n", SPACES.sub(" ", text)).strip()


def language(text: str) -> str:
    """Return the code of the language that langdetect hears."""
    try:
        return str(detect(text))
    except LangDetectException:
        return "und"


def words(text: str) -> list[str]:
    """Return the words in lower case."""
    return WORD.findall(text.lower())


def minhash(found: list[str]) -> MinHash:
    """Return the signature of the word 3-shingles."""
    signature = MinHash(num_perm=128)
    shingles = {" ".join(found[i : i + 3]) for i in range(len(found) - 2)}
    signature.update_batch([shingle.encode() for shingle in shingles])
    return signature


def without_copies(songs: pd.DataFrame) -> pd.DataFrame:
    """Drop exact copies, then every song that has a near-copy before it."""
    found = songs["clean"].apply(words)
    songs = songs[~found.apply(" ".join).duplicated()]
    index = MinHashLSH(threshold=0.5, num_perm=128)
    kept = []
    for row, its in found[songs.index].items():
        signature = minhash(its)
        if not index.query(signature):
            kept.append(row)
        index.insert(str(row), signature)
    return songs.loc[kept]


def split(songs: pd.DataFrame) -> pd.DataFrame:
    """Deal the songs into train, validation and test by chance."""
    draw = np.random.default_rng(0).permutation(len(songs))
    at = np.select([draw < 0.8 * len(songs), draw < 0.9 * len(songs)], ["train", "validation"], "test")
    return songs.assign(split=at)


def main() -> None:
    """Prepare the table and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--languages-of", type=int, default=1000, help="songs whose language langdetect tells")
    given = parser.parse_args()
    DetectorFactory.seed = 0
    language("The first call loads the profiles: they are not to be scaled with the songs.")
    seconds["start"] = time.process_time()
    with Stage("read"):
        songs = pd.read_csv(given.table, nrows=given.rows, usecols=COLUMNS, on_bad_lines="skip")
    read = len(songs)
    with Stage("clean"):
        songs["clean"] = songs["lyrics"].fillna("").apply(clean)
    with Stage("filter"):
        songs = songs[~songs["clean"].apply(lambda text: INSTRUMENTAL.fullmatch(text) is not None)]
        songs = songs[songs["clean"].apply(lambda text: 10 <= len(words(text)) <= 5000)]
    sample = songs.sample(min(given.languages_of, len(songs)), random_state=0).index
    with Stage("language"):
        told = songs.loc[sample, "clean"].apply(language)
    with Stage("language, 400 characters"):
        songs.loc[sample, "clean"].apply(lambda text: language(text[:400]))
    filtered = len(songs)
    songs.loc[sample, "language"] = told
    songs = songs[songs["language"].fillna("en") == "en"]
    with Stage("copies"):
        songs = without_copies(songs)
    with Stage("split and write"):
        songs = split(songs)
        given.out.mkdir(parents=True)
        for name, part in songs.groupby("split"):
            part.drop(columns="lyrics").to_parquet(given.out / f"{name}.parquet")
    figures = {"read": read, "languages_of": len(sample), "filtered": filtered, "kept": len(songs), "seconds": seconds}
    print(json.dumps({**figures, "ids": songs["id"].astype(int).tolist()}))


if __name__ == "__main__":
    main()
