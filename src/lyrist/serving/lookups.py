"""Paths that need no generation: the analysis of a song, words and rhymes, songs of a corpus, and results of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Query, Request

from lyrist.corpus import search
from lyrist.errors import LyristError
from lyrist.evaluation.originality import TrainingSong
from lyrist.generation.analysis import AnalysedSong, Section, analyse, sections_of
from lyrist.serving import schemas
from lyrist.serving.inferenceengine import FORM_LINES, SECTIONS, InferenceEngine
from lyrist.serving.modelregistry import ServedModel, Task
from lyrist.serving.requests import Unavailable, check_text
from lyrist.serving.responses import ApiError, answers, known
from lyrist.studies.compare import compare
from lyrist.text import rhyme, words
from lyrist.text.languages import check_language
from lyrist.text.rhyme import Rhyme

GRADES = {Rhyme.PERFECT: "perfect", Rhyme.NEAR: "near"}
RANKED = 300
"""Maximum words that a model ranks, the most frequent ones."""
PREFIX = 1_000
"""Characters before a word that a model reads."""

Model = Annotated[str, Query(description="A model of `/v1/models`; its corpus is read.")]
Start = Annotated[int, Query(ge=0, le=2**31, description="Number of results to skip.")]
Limit = Annotated[int, Query(ge=1, le=100)]


def add_lookups(app: FastAPI, engine: InferenceEngine) -> None:
    """Add the paths to an application."""

    @app.post("/v1/analyse", operation_id="analyse", tags=["songs"])
    async def analysis(body: schemas.AnalyseRequest, request: Request) -> schemas.Analysis:
        """Measure a song: syllables, stress, rhymes and copied runs of each line."""
        if body.model is not None:
            known(engine.models.items, body.model)
        sections = _sections(body, engine.limits.characters)
        [found] = await answers(
            request,
            [engine.submit_lookup("lookup", lambda: _analysis(engine, body, sections), model=body.model or "")],
        )
        return found

    @app.post("/v1/rhymes", operation_id="rhymes", tags=["songs"])
    async def rhymes(body: schemas.RhymesRequest, request: Request) -> schemas.Rhymes:
        """Return words that rhyme with a word; with a model and a prefix, the most likely ones at that place first."""
        if body.model is not None:
            known(engine.models.items, body.model)
        check_text("word", body.word, 100)
        check_text("prefix", body.prefix or "", engine.limits.characters)
        [found] = await answers(
            request, [engine.submit_lookup("lookup", lambda: _rhyming(engine, body), model=body.model or "")]
        )
        if body.prefix is not None and body.model is not None and engine.models.items[body.model].task == "write":
            likely = [each.word for each in found.rhymes]
            [logprobs] = await answers(request, [engine.submit_next_words(body.model, body.prefix[-PREFIX:], likely)])
            for each, logprob in zip(found.rhymes, logprobs, strict=True):
                each.logprob = logprob
            found.rhymes.sort(key=lambda each: -(each.logprob or 0.0))
        found.rhymes = found.rhymes[: body.limit or 100]
        return found

    @app.post("/v1/words", operation_id="relatedWords", tags=["songs"])
    async def related_words(body: schemas.WordsRequest, request: Request) -> schemas.Words:
        """Return words of the model's corpus that are used like a word, and words that are used together with it."""
        known(engine.models.items, body.model)
        check_text("word", body.word, 100)
        corpus = engine.corpora.get(body.model)

        def find() -> schemas.Words:
            if corpus is None:
                return schemas.Words(word=body.word, similar=[], together=[])
            try:
                related = corpus.related()
            except Unavailable:
                return schemas.Words(word=body.word, similar=[], together=[])
            return schemas.Words(
                word=body.word, similar=related.similar(body.word, body.limit or 20),
                together=related.together(body.word, body.limit or 20),
            )  # fmt: skip

        [found] = await answers(request, [engine.submit_lookup("corpus", find, model=body.model)])
        return found

    @app.get("/v1/corpora", operation_id="listCorpora", tags=["corpora"])
    async def corpora(request: Request) -> schemas.Corpora:
        """List the corpora of the served models, with their most frequent genres and artists."""
        [found] = await answers(request, [engine.submit_lookup("corpus", lambda: _corpora(engine))])
        return schemas.Corpora(data=found)

    @app.get("/v1/corpus/search", operation_id="searchCorpus", tags=["corpora"])
    async def searched(
        request: Request, model: Model, q: str = "", genre: str = "", artist: str = "", lyrics: bool = True,
        start: Start = 0, limit: Limit = search.PAGE,
    ) -> schemas.SongList:  # fmt: skip
        """Search the songs of the model's corpus in titles, artists and lyrics."""
        corpus = _corpus(engine, model)
        for name, text in (("q", q), ("genre", genre), ("artist", artist)):
            check_text(name, text, 1_000)

        def find() -> schemas.SongList:
            found = search.search(
                corpus.corpus(), q, genre=genre, artist=artist, lyrics=lyrics, start=start, limit=limit
            )
            return schemas.SongList(
                data=[schemas.SongRow(**song) for song in found.songs], start=start, more=found.more
            )

        [songs] = await answers(request, [engine.submit_lookup("corpus", find, model=model)])
        return songs

    @app.get("/v1/corpus/songs/{number}", operation_id="retrieveSong", tags=["corpora"])
    async def song(request: Request, number: int, model: Model) -> schemas.SongPage:
        """Return a song of the model's corpus with its near-copies and the songs that contain it or that it contains."""
        corpus = _corpus(engine, model)
        if not -(2**63) <= number < 2**63:
            raise ApiError(404, "There is no song with this id in the corpus.", param="number")
        [found] = await answers(
            request, [engine.submit_lookup("corpus", lambda: search.song(corpus.corpus(), number), model=model)]
        )
        if found is None:
            raise ApiError(404, f"There is no song {number} in the corpus of '{model}'.", param="number")
        named = {name: found.pop(name) for name in list(found) if name in schemas.SongPage.model_fields}
        return schemas.SongPage(**named, columns={name: found[name] for name in found if name != "cluster"})

    @app.get("/v1/corpus/songs/{number}/similar", operation_id="listSimilarSongs", tags=["corpora"])
    async def similar(request: Request, number: int, model: Model, limit: Limit = 10) -> schemas.SimilarSongs:
        """Return training songs with similar words; near-copies of the song are left out."""
        corpus = _corpus(engine, model)

        def find() -> schemas.SimilarSongs | None:
            own = search.song(corpus.corpus(), number) if -(2**63) <= number < 2**63 else None
            if own is None:
                return None
            known_ids = {number, *(copy["id"] for copy in own["copies"])}
            found = corpus.similar().to(own["lyrics"], limit, known_ids)
            return schemas.SimilarSongs(data=[schemas.SimilarSong(**each) for each in found])

        [found] = await answers(request, [engine.submit_lookup("corpus", find, model=model)])
        if found is None:
            raise ApiError(404, f"There is no song {number} in the corpus of '{model}'.", param="number")
        return found

    @app.get("/v1/comparisons", operation_id="listComparisons", tags=["models"])
    async def comparisons(request: Request) -> schemas.Comparisons:
        """Return the test results of the served models, by task, with paired tests."""
        [found] = await answers(request, [engine.submit_lookup("corpus", lambda: _comparisons(engine))])
        return schemas.Comparisons(data=found)


