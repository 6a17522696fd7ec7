"""A song on its way to a person: asked of the desk, shown as it grows, stopped where the person says so."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lyrist.generation import form as forms
from lyrist.generation.config import GenerationConfig, SamplingOptions
from lyrist.generation.output import whole
from lyrist.generation.write import WrittenSong
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.requests import Cancelled, check_text
from lyrist.serving.songworker import GenerationRequest
from lyrist.serving.studio.sheet import Draft
from lyrist.serving.studio.shown import plain

FRAME = 0.12
"""Seconds between two pictures of a song that grows."""
SEEDS = 2**31


@dataclass(frozen=True)
class Order:
    """What a person asks for, as the controls of the tab have it."""

    writer: str
    given: dict[str, str] = field(default_factory=dict)
    prompt: str = ""
    form: str = ""
    rhyme: str = ""
    syllables: int = 0
    """0: as they come."""
    original: int = 0
    """0: copied runs are not kept out."""
    max_tokens: int = 300
    """Of a song that has no form."""
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    seed: int | None = None
    """None: a new one."""

    def config(self, draft: Draft | None) -> GenerationConfig:
        """Return the generation config; with a draft, its unlocked lines are written again.

        Raises
        ------
        UsageError
            An option is out of range.
        """
        seed = secrets.randbelow(SEEDS) if self.seed is None else self.seed
        rhyme, syllables, original = self.rhyme.strip() or None, self.syllables or None, self.original or None
        given: dict[str, Any] = {
            **vars(self.sampling), "seed": seed, "rhyme": rhyme, "syllables": syllables, "original": original,
        }  # fmt: skip
        if draft is not None:
            for line in draft.lines:
                check_text("a line", line, 2_000)
            return GenerationConfig(**given, form=draft.form, sheet=draft.sheet(), rejected=draft.loose())
        form = self.form.strip() or None
        free = not (form or rhyme or syllables)
        return GenerationConfig(**given, form=form, max_tokens=self.max_tokens if free else None)


@dataclass
class WritingSessions:
    """The songs that are being written, by the session of who asked: so that each can be stopped, and by nobody else."""

    engine: InferenceEngine
    _stops: dict[str, set[threading.Event]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self, session: str) -> None:
        """Stop what is being written for a session."""
        with self._lock:
            for event in self._stops.get(session, ()):
                event.set()

    def write(self, session: str, order: Order, draft: Draft | None = None) -> Iterator[tuple[Draft, str]]:
        """Write a song, or the loose lines of a draft.

        Yields
        ------
        tuple
            The song so far, and where it stands: ``"writing"``, ``"looking"`` (for copied runs) or ``"done"``. A song
            that was stopped is done as far as it came.
        """
        stop = threading.Event()
        with self._lock:
            self._stops.setdefault(session, set()).add(stop)
        try:
            yield from self._written(order, draft, stop)
        finally:
            stop.set()  # whoever goes away in the midst of it needs no more of it
            with self._lock:
                self._stops[session].discard(stop)
                if not self._stops[session]:
                    del self._stops[session]

    def _written(self, order: Order, draft: Draft | None, stop: threading.Event) -> Iterator[tuple[Draft, str]]:
        config = order.config(draft)
        latest, fresh, began = [""], threading.Event(), time.monotonic()

        def on_text(song: int, text: str, ended: bool) -> None:
            latest[0] = text
            fresh.set()

        prompt = order.prompt.strip("\n") or None if draft is None else None
        request = GenerationRequest(config, order.given, prompt, on_text=on_text)
        pending = self.engine.submit_write(order.writer, request, cancelled=stop)
        pending.future.add_done_callback(lambda _: fresh.set())
        begun = Draft(
            "", _title(order), rhyme=config.rhyme, syllables=config.syllables, given=tuple(order.given.items())
        )
        yield begun, "writing"
        while not pending.future.done() and not stop.is_set() and pending.left:
            if fresh.wait(0.5):
                fresh.clear()
                yield replace(begun, text=whole(latest[0]).rstrip("\n")), "writing"
                time.sleep(FRAME)
        found = _result(pending, stop, latest)
        done = _finished(begun, found, config, order, time.monotonic() - began)
        yield done, "looking"
        yield replace(done, passages=self._passages(order.writer, done.text)), "done"

    def _passages(self, writer: str, text: str) -> Any:
        index = self.engine.index(writer)
        return None if index is None else tuple(index.passages(text))


def shape(order: Order, draft: Draft | None) -> tuple[bool, ...]:
    """Return for each line that a song will have whether it has words; nothing where nobody knows.

    Raises
    ------
    UsageError
        The form cannot be meant as it is.
    """
    if draft is not None:
        return tuple(bool(line.strip()) for line in draft.lines)
    if not (order.form.strip() or order.rhyme.strip() or order.syllables):
        return ()
    sections = forms.parse(order.form.strip() or forms.DEFAULT)
    return tuple(words for section in sections for words in [*[True] * section.lines, False])[:-1]


def _result(pending: Any, stop: threading.Event, latest: list[str]) -> WrittenSong:
    """Return the song; where it was stopped, as far as it came."""
    stopped = WrittenSong(
        whole(latest[0] + "\n").rstrip() if latest[0].endswith("\n") else whole(latest[0]).rstrip(), 0, "stopped"
    )
    if stop.is_set() and not pending.future.done():
        return stopped
    try:
        song: WrittenSong = pending.result()[0]
    except Cancelled:
        if stop.is_set():
            return stopped
        raise
    return song


def _finished(begun: Draft, song: WrittenSong, config: GenerationConfig, order: Order, seconds: float) -> Draft:
    entire = song.ended == "plan"
    form = config.form if entire else None
    draft = replace(
        begun,
        text=song.text,
        ended=song.ended,
        form=form,
        twins=_twins(form),
        settings=_told(song, config, order, seconds),
    )
    return replace(draft, locked=_kept(config.sheet, draft)) if config.sheet else draft


def _kept(given: tuple[str | None, ...], draft: Draft) -> frozenset[int]:
    """Return the lines of a redrawn song that were kept: empty lines may have become fewer, the others stand in order."""
    stood = [line is not None for line in given if line is None or line.strip()]
    places = [place for place, line in enumerate(draft.lines) if line.strip()]
    kept = (place for place, fast in zip(places, stood, strict=False) if fast)
    return frozenset(place for place in kept if place not in draft.twins)


def _twins(form: str | None) -> dict[int, int]:
    """Return which lines of a song of this form repeat which, empty lines between sections counted."""
    found: dict[int, int] = {}
    begins: list[int] = []
    line = 0
    for section in forms.parse(form) if form else ():
        begins.append(line)
        if section.repeats is not None:
            found |= {line + place: begins[section.repeats] + place for place in range(section.lines)}
        line += section.lines + 1
    return found


def _title(order: Order) -> str:
    like = [plain(value, 40) for value in order.given.values()]
    return " · ".join([plain(order.writer, 40), *like])


def _told(song: WrittenSong, config: GenerationConfig, order: Order, seconds: float) -> str:
    """Return how a song was written, in a line."""
    told = [order.sampling.describe(), f"seed {config.seed}"]
    if song.ended == "stopped":
        return "; ".join([*told, "stopped"])
    told.append(f"{song.tokens:,} tokens in {seconds:.1f} s")
    met = forms.counts(song.lines)
    if met["rhymes"]["wanted"]:
        told.append(f"rhymes met {met['rhymes']['met']} of {met['rhymes']['wanted']}")
    if met["syllables"]["wanted"]:
        told.append(
            f"lines within a syllable of {config.syllables}: {met['syllables']['met']} of {met['syllables']['wanted']}"
        )
    if song.ended == "length":
        told.append("cut at its length")
    return "; ".join(told)
