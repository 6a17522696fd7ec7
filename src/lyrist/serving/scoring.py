"""What a writer thinks of lyrics: bits per byte, and the longest run of words that stands in a song it learnt from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lyrist.corpus.cleaning import clean
from lyrist.errors import UsageError
from lyrist.evaluation.originality import Copied, Index
from lyrist.serving.lanes import Job


@dataclass(frozen=True)
class Asked:
    """Lyrics that are to be scored."""

    texts: tuple[str, ...]
    given: dict[str, str]


@dataclass(frozen=True)
class Score:
    """What a writer thinks of one text."""

    text: str
    """The text after cleaning."""
    bits_per_byte: float
    nats: float
    """Loss of all its tokens and its end."""
    tokens: int
    """How many these are."""
    bytes: int
    copied: Copied | None
    """What of it stands in the songs that the writer learnt from; None where these are not there any more."""


def work(writer: Any, index: Callable[[], Index | None], watch: Callable[[int], object]) -> Any:
    """Return what a lane does: score the texts of all jobs together."""

    def score(jobs: list[Job[Asked]]) -> None:
        ready = [job for job in jobs if prepared(job)]
        texts = [text for job in ready for text in job.state["texts"]]
        if not texts:
            return
        watch(len(texts))
        given = [job.asked.given for job in ready for _ in job.asked.texts]
        losses = writer.losses(texts, given, device="cpu")
        known = index()
        copied = known.copied_all(texts) if known is not None else [None] * len(texts)
        found = [
            _score(text, float(math.fsum(nats)), len(nats), runs)
            for text, nats, runs in zip(texts, losses, copied, strict=True)
        ]
        for job in ready:
            count = len(job.asked.texts)
            job.ticket.answer(found[:count])
            found = found[count:]

    return score


def _score(text: str, nats: float, tokens: int, copied: Copied | None) -> Score:
    size = len(text.encode())
    return Score(text, nats / math.log(2) / size, nats, tokens, size, copied)


def prepared(job: Job[Any]) -> bool:
    """Clean the texts of a job as those of a corpus; where one of them is empty then, tell so and return False."""
    texts = [clean(text) for text in job.asked.texts]
    for number, text in enumerate(texts, 1):
        if not text.strip():
            job.ticket.fail(UsageError(f"Text {number} is empty after cleaning; give a text with words."))
            return False
    job.state["texts"] = texts
    return True