# A song is analysed.


def _sections(body: schemas.AnalyseRequest, most: int) -> list[Section]:
    """Return the sections of a request."""
    if (body.text is None) == (body.sections is None):
        raise ApiError(400, "Give either text or sections.", param="text")
    found = sections_of(body.text) if body.text is not None else [Section(s.name, s.lines) for s in body.sections or []]
    lines = [line for section in found for line in section.lines]
    check_text("the song", body.text if body.text is not None else "\n".join(lines), most)
    if len(lines) > FORM_LINES or len(found) > SECTIONS:
        raise ApiError(
            400, f"The song has more than {FORM_LINES} lines or {SECTIONS} sections; split it.", param="text"
        )
    for section in found:
        check_text("a section's name", section.name, 100)
    if any("\n" in line for line in lines):
        raise ApiError(400, "A line contains a line end; send it as two lines.", param="sections")
    return found


def _analysis(engine: InferenceEngine, body: schemas.AnalyseRequest, sections: Sequence[Section]) -> schemas.Analysis:
    corpus = engine.corpora.get(body.model) if body.model is not None else None
    index, copies, default = None, "unavailable", None
    if corpus is not None:
        default = corpus.language
        try:
            index = corpus.index_if_ready()
            copies = "looked up" if index is not None else "indexing"
        except Unavailable:
            pass
    song = analyse(
        sections, language=body.language, default=default or "en", scheme=body.rhyme, syllables=body.syllables,
        index=index,
    )  # fmt: skip
    return _analysed(song, copies)


