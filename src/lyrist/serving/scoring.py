"""What a writer thinks of lyrics: bits per byte, and the longest run of words that stands in a song it learnt from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lyrist.corpus.cleaning import Cleaning, clean
from lyrist.errors import UsageError
from lyrist.evaluation.originality import Copied, Index
from lyrist.serving.lanes import Job

SITTING = 2**16
"""Characters that are scored at once: thirty songs or so, or three texts as long as they may be."""


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


def work(writer: Any, cleaning: Cleaning, index: Callable[[], Index | None], watch: Callable[[int], object]) -> Any:
    """Return what a lane does: score the texts of all jobs together, a sitting of them at a time."""

    def score(jobs: list[Job[Asked]]) -> list[Job[Asked]]:
        ready = [job for job in jobs if "texts" in job.state or prepared(job, cleaning)]
        sitting = _sitting(ready)
        if not sitting:
            return []
        texts = [text for _, text in sitting]
        watch(len(texts))
        losses = writer.losses(texts, [job.asked.given for job, _ in sitting], device="cpu")
        known = index()
        copied = known.copied_all(texts) if known is not None else [None] * len(texts)
        for (job, text), nats, runs in zip(sitting, losses, copied, strict=True):
            job.state.setdefault("scores", []).append(_score(text, float(math.fsum(nats)), len(nats), runs))
        return [job for job in ready if not _answered(job)]

    return score


def _sitting(jobs: Sequence[Job[Asked]]) -> list[tuple[Job[Asked], str]]:
    """Return what is scored before it is looked again who still waits: texts without a score, at least one."""
    found: list[tuple[Job[Asked], str]] = []
    size = 0
    for job in jobs:
        for text in job.state["texts"][len(job.state.get("scores", ())) :]:
            size += len(text)
            if found and size > SITTING:
                return found
            found.append((job, text))
    return found


def _answered(job: Job[Asked]) -> bool:
    """Answer a job of which all texts have scores; return whether it is one."""
    scores = job.state.get("scores", [])
    if len(scores) < len(job.state["texts"]):
        return False
    job.ticket.answer(scores)
    return True


def _score(text: str, nats: float, tokens: int, copied: Copied | None) -> Score:
    size = len(text.encode())
    return Score(text, nats / math.log(2) / size, nats, tokens, size, copied)


def prepared(job: Job[Any], cleaning: Cleaning) -> bool:
    """Clean the texts of a job as those of the run's corpus; where one of them is empty then, tell so and return False."""
    texts = [clean(text, cleaning) for text in job.asked.texts]
    for number, text in enumerate(texts, 1):
        if not text.strip():
            job.ticket.fail(UsageError(f"Text {number} is empty after cleaning; give a text with words."))
            return False
    job.state["texts"] = texts
    return True
