"""`write`: lyrics from a saved writer, freely or to a plan, each with the settings that made it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import Parameter

from lyrist import progress
from lyrist import text as texts
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.evaluation.originality import Copied, Index
from lyrist.generation import form as forms
from lyrist.generation import output
from lyrist.generation.batching import Draft, sample
from lyrist.generation.constrained import CANDIDATES, ComposedSong, Composer, LineWriter, SongPlan
from lyrist.generation.prompts import SongStart, Vocabulary, WriterProtocol, start
from lyrist.generation.sampling import SamplingOptions
from lyrist.training.runs import Run, open_run

MAX_TOKENS = 300
"""Tokens of a song that is written freely, unless told otherwise; a plan knows its own end."""

REDRAWN = 8
"""Lines that are drawn for each where nothing is asked of them but to be original."""


@dataclass(frozen=True)
class WrittenSong:
    """A song that was written."""

    text: str
    tokens: int
    ended: str
    """``"end"``: by the writer, ``"plan"``: the plan is met, ``"length"``: by --max-tokens."""
    lines: tuple[forms.SongLine, ...] = ()
    """Its lines, where it was written line by line."""
    copied: Copied | None = None
    """What of it stands in the training songs, where that was looked up."""

    def figures(self) -> dict[str, Any]:
        """Return the song for JSON: its text, how it ended, and what was met line by line."""
        found: dict[str, Any] = {"lyrics": self.text, "tokens": self.tokens, "ended": self.ended}
        if self.lines:
            found |= {"met": forms.counts(self.lines), "lines": [line.figures() for line in self.lines]}
        if self.copied is not None:
            song = self.copied.song
            found["copied"] = {
                "longest_run": self.copied.longest_run,
                "words": self.copied.words,
                "song": None if song is None else {"id": song.id, "title": song.title, "artist": song.artist},
            }
        return found


@dataclass(frozen=True)
class WriteResult:
    """What `write` wrote."""

    songs: tuple[WrittenSong, ...]
    settings: dict[str, Any]
    """All that decides what was written."""
    sampling: SamplingOptions
    seconds: float
    out: Path | None = None
    shown: bool = False
    """Whether the songs were shown while they were written, so that they need not be told again."""

    def summary(self) -> str:
        """Return the songs (unless they were shown), what of the wishes was met, and the settings in a line."""
        tokens = sum(song.tokens for song in self.songs)
        count = f"{len(self.songs)} song{'s' if len(self.songs) != 1 else ''}"
        told = [
            f"{count}, {tokens:,} tokens in {self.seconds:.1f} s; {self.sampling.told()}; seed {self.settings['seed']}"
        ]
        told += self._met()
        told += [f"written: {self.out}"] if self.out else []
        texts = [] if self.shown else [output.together([song.text for song in self.songs]) + "\n"]
        return "\n".join([*texts, *told])

    def _met(self) -> list[str]:
        met = forms.counts([line for song in self.songs for line in song.lines])
        rhymes, syllables = met["rhymes"], met["syllables"]
        told = []
        if rhymes["wanted"]:
            told.append(f"rhymes met: {rhymes['met']} of {rhymes['wanted']}, {rhymes['perfect']} of them perfect")
        if syllables["wanted"]:
            told.append(
                f"lines within a syllable of {self.settings['syllables']}: {syllables['met']} of {syllables['wanted']}, "
                f"{syllables['exact']} of them exactly"
            )
        missed = [line for song in self.songs for line in song.lines if not line.repeated and not line.given]
        told += [f"  no rhyme: {line.text}" for line in missed if line.rhyme_met is False]
        told += [f"  {line.syllables} syllables: {line.text}" for line in missed if line.syllables_met is False]
        runs = [song.copied for song in self.songs if song.copied is not None]
        if runs:
            longest = max(runs, key=lambda each: each.longest_run)
            named = f': "{longest.words}" ({longest.song.title} by {longest.song.artist})' if longest.song else ""
            told.append(f"longest run of words from a training song: {longest.longest_run}{named}")
            most = self.settings["original"]
            over = sum(line.copied is not None and line.copied > most for song in self.songs for line in song.lines)
            told += [f"  more than {most} in spite of drawing again: {over} lines"] if over else []
        return told

    def figures(self) -> dict[str, Any]:
        """Return the settings and the songs for ``--json``."""
        return {
            "settings": self.settings,
            "seconds": round(self.seconds, 3),
            "tokens": sum(song.tokens for song in self.songs),
            "met": forms.counts([line for song in self.songs for line in song.lines]),
            "songs": [song.figures() for song in self.songs],
        }


@dataclass(frozen=True)
class Wishes:
    """What the songs are to be like; checked when made."""

    songs: int = 1
    max_tokens: int | None = None
    seed: int = 0
    form: str | None = None
    rhyme: str | None = None
    syllables: int | None = None
    hook: str | None = None
    original: int | None = None
    candidates: int = CANDIDATES
    sheet: tuple[str | None, ...] = ()
    """A song whose lines stand fast where there are words, and are written anew where there is None; ``""`` parts its
    sections. With a form it has the form's lines, those of its repeated sections included."""
    refused: tuple[str, ...] = ()
    """Lines that are not wanted again."""

    def __post_init__(self) -> None:
        for name, least in (("max_tokens", 1), ("syllables", 1), ("original", 3), ("candidates", 1), ("songs", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = "-n" if name == "songs" else "--" + name.replace("_", "-")
                raise UsageError(f"{option} is {value}; it is at least {least}.")
        if self.seed < 0:
            raise UsageError(f"--seed is {self.seed}; it is at least 0.")
        if self.syllables is not None and self.syllables > 40:
            raise UsageError(f"--syllables is {self.syllables}; nobody sings so long a line: it is at most 40.")
        self.plan()

    def plan(self) -> SongPlan | None:
        """Return the plan, or None where songs are written freely."""
        scheme = forms.rhyme_scheme(self.rhyme)
        if self.sheet:
            return self._redrawn(scheme)
        shaped = bool(self.form or scheme or self.syllables)
        if self.hook is not None and not (self.hook.strip() and "chorus" in (self.form or "")):
            raise UsageError("--hook is the first line of the chorus; give its words, and a --form with a chorus.")
        if not shaped and self.original is None:
            return None
        sections = forms.parse(self.form or forms.DEFAULT) if shaped else ()
        hook = " ".join(self.hook.split()) if self.hook else ""
        return SongPlan(sections, scheme, self.syllables, hook, self.original)

    def _redrawn(self, scheme: str) -> SongPlan:
        """Return the plan of a song of which some lines stand fast."""
        stanzas = forms.stanzas(self.sheet)
        lines = tuple(line for stanza in stanzas for line in stanza)
        if self.hook is not None:
            raise UsageError("A hook is a line that stands fast: put it into the sheet.")
        if None not in lines:
            raise UsageError("Every line stands fast, so there is nothing to write; let go of one.")
        if self.form is None:
            sections = forms.as_they_stand(stanzas)
        else:
            sections = forms.parse(self.form)
            if [section.lines for section in sections] != [len(stanza) for stanza in stanzas]:
                raise UsageError(f"The sheet's sections have other lengths than those of '{self.form}'.")
        return SongPlan(
            sections, scheme, self.syllables, "", self.original, lines, frozenset(map(texts.key, self.refused))
        )


def write(
    run: str,
    *,
    genre: str | None = None,
    artist: str | None = None,
    prompt: str | None = None,
    n: Annotated[int, Parameter(alias="-n")] = 1,
    max_tokens: int | None = None,
    temperature: float = SamplingOptions.temperature,
    top_k: int = SamplingOptions.top_k,
    top_p: float = SamplingOptions.top_p,
    min_p: float = SamplingOptions.min_p,
    style: float = SamplingOptions.style,
    repetition_penalty: float = SamplingOptions.repetition_penalty,
    no_repeat_ngram: int = SamplingOptions.no_repeat_ngram,
    max_repeats: int = SamplingOptions.max_repeats,
    seed: int = 0,
    form: str | None = None,
    rhyme: str | None = None,
    syllables: int | None = None,
    hook: str | None = None,
    original: int | None = None,
    candidates: int = CANDIDATES,
    out: str | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
) -> WriteResult:
    r"""Write lyrics with a saved writer.

    Parameters
    ----------
    run
        The run directory of a recipe that writes.
    genre
        The genre of the songs, for a writer that was trained with --condition genre.
    artist
        Whose songs they are to be like, for a writer that was trained with --condition artist.
    prompt
        The first words; \n in them is a line end.
    n
        How many songs.
    max_tokens
        Tokens of a song at most: 300, or as many as the form needs. The section, or the line, that gets so far is finished.
    temperature
        Less is safer, more is wilder; 0 takes the likeliest token always.
    top_k
        Draw among this many likeliest tokens; 0: all.
    top_p
        Draw among the likeliest tokens that together have this probability.
    min_p
        Draw among tokens at least this times as likely as the likeliest.
    style
        How far to lean to words that are usual for the genre or artist; 0: the writer alone decides.
    repetition_penalty
        1 is none, 1.1 a little; line ends are spared.
    no_repeat_ngram
        No run of so many tokens is written twice; 0: any may be.
    max_repeats
        No six tokens in a row stand in a song more than so many times; 0: no limit.
    seed
        The same seed writes the same songs.
    form
        Sections, such as verse,chorus,verse:8,chorus; the chorus is repeated.
    rhyme
        Which lines of a stanza rhyme: AABB, ABAB, or free.
    syllables
        Syllables of a line.
    hook
        The first line of the chorus.
    original
        Draw lines again that copy a longer run of words from a training song.
    candidates
        Lines that are drawn for each line of a form.
    out
        A file to write: .jsonl or .txt.
    format
        jsonl or text, where the name of the file does not tell.

    Raises
    ------
    UsageError
        A setting cannot be meant as it is given, or the writer was not trained with such a condition.
    LyristError
        The run is not there, damaged, or does not write.
    """
    sampling = SamplingOptions(
        temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram, style=style, max_repeats=max_repeats
    )
    wishes = Wishes(n, max_tokens, seed, form, rhyme, syllables, hook, original, candidates)
    path = Path(out) if out is not None else None
    kind = output.kind(path, format) if path is not None else None
    opened = open_writer(run)
    given = {name: value for name, value in (("genre", genre), ("artist", artist)) if value is not None}
    index = index_of(opened) if original is not None else None
    began = time.perf_counter()
    songs = compose(opened.writer, given=given, prompt=prompt, sampling=sampling, wishes=wishes, index=index)
    settings = {"run": str(run), "recipe": opened.info["recipe"], **given, "prompt": prompt, **asdict(sampling)}
    settings |= {name: value for name, value in asdict(wishes).items() if value != ()}
    written = WriteResult(songs, settings, sampling, time.perf_counter() - began, path, output.listening())
    if path is not None and kind is not None:
        output.write_songs(path, kind, [song.figures() for song in songs], settings)
    return written


def open_writer(run: str | Path) -> Run:
    """Open a run and make sure that it writes.

    Raises
    ------
    LyristError
        It is not there, or is of another task.
    """
    opened = open_run(run)
    if opened.info.get("task") != "write":
        raise LyristError(
            f"The run {run} does not write lyrics (its recipe '{opened.info.get('recipe')}' is for another task); "
            "train a writer: lyrist train ngram CORPUS --target lyrics --out RUN."
        )
    return opened


def index_of(opened: Run) -> Index:
    """Return the index of the songs that a writer learnt from.

    Raises
    ------
    LyristError
        Its corpus is not there any more, or another one stands in its place.
    """
    corpus = Corpus.open(opened.info["corpus"])
    if corpus.fingerprint != opened.info["fingerprint"]:
        raise LyristError(
            f"{corpus.path} holds other songs than those that {opened.path} learnt from, so what is copied cannot be told; "
            "prepare it again as it was, train the writer anew, or leave --original out."
        )
    return Index.of(corpus)


def compose(
    writer: WriterProtocol,
    *,
    given: Mapping[str, str] | None = None,
    prompt: str | None = None,
    sampling: SamplingOptions | None = None,
    wishes: Wishes | None = None,
    index: Index | None = None,
    say: Callable[[int, str, bool], object] | None = None,
) -> tuple[WrittenSong, ...]:
    """Write songs with an opened writer: what `write` does, for those who hold one already.

    Parameters
    ----------
    writer
        A `lyrist.training.writer.Writer`.
    given
        Its conditions: column to value.
    prompt
        The first words.
    sampling
        How tokens are drawn.
    wishes
        How many songs, and what they are to be like.
    index
        Of the training songs; needed where ``wishes.original`` is set.
    say
        ``say(song, text, ended)`` is called with the text of a song so far, as it is written; only what
        `output.whole` returns of it is sure to stay. By default it goes to who listens with `output.shown`.
    """
    sampling, wishes = sampling or SamplingOptions(), wishes or Wishes()
    if wishes.sheet and prompt is not None:
        raise UsageError("A prompt is the beginning of a new song; put its lines into the sheet.")
    if wishes.original is not None and index is None:
        raise UsageError("To keep copied runs out, the index of the training songs is needed.")
    if say is None and output.listening():
        say = output.Stage(wishes.songs).say
    writer.model.eval()
    begin, vocabulary, plan = start(writer, given or {}, prompt), Vocabulary(writer), wishes.plan()
    if plan is None:
        songs = [_freely(draft) for draft in _sampled(begin, vocabulary, sampling, wishes, say)]
    else:
        songs = _by_lines(begin, vocabulary, sampling, wishes, plan, index, say)
    return tuple(_looked_up(song, index) for song in songs)


def _sampled(
    begin: SongStart,
    vocabulary: Vocabulary,
    sampling: SamplingOptions,
    wishes: Wishes,
    say: Callable[[int, str, bool], object] | None,
) -> list[Draft]:
    limit = wishes.max_tokens or MAX_TOKENS
    with _progress() as advance:
        found = sample(begin, vocabulary, sampling, wishes.songs, max_tokens=limit, seed=wishes.seed, say=say)
        advance(wishes.songs, wishes.songs)
    return found


def _by_lines(
    begin: SongStart,
    vocabulary: Vocabulary,
    sampling: SamplingOptions,
    wishes: Wishes,
    plan: SongPlan,
    index: Index | None,
    say: Callable[[int, str, bool], object] | None,
) -> list[WrittenSong]:
    runs = None if index is None else index.extends_all
    asked = wishes.form or plan.scheme or plan.syllables
    candidates = wishes.candidates if asked else min(wishes.candidates, REDRAWN)
    lines = LineWriter(vocabulary, sampling, candidates=candidates, runs=runs, lean=begin.lean)
    limit = wishes.max_tokens or (10**9 if plan.sections else MAX_TOKENS)
    composer = Composer(begin, vocabulary, lines, plan, limit)
    found = []
    with _progress() as advance, torch.no_grad():
        for number in range(wishes.songs):
            tell = None if say is None else (lambda text, song=number: say(song, text, False))
            song = composer.write(number, wishes.seed, tell)
            if say is not None:
                say(number, song.text, True)
            found.append(_lined(song))
            advance(number + 1, wishes.songs)
    return found


def _progress() -> AbstractContextManager[progress.Advance]:
    """Return the progress of writing; none where the songs themselves are shown, which is progress enough."""
    return nullcontext(lambda *_: None) if output.listening() else progress.task("writing", "songs")


def _freely(draft: Draft) -> WrittenSong:
    return WrittenSong(draft.text, draft.tokens, draft.ended)


def _lined(song: ComposedSong) -> WrittenSong:
    return WrittenSong(song.text, song.tokens, song.ended, song.lines)


def _looked_up(song: WrittenSong, index: Index | None) -> WrittenSong:
    if index is None:
        return song
    return WrittenSong(song.text, song.tokens, song.ended, song.lines, index.copied(song.text))