def _analysed(song: AnalysedSong, copies: Any) -> schemas.Analysis:
    return schemas.Analysis(
        language=song.language, source=song.source, copies=copies,
        sections=[
            schemas.AnalysedSection(name=name, lines=[
                schemas.AnalysedLine(
                    text=line.text, syllables=line.syllables, stress=line.stress,
                    rhyme=schemas.LineRhyme(letter=line.letter, grade=GRADES.get(line.grade), met=line.rhyme_met),  # type: ignore[arg-type]
                    syllables_met=line.syllables_met,
                    copied=[
                        schemas.CopiedRun(start=run.start, end=run.end, words=run.words, source=song_found(run.song))
                        for run in line.copied
                    ],
                )
                for line in lines
            ])
            for name, lines in song.sections
        ],
    )  # fmt: skip


def song_found(song: TrainingSong) -> schemas.SongFound:
    """Return a training song for JSON."""
    return schemas.SongFound(id=song.id, title=song.title, artist=song.artist)


# Words that rhyme.


def _rhyming(engine: InferenceEngine, body: schemas.RhymesRequest) -> schemas.Rhymes:
    corpus = engine.corpora.get(body.model) if body.model is not None else None
    language = check_language(body.language or (corpus.language if corpus is not None else None) or "en")
    vocabulary = None
    if language != "en":
        vocabulary = corpus.related().words if corpus is not None and corpus.available else []
    multi = body.grade == "multi"
    least = Rhyme.PERFECT if body.grade == "perfect" else Rhyme.NEAR
    [word] = words(body.word)[-1:] or [""]
    found = rhyme.rhyming(word, language, least, vocabulary=vocabulary, syllables=2 if multi else 1)
    return schemas.Rhymes(
        word=body.word, source=rhyme.source(language), language=language,
        rhymes=[
            schemas.RhymingWord(
                word=other, grade=GRADES[rhyme.rhymes(word, other, language)],  # type: ignore[arg-type]
                agreeing=rhyme.agreeing_syllables(word, other, language), syllables=rhyme.syllables(other, language),
                stress=rhyme.stress(other, language),
            )
            for other in found[:RANKED]
        ],
    )  # fmt: skip


# Corpora and results.


def _corpus(engine: InferenceEngine, model: str) -> Any:
    known(engine.models.items, model)
    if model not in engine.corpora:
        raise ApiError(409, f"The model '{model}' has no corpus of songs.", param="model", code="unavailable")
    return engine.corpora[model]


def _corpora(engine: InferenceEngine) -> list[schemas.CorpusEntry]:
    found = []
    for each in dict.fromkeys(engine.corpora.values()):
        try:
            counts = each.corpus().info["counts"]
            genres, artists = (
                [schemas.Counted(name=n, songs=c) for n, c in each.common(k)] for k in ("genre", "artist")
            )
        except LyristError as error:
            found.append(schemas.CorpusEntry(name=each.name, models=each.runs, problem=str(error)))
            continue
        found.append(schemas.CorpusEntry(
            name=each.name, models=each.runs, songs=counts["kept"], rows=counts["read"], splits=counts["splits"],
            languages=counts.get("languages", {}), genres=genres, artists=artists,
        ))  # fmt: skip
    return found


def _comparisons(engine: InferenceEngine) -> list[schemas.Comparison]:
    """Return the results of the runs of each task."""
    found = []
    for task in get_args(Task):
        served, runs, notes = engine.models.of(task), [], []
        for each in served:
            try:
                each.check_unchanged()
                runs.append((each, _result(each)))
            except LyristError as error:  # a run without results hides no other
                notes.append(_named(str(error), served))
        pairs: list[str] = []
        if len(runs) > 1:
            try:
                compared: Any = compare(*(str(each.path) for each, _ in runs))
                pairs = [_named(pair, served) for pair in compared.pairs]
                notes += [_named(note, served) for note in compared.notes]
            except LyristError as error:
                notes.append(_named(str(error), served))
        if served:
            found.append(schemas.Comparison(task=task, runs=[row for _, row in runs], pairs=pairs, notes=notes))
    return found


def _result(served: ServedModel) -> schemas.RunResult:
    info = served.run.info
    return schemas.RunResult(
        model=served.name, recipe=served.recipe, target=info.get("target"), conditions=list(info.get("condition") or ()),
        parameters=info.get("parameters"), seconds=info.get("seconds"), fingerprint=info.get("fingerprint"),
        test=served.run.results["test"],
    )  # fmt: skip


def _named(text: str, served: Sequence[ServedModel]) -> str:
    """Return a sentence with the names of the runs in place of their paths."""
    for each in sorted(served, key=lambda one: -len(str(one.path))):
        text = text.replace(str(each.path), each.name)
    return text
