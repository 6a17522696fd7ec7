"""The desk: everything that is asked of the runs that are served passes here, whoever asks, and from any thread.

What is unusual: each run has threads of its own that work on what waits, together; so a caller may block (`Desk.write`)
or go on and be told (`Desk.ask_write`, whose ticket has a future). Whoever is let in takes one of a fixed number of
places until the answer is there, and no client's string is ever the name of a file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.classify import Label
from lyrist.evaluation.originality import Index
from lyrist.generation.sampling import Sampling
from lyrist.generation.write import Wishes, index_of
from lyrist.serving import labelling, scoring
from lyrist.serving.checks import check_count, check_text
from lyrist.serving.counters import Counters
from lyrist.serving.lanes import Job, Lane
from lyrist.serving.limits import Cancelled, Limits, TimedOut
from lyrist.serving.scoring import Score
from lyrist.serving.shelf import Served, Shelf
from lyrist.serving.tickets import Gate, Ticket
from lyrist.serving.writing import Asked, Say, Scribe, Written, composed, own

LINES = 400
"""Lines of a form at most."""


class Desk:
    """Answers what is asked of the runs of a shelf."""

    def __init__(
        self,
        shelf: Shelf,
        limits: Limits | None = None,
        *,
        threads: int | None = None,
        counters: Counters | None = None,
    ) -> None:
        """Start the threads.

        Parameters
        ----------
        shelf
            The runs.
        limits
            How much is taken at once.
        threads
            Threads that PyTorch computes with for one run; None: as it is set.
        counters
            Where it is counted what was done.
        """
        self.shelf, self.limits, self.counters = shelf, limits or Limits(), counters or Counters()
        self._threads = threads
        self._gate = Gate(self.limits.queue)
        self._until: float | None = None  # when what was begun must have ended, since nothing new is taken
        self.counters.inside(lambda: self._gate.inside)
        self._indices: dict[str, Index | None] = {}
        self._indexing = threading.Lock()
        self._scribes: dict[str, Scribe] = {}
        self._lanes: dict[tuple[str, str], Lane[Any]] = {}
        for served in shelf.items.values():
            self._staff(served)

    # Writing.

    def write(
        self,
        name: str,
        *,
        given: Mapping[str, str] | None = None,
        prompt: str | None = None,
        sampling: Sampling | None = None,
        wishes: Wishes | None = None,
        stops: Sequence[str] = (),
        top: int | None = None,
        say: Say | None = None,
        cancelled: threading.Event | None = None,
    ) -> tuple[Written, ...]:
        """Write songs, and wait for them.

        Parameters
        ----------
        name
            A run that writes.
        given
            Its conditions: column to value.
        prompt
            The first words.
        sampling
            How tokens are drawn.
        wishes
            How many songs, and what they are to be like. The same seed writes the same songs, whoever else is served.
        stops
            A song ends where one of these would stand in it; not for songs to a plan.
        top
            Note at each token so many of the likeliest ones; not for songs to a plan.
        say
            ``say(song, text, ended)`` is called in the writing thread with the text of a song so far: after each token,
            or each line of a plan. It must not block, nor raise.
        cancelled
            Set it to give the request up.

        Raises
        ------
        UsageError
            It cannot be meant as it is asked.
        Busy, Closing, Cancelled, TimedOut
            It was not served.
        """
        return self.ask_write(
            name, given=given, prompt=prompt, sampling=sampling, wishes=wishes, stops=stops, top=top, say=say,
            cancelled=cancelled,
        ).result()  # fmt: skip

    def ask_write(
        self,
        name: str,
        *,
        given: Mapping[str, str] | None = None,
        prompt: str | None = None,
        sampling: Sampling | None = None,
        wishes: Wishes | None = None,
        stops: Sequence[str] = (),
        top: int | None = None,
        say: Say | None = None,
        cancelled: threading.Event | None = None,
    ) -> Ticket[tuple[Written, ...]]:
        """Ask for what `write` returns, without waiting for it."""
        served = self.shelf.get(name, "write")
        wishes = wishes or Wishes()
        asked = Asked(dict(given or {}), prompt or None, sampling or Sampling(), wishes, tuple(stops), top, say)
        self._check_write(asked)
        served.model.checked(asked.given)
        ticket: Ticket[tuple[Written, ...]] = self._enter(served, "write", cancelled)
        ticket.future.add_done_callback(lambda future: self._count_tokens(name, future))
        if wishes.plan() is None:
            self._scribes[name].put(ticket, asked)
        else:
            self._lanes[name, "compose"].put(Job(ticket, asked))
        return ticket

    def _check_write(self, asked: Asked) -> None:
        wishes, limits = asked.wishes, self.limits
        check_count("n", wishes.songs, limits.songs)
        check_count("max_tokens", wishes.max_tokens or 1, limits.max_tokens)
        check_count("candidates", wishes.candidates, 64)
        for name, text in [("prompt", asked.prompt), ("hook", wishes.hook), ("form", wishes.form)]:
            check_text(name, text or "", limits.characters)
        for text in [*asked.stops, *asked.given.values()]:
            check_text("stop or condition", text, 1_000)
        plan = wishes.plan()
        if plan is None:
            return
        if plan.sections:  # none where all that is asked is to be original
            check_count("lines of the form", sum(section.lines for section in plan.sections), LINES)
        if asked.stops or asked.top is not None:
            raise UsageError(
                "Songs to a plan have no stop and no logprobs; leave those out, or form, rhyme and the like."
            )

    def _count_tokens(self, name: str, future: Any) -> None:
        if not future.cancelled() and future.exception() is None:
            self.counters.wrote(name, sum(song.tokens for song in future.result()))

    # Labels.

    def classify(
        self,
        name: str,
        texts: Sequence[str],
        *,
        artist: str | None = None,
        explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> list[Label]:
        """Label lyrics, and wait for it; raises as `write`.

        Parameters
        ----------
        name
            A run that labels lyrics.
        texts
            Lyrics; they are cleaned as the corpus was.
        artist
            Who sings them, for a run that was fitted with the artist as a feature.
        explain
            Find the words and lines that decided.
        cancelled
            Set it to give the request up.
        """
        return self.ask_classify(name, texts, artist=artist, explain=explain, cancelled=cancelled).result()

    def ask_classify(
        self,
        name: str,
        texts: Sequence[str],
        *,
        artist: str | None = None,
        explain: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Ticket[list[Label]]:
        """Ask for what `classify` returns, without waiting for it."""
        served = self.shelf.get(name, "classify")
        self._check_texts(texts)
        if explain:
            check_count("texts with explain", len(texts), self.limits.explained)
        check_text("artist", artist or "", 1_000)
        ticket: Ticket[list[Label]] = self._enter(served, "classify", cancelled)
        asked = labelling.Texts(tuple(texts), artist or "", explain)
        self._lanes[name, "classify"].put(Job(ticket, asked, len(texts)))
        return ticket

    def classify_picture(
        self, name: str, image: bytes, *, cancelled: threading.Event | None = None
    ) -> dict[str, float]:
        """Return every label of a picture (the bytes of a file) with its probability, the likeliest first."""
        return self.ask_pictures(name, [image], cancelled=cancelled).result()[0]

    def ask_pictures(
        self, name: str, images: Sequence[bytes], *, cancelled: threading.Event | None = None
    ) -> Ticket[list[dict[str, float]]]:
        """Ask for the labels of pictures, without waiting for them."""
        served = self.shelf.get(name, "picture")
        check_count("pictures", len(images), self.limits.texts)
        ticket: Ticket[list[dict[str, float]]] = self._enter(served, "picture", cancelled)
        self._lanes[name, "picture"].put(Job(ticket, tuple(images), len(images)))
        return ticket

    # Scores.

    def score(
        self,
        name: str,
        texts: Sequence[str],
        given: Mapping[str, str] | None = None,
        *,
        cancelled: threading.Event | None = None,
    ) -> list[Score]:
        """Return what a writer thinks of lyrics, and what of them stands in its training songs; raises as `write`."""
        return self.ask_score(name, texts, given, cancelled=cancelled).result()

    def ask_score(
        self,
        name: str,
        texts: Sequence[str],
        given: Mapping[str, str] | None = None,
        *,
        cancelled: threading.Event | None = None,
    ) -> Ticket[list[Score]]:
        """Ask for what `score` returns, without waiting for it."""
        served = self.shelf.get(name, "write")
        self._check_texts(texts)
        for text in (given or {}).values():
            check_text("condition", text, 1_000)
        served.model.checked(given)
        ticket: Ticket[list[Score]] = self._enter(served, "score", cancelled)
        self._lanes[name, "score"].put(Job(ticket, scoring.Asked(tuple(texts), dict(given or {})), len(texts)))
        return ticket

    def index(self, name: str) -> Index | None:
        """Return the index of the songs that a writer learnt from; None where its corpus is there no more.

        It is made where the corpus has none yet, which takes a minute for a million songs; then it is kept.
        """
        served = self.shelf.get(name, "write")
        with self._indexing:
            if name not in self._indices:
                try:
                    self._indices[name] = index_of(served.run)
                except LyristError:
                    self._indices[name] = None
            return self._indices[name]

    # The desk itself.

    @property
    def inside(self) -> int:
        """Return how many requests wait or are being answered."""
        return self._gate.inside

    def refuse(self) -> None:
        """Take nothing new from now on."""
        self._gate.close()
        if self._until is None:
            self._until = time.monotonic() + self.limits.seconds + 1

    def close(self) -> None:
        """Take nothing new, finish what was begun (no longer than a request may take), and end the threads."""
        self.refuse()
        self._gate.wait(max(0.0, (self._until or 0.0) - time.monotonic()))
        for lane in self._lanes.values():
            lane.close()
        for scribe in self._scribes.values():
            scribe.close()

    def _check_texts(self, texts: Sequence[str]) -> None:
        check_count("texts", len(texts), self.limits.texts)
        for number, text in enumerate(texts, 1):
            check_text(f"text {number}", text, self.limits.characters)

    def _enter(self, served: Served, kind: str, cancelled: threading.Event | None) -> Ticket[Any]:
        ticket: Ticket[Any] = Ticket(self.limits.seconds, cancelled)
        try:
            self._gate.enter(ticket)
        except LyristError:
            self.counters.left(served.name, kind, "refused", 0.0)
            raise
        ticket.future.add_done_callback(
            lambda future: self.counters.left(served.name, kind, _outcome(future), ticket.seconds - ticket.left)
        )
        return ticket

    def _staff(self, served: Served) -> None:
        """Start the threads of a run."""
        name, most, threads = served.name, self.limits.batch, self._threads

        def watch(kind: str) -> Any:
            return lambda size: self.counters.computed(name, kind, size)

        if served.task == "classify":
            work = labelling.texts(served.model, served.run.cleaning, watch("classify"))
            self._lanes[name, "classify"] = Lane(f"classify {name}", work, most, threads)
        elif served.task == "picture":
            pictures = labelling.pictures(served.model, watch("picture"))
            self._lanes[name, "picture"] = Lane(f"picture {name}", pictures, most, threads)
        else:
            self._scribes[name] = Scribe(f"write {name}", served.model, most, threads, watch("write"))
            cleaning = served.run.cleaning
            score = scoring.work(own(served.model), cleaning, lambda: self.index(name), watch("score"))
            self._lanes[name, "score"] = Lane(f"score {name}", score, most, threads)
            self._lanes[name, "compose"] = Lane(f"compose {name}", self._composing(name, own(served.model)), 1, threads)

    def _composing(self, name: str, writer: Any) -> Any:
        def work(jobs: list[Job[Asked]]) -> None:
            for job in jobs:
                index = self.index(name) if job.asked.wishes.original is not None else None
                if job.asked.wishes.original is not None and index is None:
                    raise UsageError(
                        f"The songs that '{name}' learnt from are not there any more, so copies cannot be looked for; "
                        "leave original out."
                    )
                job.ticket.answer(composed(writer, job.asked, job.ticket, index))

        return work


def _outcome(future: Any) -> str:
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    if error is None:
        return "answered"
    if isinstance(error, Cancelled | TimedOut):
        return "cancelled" if isinstance(error, Cancelled) else "late"
    return "refused" if isinstance(error, LyristError) else "failed"
