"""The command `write`: songs from a saved writer, with or without constraints, stored with the settings that made them."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, cast  # noqa: F401 - the options' annotations are evaluated here

from lyrist import progress
from lyrist import text as texts
from lyrist.errors import LyristError, UsageError
from lyrist.generation import form as forms
from lyrist.generation import output
from lyrist.generation.config import MAX_TOKENS, ORIGINAL, GenerationConfig, cli_alias, with_options  # noqa: F401 - as above
from lyrist.generation.sheets import SheetFile
from lyrist.results import Result
from lyrist.text.languages import SUPPORTED, main_language
from lyrist.text.rhyme import source

if TYPE_CHECKING:
    from lyrist.corpus.corpus import Corpus
    from lyrist.evaluation.originality import Copied, Index
    from lyrist.generation.composer import LineWriter
    from lyrist.generation.endpoint import Endpoint
    from lyrist.generation.language_model import Composition, LanguageModel
    from lyrist.generation.prompts import WriterProtocol
    from lyrist.training.runs import Run

CANDIDATES = 24
PRETRAINED_CANDIDATES = 12
TAKES = 5
"""Takes for a target of a sheet, as in the API."""
UNSHAPED_CANDIDATES = 8
"""Candidates of a line if originality is the only constraint."""

OnText = Callable[[int, str, bool], object]
"""``on_text(song, text, ended)``: called with the text of a song so far."""


@dataclass(frozen=True)
class WrittenSong:
    """A generated song."""

    text: str
    tokens: int
    ended: str
    """``"end"``: by the writer; ``"plan"``: the form is complete; ``"length"``: by --max-tokens; ``"failed"``: see `failure`."""
    lines: tuple[forms.SongLine, ...] = ()
    """Its lines, if it was written line by line."""
    copied: Copied | None = None
    """Runs of words from training songs, if they were looked up."""
    failure: str = ""
    """Why the model failed after these lines."""

    def figures(self) -> dict[str, Any]:
        """Return the song for JSON: text, ending, and the constraints met line by line."""
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


@dataclass(frozen=True, repr=False)
class WriteResult(Result):
    """The result of `write`."""

    songs: tuple[WrittenSong, ...]
    settings: dict[str, Any]
    """Everything that determines the songs."""
    config: GenerationConfig
    seconds: float
    out: Path | None = None
    shown: bool = False
    """Whether the songs were shown while they were written; the summary then leaves them out."""
    notes: tuple[str, ...] = ()
    """How a server was used, and its cost."""

    def summary(self) -> str:
        """Return the songs (unless they were shown), the constraints met, and the settings in a line."""
        tokens = sum(song.tokens for song in self.songs)
        count = f"{len(self.songs)} song{'s' if len(self.songs) != 1 else ''}"
        config = self.config
        lines = [f"{count}, {tokens:,} tokens in {self.seconds:.1f} s; {config.describe()}; seed {config.seed}"]
        lines += [*self._met(), *self._copied(), *self.notes]
        lines += [f"song {i} stopped early: {song.failure}" for i, song in enumerate(self.songs, 1) if song.failure]
        lines += [f"written: {self.out}"] if self.out else []
        songs = [] if self.shown else [output.together([song.text for song in self.songs]) + "\n"]
        return "\n".join([*songs, *lines])

    def _met(self) -> list[str]:
        lines = [line for song in self.songs for line in song.lines if not line.repeated]
        generated = [line for line in lines if not line.given]
        met, found = forms.counts(lines), []
        rhymes, syllables = met["rhymes"], met["syllables"]
        if rhymes["wanted"]:
            grades = f"{rhymes['perfect']} perfect, {rhymes['near']} near"
            known = source(self.config.language or "en")
            found.append(f"rhymes met: {rhymes['met']} of {rhymes['wanted']}; {grades} (by the {known})")
        if syllables["wanted"]:
            numbers = sorted({line.wanted_syllables for line in generated if line.wanted_syllables is not None})
            found.append(
                f"lines within a syllable of {' or '.join(map(str, numbers))}: {syllables['met']} of {syllables['wanted']}, "
                f"{syllables['exact']} of them exactly"
            )
        found += [
            f"{name}: {met[key]['met']} of {met[key]['wanted']} lines"
            for name, key in (("metre met", "metre"), ("rhymes inside lines", "internal_rhymes"))
            if key in met
        ]
        found += [
            f"  no rhyme: {line.text}"
            for line in lines
            if line.rhyme_met is False and (not line.given or line.answered)
        ]
        found += [f"  {line.syllables} syllables: {line.text}" for line in generated if line.syllables_met is False]
        return [*found, *self._missing()]

    def _missing(self) -> list[str]:
        """Return the requested words that songs written line by line do not have."""
        found = []
        for number, song in enumerate(self.songs, 1):
            known = set(texts.words(song.text))
            missing = [word for word in dict.fromkeys(texts.words(self.config.use or "")) if word not in known]
            found += [f"  not in song {number}: {', '.join(missing)}"] if song.lines and missing else []
        return found

    def _copied(self) -> list[str]:
        runs = [song.copied for song in self.songs if song.copied is not None]
        if not runs:
            return []
        longest, most = max(runs, key=lambda each: each.longest_run), self.config.original or 0
        source = f': "{longest.words}" ({longest.song.title} by {longest.song.artist})' if longest.song else ""
        over = sum(line.copied is not None and line.copied > most for song in self.songs for line in song.lines)
        found = [f"longest run of words from a training song: {longest.longest_run}{source}"]
        return found + ([f"  lines with a longer run than {most} after all attempts: {over}"] if over else [])

    def figures(self) -> dict[str, Any]:
        """Return the settings and the songs for ``--json``."""
        return {
            "settings": self.settings,
            "seconds": round(self.seconds, 3),
            "tokens": sum(song.tokens for song in self.songs),
            "met": forms.counts([line for song in self.songs for line in song.lines]),
            "songs": [song.figures() for song in self.songs],
        }


@dataclass(frozen=True, repr=False)
class TakesResult(Result):
    """Takes for a line or a section of a song sheet."""

    takes: tuple[dict[str, Any], ...]
    """See `lyrist.generation.suggestions.takes`."""
    settings: dict[str, Any]
    seconds: float

    def summary(self) -> str:
        """Return the takes and the constraints that each meets."""
        shown = []
        for take in self.takes:
            met = take["met"]
            syllables = ", ".join("?" if count is None else str(count) for count in met["syllables"])
            rhyme = f"; rhyme: {met['rhyme']}" if met["rhyme"] else ""
            shown.append("\n".join([*take["lines"], f"  syllables: {syllables}{rhyme}"]))
        return "\n".join([*shown, f"{len(self.takes)} takes in {self.seconds:.1f} s; seed {self.settings['seed']}"])

    def figures(self) -> dict[str, Any]:
        """Return the takes for ``--json``."""
        return {"settings": self.settings, "seconds": round(self.seconds, 3), "takes": list(self.takes)}


@with_options(GenerationConfig)
def write(
    run: str | None = None,
    *,
    genre: str | None = None,
    artist: str | None = None,
    prompt: str | None = None,
    endpoint: str | None = None,
    endpoint_model: str | None = None,
    sheet: str | None = None,
    out: str | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    **options: Any,
) -> WriteResult | TakesResult:
    r"""Write lyrics with a saved writer.

    Parameters
    ----------
    run
        Run directory of a recipe that writes, or a pretrained causal model: a known name such as smollm2, a directory, or a name
        on the Hugging Face hub.
    genre
        Genre of the songs, for a writer trained with --condition genre.
    artist
        Artist whose style the songs follow, for a writer trained with --condition artist.
    prompt
        The first words; \n in them is a line end.
    endpoint
        Address of an OpenAI-compatible server that writes instead of a run, such as http://localhost:8000/v1. Its key is read
        from LYRIST_API_KEY or OPENAI_API_KEY.
    endpoint_model
        Name of the model on that server.
    sheet
        JSON file of a song in progress, as for /v1/compose: its empty lines are written, or takes for its target.
    out
        File to write: .jsonl or .txt.
    format
        jsonl or text, if the file name does not say.

    Raises
    ------
    UsageError
        An option is out of range, or the writer was not trained with this condition.
    LyristError
        The run is missing, damaged, or not a writer.
    """
    config = GenerationConfig(**options)
    path = Path(out) if out is not None else None
    kind = output.kind(path, format) if path is not None else None
    given = {name: value for name, value in (("genre", genre), ("artist", artist)) if value is not None}
    song = SheetFile.open(Path(sheet)) if sheet is not None else None
    if song is not None:
        given = {**song.given, **given}
        if song.target is None:
            config = song.applied(config)
        elif path is not None:
            raise UsageError(
                f"--out is for songs, and {song.path} has a target, for which takes are written; leave --out out."
            )
    index: Index | None = None
    writer: WriterProtocol | LanguageModel
    server: Endpoint | None = None
    if endpoint is not None:
        if run is not None or not endpoint_model:
            raise UsageError("--endpoint needs --endpoint-model NAME, and no run; give one of both.")
        server = open_endpoint(endpoint, endpoint_model, {**given, **config.song()})
        writer, recipe = server, "endpoint"
    elif run is None:
        raise UsageError("Name a run, a pretrained model such as smollm2, or --endpoint URL --endpoint-model NAME.")
    elif is_run(run):
        opened = open_writer(run)
        writer, recipe = opened.writer, opened.info["recipe"]
        index, config = _default_original(opened, in_language_of(opened.corpus, config))
    else:
        writer, recipe = open_pretrained(run), "pretrained"
    began = time.perf_counter()
    if song is not None and song.target is not None:
        return _takes(writer, song, given, config, index)
    if is_local(writer) and writer.prompt and config.plan() is None:
        config = config.without_loops()
    songs = compose(writer, given=given, prompt=prompt, config=config, index=index)
    settings = {"run": str(run or endpoint_model), "recipe": recipe, **given, "prompt": prompt, **config.settings()}
    notes = server.notes() if server else ()
    written = WriteResult(songs, settings, config, time.perf_counter() - began, path, output.listening(), notes)
    if path is not None and kind is not None:
        output.write_songs(path, kind, [song.figures() for song in songs], settings)
    return written


def _takes(
    model: WriterProtocol | LanguageModel,
    song: SheetFile,
    given: Mapping[str, str],
    config: GenerationConfig,
    index: Index | None,
) -> TakesResult:
    """Return takes for the target of a sheet."""
    from lyrist.generation.suggestions import takes

    more, began = dict(song.more or {}), time.perf_counter()
    n, seed = more.pop("n", config.n if config.n > 1 else TAKES), more.pop("seed", config.seed)
    with _progress() as advance, _threads(model):
        found = []
        for take in takes(model, {**song.sheet, **given}, song.target or {}, n, seed, index=index, **more):
            found.append(take)
            advance(len(found), n)
    settings = {"sheet": str(song.path), "target": dict(song.target or {}), "n": n, "seed": seed, **more}
    return TakesResult(tuple(found), settings, time.perf_counter() - began)


def _default_original(opened: Run, config: GenerationConfig) -> tuple[Index | None, GenerationConfig]:
    """Return the phrase index of the training songs, and the config with the default of ``original`` if they can be read."""
    if config.original == 0:
        return None, config
    if config.original is not None:
        return index_of(opened), config
    try:
        return index_of(opened), replace(config, original=ORIGINAL)
    except LyristError:
        return None, config


def is_run(name: str | Path) -> bool:
    """Return whether a name is that of a run directory rather than of a pretrained model."""
    from lyrist.models.fetch import KNOWN

    path = Path(name)
    if path.is_dir():
        return (path / "run.json").exists() or not (path / "config.json").exists()
    on_hub = str(name).count("/") == 1 and not path.parent.exists()
    return not (str(name) in KNOWN or path.suffix == ".gguf" or on_hub)


def open_endpoint(url: str, model: str, given: Mapping[str, str]) -> Endpoint:
    """Return a model on an OpenAI-compatible server."""
    from lyrist.generation.endpoint import Endpoint

    return Endpoint(url, model, given)


def open_pretrained(name: str | Path) -> WriterProtocol:
    """Return a pretrained causal model as a writer.

    Raises
    ------
    LyristError
        There is no such model, or it cannot be opened.
    """
    from lyrist.training.writer import Writer

    return Writer.pretrained(str(name))


def open_model(model: Any) -> WriterProtocol | LanguageModel:
    """Return a writer or language model: ``model`` itself, or the run or pretrained model that it names."""
    if not isinstance(model, str | Path):
        found: WriterProtocol | LanguageModel = model
        return found
    return open_writer(model).writer if is_run(model) else open_pretrained(model)


def open_writer(run: str | Path) -> Run:
    """Open a run that writes lyrics.

    Raises
    ------
    LyristError
        The run is missing, or belongs to another task.
    """
    from lyrist.models.fetch import KNOWN
    from lyrist.training.runs import open_run

    if not Path(run).exists() and (close := difflib.get_close_matches(str(run), KNOWN, 1)):
        raise LyristError(f"There is no run directory {run}. Did you mean the pretrained model '{close[0]}'?")
    opened = open_run(run)
    if opened.info.get("task") != "write":
        raise LyristError(
            f"The run {run} does not write lyrics (its recipe '{opened.info.get('recipe')}' is for another task); "
            "train a writer: lyrist train ngram CORPUS --target lyrics --out RUN."
        )
    return opened


def in_language_of(corpus: Callable[[], Corpus], config: GenerationConfig) -> GenerationConfig:
    """Return the options with the main language of a corpus, which is opened only if they have no language.

    Raises
    ------
    UsageError
        Rhymes or syllables are requested, and the language has no rules for them.
    """
    try:
        counts = {} if config.language else corpus().info["counts"].get("languages", {})
    except LyristError:  # the corpus was moved
        return config
    language = main_language(counts)
    if language is None or not (language in SUPPORTED or config.sounds):
        return config
    return replace(config, language=language)


def index_of(opened: Run) -> Index:
    """Return the phrase index of the songs that a writer was trained on.

    Raises
    ------
    LyristError
        The corpus is missing, or has changed since the training.
    """
    from lyrist.corpus.corpus import Corpus
    from lyrist.evaluation.originality import Index

    corpus = Corpus.open(opened.info["corpus"])
    if corpus.fingerprint != opened.info["fingerprint"]:
        raise LyristError(
            f"{corpus.path} holds other songs than those that {opened.path} was trained on, so copied runs cannot be looked up; "
            "prepare the corpus as before, train the writer again, or leave --original out."
        )
    return Index.of(corpus)


def compose(
    writer: WriterProtocol | LanguageModel,
    *,
    given: Mapping[str, str] | None = None,
    prompt: str | None = None,
    config: GenerationConfig | None = None,
    index: Index | None = None,
    on_text: OnText | None = None,
) -> tuple[WrittenSong, ...]:
    """Write songs with an opened writer, as `write` does.

    Parameters
    ----------
    writer
        A `lyrist.training.writer.Writer`, or a language model.
    given
        Its conditions: column to value.
    prompt
        The first words.
    config
        Sampling, number and constraints of the songs.
    index
        Phrase index of the training songs; required if ``config.original`` is set.
    on_text
        Called as ``on_text(song, text, ended)`` with the text of a song so far; only the part that `output.whole` returns is
        final. By default the text is shown if `output.shown` is active.
    """
    from lyrist.generation.batching import sample
    from lyrist.generation.language_model import composed
    from lyrist.generation.prompts import Vocabulary, start

    config = config or GenerationConfig()
    if config.sheet and prompt is not None:
        raise UsageError("A prompt cannot be combined with a sheet; put its lines into the sheet.")
    if config.original and index is None:
        raise UsageError("original needs the phrase index of the training songs; pass index.")
    if on_text is None and output.listening():
        on_text = output.Stage(config.n).update
    if config.plan() is not None or not is_local(writer):
        with _progress() as advance, _threads(writer):
            return composed(compose_in_steps(writer, given or {}, prompt, config, index, on_text, advance))
    writer.model.eval()
    if writer.prompt:
        given, config = {**(given or {}), **config.song()}, config.without_loops()
    limit, sampling, begin = config.max_tokens or MAX_TOKENS, config.sampling, start(writer, given or {}, prompt)
    with _progress() as advance, _threads(writer):
        drafts = sample(
            begin, Vocabulary(writer), sampling, config.n, max_tokens=limit, seed=config.seed, on_text=on_text
        )
        advance(config.n, config.n)
    return tuple(WrittenSong(draft.text, draft.tokens, draft.ended) for draft in drafts)


def is_local(model: WriterProtocol | LanguageModel) -> TypeGuard[WriterProtocol]:
    """Return whether a model is a writer on this machine; else it is called through `LanguageModel`."""
    return not hasattr(model, "next_words")


def candidates_of(model: WriterProtocol | LanguageModel, config: GenerationConfig) -> int:
    """Return the number of lines that are sampled for each line."""
    pretrained = not is_local(model) or bool(model.prompt)
    candidates = config.candidates or (PRETRAINED_CANDIDATES if pretrained else CANDIDATES)
    return candidates if config.shaped or config.sheet else min(candidates, UNSHAPED_CANDIDATES)


def line_writer(
    model: WriterProtocol | LanguageModel,
    config: GenerationConfig,
    given: Mapping[str, str] | None = None,
    index: Index | None = None,
) -> LineWriter:
    """Return what writes single lines: a language model, and for a pretrained one also the same model without a topic."""
    from lyrist.generation.composer import LineWriter
    from lyrist.generation.language_model import LocalModel
    from lyrist.generation.prompts import Vocabulary, start

    candidates = candidates_of(model, config)
    runs = None if index is None else index.extends_all
    if not is_local(model):
        return LineWriter(cast("LanguageModel", model), config.sampling, candidates=candidates, runs=runs)
    model.model.eval()
    vocabulary, generic = Vocabulary(model), None
    if model.prompt:
        given = {**(given or {}), **config.song()}
        if config.title or config.about:
            generic = LocalModel(start(model, {}, None), vocabulary, config.sampling)
    own = LocalModel(start(model, given or {}, None), vocabulary, config.sampling)
    return LineWriter(own, config.sampling, candidates=candidates, runs=runs, generic=generic)


def compose_in_steps(
    writer: WriterProtocol | LanguageModel,
    given: Mapping[str, str],
    prompt: str | None,
    config: GenerationConfig,
    index: Index | None = None,
    on_text: OnText | None = None,
    advance: progress.Advance = lambda *_: None,
) -> Composition[tuple[WrittenSong, ...]]:
    """Write songs line by line, as `compose`, in steps that can share a batch with other songs."""
    from lyrist.generation.composer import Composer
    from lyrist.generation.prompts import cleaned, start

    plan = config.plan() or forms.SongPlan()
    text = "" if prompt is None else cleaned(prompt)
    if is_local(writer):
        start(writer, given, prompt)  # checks the length of the prompt and the conditions
    limit = config.max_tokens or (10**9 if plan.sections else MAX_TOKENS)
    composer, found = Composer(line_writer(writer, config, given, index), plan, limit, text), []
    for number in range(config.n):
        update = None if on_text is None else (lambda text, song=number: on_text(song, text, False))
        song = yield from composer.write(number, config.seed, update)
        if on_text is not None:
            on_text(number, song.text, True)
        copied = None if index is None else index.copied(song.text)
        found.append(WrittenSong(song.text, song.tokens, song.ended, song.lines, copied, song.failure))
        advance(number + 1, config.n)
        if song.failure:
            break
    return tuple(found)


def _threads(model: WriterProtocol | LanguageModel) -> AbstractContextManager[None]:
    """Compute a small model on one CPU thread: a second one makes it slower on a busy machine."""
    from lyrist.training.schedule import threads

    return threads(model.model) if is_local(model) else nullcontext()


def _progress() -> AbstractContextManager[progress.Advance]:
    """Return the progress bar; none if the songs themselves are shown."""
    return nullcontext(lambda *_: None) if output.listening() else progress.task("writing", "songs")
