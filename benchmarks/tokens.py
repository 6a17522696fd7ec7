"""CPU seconds from a corpus to tokens on disk: Lyrist, and the packages of Hugging Face as a user would call them.

Both learn a byte-level BPE vocabulary of the same size from the training songs and write the tokens of the training and
validation songs as one array of 16-bit numbers. Each is a process of its own; its imports count.
Run ``python benchmarks/tokens.py CORPUS``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from measuring import measure

SPLITS = ("train", "validation")


def lyrist(corpus: Path, vocabulary: int) -> int:
    """Make the tokens by Lyrist; return their number."""
    from lyrist import progress
    from lyrist.corpus.corpus import Corpus
    from lyrist.models.language_model import WriterOptions
    from lyrist.training.song_tokens import FOLDER, tokenise

    progress.quiet()
    shutil.rmtree(corpus / FOLDER, ignore_errors=True)
    tokens = tokenise(Corpus.open(corpus), WriterOptions(vocabulary=vocabulary))
    return sum(len(split.ids) for split in tokens.splits.values())


def hugging_face(corpus: Path, vocabulary: int) -> int:
    """Make the tokens by `tokenizers` and `transformers`; return their number."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    learnt = ByteLevelBPETokenizer()
    texts = (text for batch in batches(corpus, "train") for text in batch)
    learnt.train_from_iterator(texts, vocab_size=vocabulary, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learnt._tokenizer)
    total = 0
    for split in SPLITS:
        with (corpus / f"{split}.bin").open("wb") as handle:
            for batch in batches(corpus, split):
                joined = np.concatenate(tokenizer(batch)["input_ids"]).astype(np.uint16)
                handle.write(joined.tobytes())
                total += len(joined)
        (corpus / f"{split}.bin").unlink()
    return total


def batches(corpus: Path, split: str) -> Iterator[list[str]]:
    """Yield the lyrics of a split, a thousand songs at a time."""
    for file in sorted(corpus.glob(f"songs/{split}-*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(1000, columns=["lyrics"]):
            yield batch["lyrics"].to_pylist()


SIDES = {"lyrist": lyrist, "hugging face": hugging_face}


def main() -> None:
    """Measure both sides and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--side", choices=SIDES, help="only this one, in this process")
    given = parser.parse_args()
    if given.side:
        print(json.dumps(SIDES[given.side](given.corpus, given.vocabulary)))
        return
    counts = json.loads((given.corpus / "corpus.json").read_text())["counts"]["splits"]
    songs = sum(counts.get(split, 0) for split in SPLITS)
    print("| | songs | tokens | CPU-seconds | CPU-microseconds a song | wall seconds | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for side in SIDES:
        run = measure(
            [sys.executable, __file__, str(given.corpus), "--vocabulary", str(given.vocabulary), "--side", side]
        )
        print(
            f"| {side} | {songs:,} | {int(run.output):,} | {run.cpu:.1f} | {1e6 * run.cpu / songs:.0f} | {run.wall:.0f} "
            f"| {run.peak / 1e6:,.0f} MB |"
        )


if __name__ == "__main__":
    main()
