"""Requests and responses of the API, as in its OpenAPI description. Types are strict: ``"5"`` is not a number.

The options of writing come from `lyrist.generation.config.GenerationConfig`, with its ranges and help texts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from lyrist.generation.config import INT_MAX, GenerationConfig, options

SEED = 2**63


class Strict(BaseModel):
    """A body without unknown keys, numbers in quotes and NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(Strict):
    """OpenAI's options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


def _generation_options() -> Any:
    """Return a model with a field for each option of writing; None is the default of the config."""
    hints = get_type_hints(GenerationConfig)
    found: dict[str, Any] = {}
    for each in options(GenerationConfig):
        default = f" Default: {each.default}." if each.default is not None else ""
        about = each.metadata["help"].replace("--", "").replace("-n", "n") + default
        found[each.name] = (hints[each.name] | None, Field(None, description=about, **each.metadata["bounds"]))
    return create_model("GenerationOptions", __base__=Strict, **found)


class Sampled(_generation_options()):  # type: ignore[misc]
    """What requests for songs have in common."""

    model: str = Field(description="A model of `/v1/models` that writes.")
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    seed: int | None = Field(
        None, ge=-SEED, lt=SEED, description="The same seed writes the same songs. Default: random."
    )
    stop: str | list[str] | None = Field(None, description="Up to 16 strings; a song ends before the first of them.")
    max_completion_tokens: int | None = Field(None, ge=1, le=INT_MAX, description="Another name of max_tokens.")
    genre: str | None = None
    artist: str | None = None
    conditions: dict[str, str] | None = Field(None, description="Other conditions: column to value.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None


class CompletionRequest(Sampled):
    """Songs to write: OpenAI's completions with the options of writing.

    `user`, `metadata`, `store`, `service_tier` and `include_obfuscation` have no effect. `best_of` (other than `n`), `suffix`,
    `logit_bias` and the two additive penalties are not supported, and refused where they would change the result.
    """

    prompt: str | list[str] | list[int] | list[list[int]] | None = Field(
        None,
        description="The first words of a song, as text or tokens; a list for several songs. Tokens that begin with the start "
        "token are complete; others get it, and the conditions, before them.",
    )
    max_tokens: int | None = Field(
        None,
        ge=0,
        le=INT_MAX,
        description="Maximum tokens of a song; 0: only the prompt is read, for echo and logprobs.",
    )
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: bool | None = False
    best_of: int | None = Field(None, ge=1, le=INT_MAX)
    suffix: str | None = None


class Usage(BaseModel):
    """Numbers of tokens read and generated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Logprobs(BaseModel):
    """Log-probabilities of each token, before any sampling option is applied."""

    tokens: list[str]
    token_logprobs: list[float | None] = Field(description="None for tokens before the song, such as the start token.")
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class Choice(BaseModel):
    """A generated song."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: Logprobs | None = None
    lines: list[dict[str, Any]] | None = Field(
        None, description="Constraints met line by line, for a song with constraints."
    )


class Completion(BaseModel):
    """Generated songs."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class ChatPart(Strict):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Strict):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ChatPart] | None = None
    name: str | None = None
    refusal: str | None = None

    def text(self) -> str:
        """Return its text."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(Sampled):
    """A conversation: OpenAI's chat completions with the options of writing.

    A model with a chat template reads the messages by it. For other models, the texts of user and assistant, each with a line
    end, are the song so far. A system message of `key: value` lines (or a JSON object) with options of writing is a plan.
    """

    messages: list[ChatMessage]
    logprobs: bool | None = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None


class Plan(_generation_options()):  # type: ignore[misc]
    """The options that a system message may hold."""

    genre: str | None = None
    artist: str | None = None


class ChatAnswer(BaseModel):
    """The message of the model."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatAlternative(BaseModel):
    """A likely token."""

    token: str
    logprob: float
    bytes: list[int]


class ChatToken(ChatAlternative):
    """A generated token."""

    top_logprobs: list[ChatAlternative]


class ChatLogprobs(BaseModel):
    """Log-probabilities of each token, before any sampling option is applied."""

    content: list[ChatToken]
    refusal: None = None


class ChatChoice(BaseModel):
    """An answer of the model."""

    index: int
    message: ChatAnswer
    finish_reason: Literal["stop", "length"]
    logprobs: ChatLogprobs | None = None
    lines: list[dict[str, Any]] | None = Field(
        default=None, description="Constraints met line by line, for a song with constraints."
    )


class ChatCompletion(BaseModel):
    """Answers of the model."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage | None = None


class SheetLine(Strict):
    """A line of a sheet; an empty text is not yet written."""

    text: str = ""
    locked: bool = False


Syllables = Annotated[int, Field(ge=1, le=40)]


class SheetSection(Strict):
    """A section of a sheet."""

    name: str | None = None
    rhyme: str | None = Field(None, description="Rhyme scheme, such as AABB.")
    syllables: Syllables | list[Syllables] | None = Field(None, description="Of each line, or a number for each.")
    metre: str | None = None
    lines: list[SheetLine] = []


class Sheet(Strict):
    """A song as its author has it."""

    title: str | None = None
    topic: str | None = None
    mood: str | None = None
    genre: str | None = None
    artist: str | None = None
    use: list[str] | None = Field(None, description="Words to use.")
    avoid: list[str] | None = Field(None, description="Words to avoid.")
    language: str | None = None
    near_rhymes: bool | None = None
    sections: list[SheetSection]


class Target(Strict):
    """What to write: a line, a line before another one (`insert`), or the lines of a section that are not locked."""

    section: int = Field(ge=0, le=INT_MAX)
    line: int | None = Field(None, ge=0, le=INT_MAX)
    insert: bool | None = None
    rhyme_with: tuple[int, int] | None = Field(None, description="Section and line to rhyme with.", strict=False)


class ComposeRequest(Strict):
    """Takes for a sheet."""

    model: str
    sheet: Sheet
    target: Target
    n: int | None = Field(5, ge=1, le=16, description="Number of takes.")
    seed: int | None = Field(None, ge=0, lt=SEED, description="The same seed finds the same takes. Default: random.")
    like: str | list[str] | None = Field(None, description="A take that the new ones should resemble.")
    tone: Literal["", "plainer", "stranger", "shorter"] | None = None
    temperature: float | None = Field(
        None, ge=0.1, le=2, description="Sampling temperature, before the factor of the tone. Default: 0.9."
    )
    candidates: int | None = Field(None, ge=1, le=64, description="Lines sampled for each line. Default: 16.")
    stream: bool | None = True


class Met(BaseModel):
    """The constraints that a take meets."""

    rhyme: Literal["perfect", "near", "none"] | None
    syllables: list[int | None]
    copied: bool = Field(description="Whether it has a run of five words or more from a training song.")
    uses: list[str]


class Take(BaseModel):
    """A suggestion."""

    lines: list[str]
    score: float
    met: Met


class Takes(BaseModel):
    """All takes, the best first."""

    model: str
    seed: int
    takes: list[Take]


class ClassifyRequest(Strict):
    """Lyrics or pictures to classify."""

    model: str
    texts: str | list[str] | None = Field(None, description="Lyrics; they are cleaned like the corpus.")
    pictures: list[str] | None = Field(
        None, description="Picture files in base64, for a model that classifies pictures."
    )
    artist: str | None = Field(None, description="Artist of the texts, for a model that uses the artist as a feature.")
    explain: bool | None = Field(False, description="Return the words and lines with the largest influence.")
    top: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Return only this many labels, the most likely first."
    )


class Labelled(BaseModel):
    """The labels of one text or picture."""

    index: int
    label: str = Field(description="The most probable label.")
    labels: list[str] | None = Field(
        default=None, description="With several labels a song: those that reach their thresholds."
    )
    value: float | None = Field(
        default=None, description="Of a model that predicts a number, such as a year: the number."
    )
    probabilities: dict[str, float]
    words: list[tuple[str, float]] | None = None
    lines: list[tuple[str, float]] | None = None
    method: str | None = Field(default=None, description="Method that computed the weights of words and lines.")


class Classified(BaseModel):
    """Labels, in the order of the input."""

    object: Literal["list"] = "list"
    model: str
    data: list[Labelled]


class LabelOptions(Strict):
    """Options of labelling a table, as `lyrist label`."""

    model: str
    top: int | None = Field(None, ge=1, le=INT_MAX, description="Return so many labels with their probabilities.")
    coverage: float | None = Field(
        None, gt=0, lt=1, description="Share of songs whose prediction set shall contain the true label. Default: 0.9."
    )
    probabilities: bool | None = Field(None, description="Return the probability of every label.")
    abstain: bool | None = Field(None, description="Give no label to a song that is unlike the training songs.")
    largest_set: int | None = Field(
        None, ge=1, le=INT_MAX, description="With abstain: a prediction set of more labels is large."
    )
    keep: list[str] | None = Field(None, description="Further columns to copy.")
    lyrics: str | None = Field(None, description="Column of the lyrics; by default it is recognised.")

    def options(self) -> dict[str, Any]:
        """Return the options that were given."""
        names = LabelOptions.model_fields.keys() - {"model"}
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class LabelRequest(LabelOptions):
    """A table to label: `texts`, or `rows` with a column of lyrics."""

    texts: list[str] | None = None
    rows: list[dict[str, str | int | float | bool | None]] | None = None


class LabelUpload(LabelOptions):
    """A table to label, as a form."""

    file: str = Field(
        description="A table in UTF-8: .csv, .tsv, .jsonl or .json.", json_schema_extra={"format": "binary"}
    )


class LabelledTable(BaseModel):
    """The rows of a table with their labels, as `lyrist label` writes them."""

    object: Literal["list"] = "list"
    model: str
    data: list[dict[str, Any]]


class EmbeddingRequest(Strict):
    """OpenAI's embeddings."""

    model: str = Field(description="A model of `/v1/models` with a representation.")
    input: str | list[str] | list[int] | list[list[int]] = Field(description="One text or several; no tokens.")
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(None, ge=1, description="Only the size of the model's representation.")
    user: str | None = None


class Embedding(BaseModel):
    """The representation of one text, of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or float32 in base64.")


class EmbeddingUsage(BaseModel):
    """The tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """Representations, in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: list[Embedding]
    usage: EmbeddingUsage


class ScoreRequest(Strict):
    """Lyrics to score."""

    model: str
    texts: str | list[str]
    genre: str | None = None
    artist: str | None = None
    conditions: dict[str, str] | None = None


class SongFound(BaseModel):
    """A training song of the writer."""

    id: int
    title: str
    artist: str


class Originality(BaseModel):
    """Overlap of a text with the training songs of the writer."""

    longest_run: int = Field(description="Longest run of words that occurs in one training song; 0 below four words.")
    words: str
    song: SongFound | None
    shares: dict[str, float] = Field(description="By n: share of the runs of n words that occur in a training song.")


class Scored(BaseModel):
    """The score of one text."""

    index: int
    bits_per_byte: float
    tokens: int
    bytes: int
    originality: Originality | None = Field(description="None if the training songs are not available.")


class Scores(BaseModel):
    """Scores, in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: list[Scored]


class Model(BaseModel):
    """A served run."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "lyrist"
    task: Literal["classify", "write", "picture"]
    recipe: str
    conditions: dict[str, list[str]]
    labels: list[str]
    corpus: bool = Field(description="Whether the corpus that it was trained on can be read.")
    language: str | None = Field(description="Most frequent language of its corpus.")
    artist: bool = Field(description="Whether a classifier reads the artist too.")
    parameters: int | None = Field(description="Number of parameters.")
    seconds: float | None = Field(description="Seconds of training.")
    changed: bool = Field(
        description="Whether its directory was moved, removed or replaced since the server opened it. The model that was "
        "opened still answers; what is read from the directory is refused with 409."
    )


class Models(BaseModel):
    """The served runs."""

    object: Literal["list"] = "list"
    data: list[Model]


class SectionLines(Strict):
    """A section of a song."""

    name: str = ""
    lines: list[str]


class AnalyseRequest(Strict):
    """A song to analyse: `text`, or `sections`."""

    text: str | None = Field(
        None, description="Empty lines separate sections; a line in square brackets names the next one."
    )
    sections: list[SectionLines] | None = None
    language: str | None = Field(None, description="Code of the language; by default it is detected.")
    model: str | None = Field(None, description="A model in whose training songs copied runs of words are looked up.")
    rhyme: str | None = Field(None, description="Requested rhyme scheme of a section, such as AABB.")
    syllables: int | None = Field(None, ge=1, le=40, description="Requested syllables of each line.")


class CopiedRun(BaseModel):
    """The part in one line of a run of words from a training song."""

    start: int
    end: int
    words: int = Field(description="Words of the whole run, which may continue in the next lines.")
    source: SongFound


class LineRhyme(BaseModel):
    """The rhyme of a line within its section."""

    letter: str | None = Field(description="None for an empty line.")
    grade: Literal["perfect", "near"] | None = Field(description="The best rhyme with a line of the same letter.")
    met: bool | None = Field(description="Whether it rhymes as the requested scheme says; None for a first line.")


class AnalysedLine(BaseModel):
    """A line with what was measured."""

    text: str
    syllables: int | None = Field(description="None if they are not measured in this language.")
    stress: str | None = Field(description="A digit for each syllable: 1 stressed, 0 unstressed; None if not known.")
    rhyme: LineRhyme
    syllables_met: bool | None = Field(description="Within one of the requested number; None without one.")
    copied: list[CopiedRun]


class AnalysedSection(BaseModel):
    """A section with its lines."""

    name: str
    lines: list[AnalysedLine]


class Analysis(BaseModel):
    """A song with what was measured."""

    language: str
    source: str = Field(description="Source of the pronunciations.")
    copies: Literal["looked up", "indexing", "unavailable"] = Field(
        description="Whether copied runs were looked up; the index of a corpus is built in the background at first."
    )
    sections: list[AnalysedSection]


class RhymesRequest(Strict):
    """A word for which rhymes are looked up."""

    word: str = Field(description="A word, or a text whose last word is taken.")
    language: str | None = Field(
        None, description="Code of the language; by default that of the model's corpus, or en."
    )
    grade: Literal["perfect", "near", "multi"] | None = Field(
        "perfect", description="The lowest grade; multi: at least two syllables agree."
    )
    model: str | None = Field(
        None, description="A model that ranks the words; its corpus supplies the words of languages other than English."
    )
    prefix: str | None = Field(None, description="The song up to the place of the word, for a model that writes.")
    limit: int | None = Field(None, ge=1, le=300)


class RhymingWord(BaseModel):
    """A word that rhymes."""

    word: str
    grade: Literal["perfect", "near"]
    agreeing: int = Field(description="Syllables at the end that agree, at least nearly.")
    syllables: int | None
    stress: str | None
    logprob: float | None = Field(
        default=None, description="Log-probability of the word after the prefix, in nats; None without a prefix."
    )


class Rhymes(BaseModel):
    """Words that rhyme, more frequent or more likely ones first."""

    word: str
    language: str
    source: str = Field(description="Source of the pronunciations.")
    rhymes: list[RhymingWord]


class WordsRequest(Strict):
    """A word whose related words are looked up."""

    model: str
    word: str
    limit: int | None = Field(None, ge=1, le=100)


class Words(BaseModel):
    """Related words in the training songs of a model."""

    word: str
    similar: list[str] = Field(description="Words with the same neighbours, the most similar first.")
    together: list[str] = Field(description="Words that are in one line with it more often than chance.")


class Counted(BaseModel):
    """A genre or an artist with its number of songs."""

    name: str
    songs: int


class CorpusEntry(BaseModel):
    """A corpus of the served models."""

    name: str
    models: list[str]
    songs: int | None = None
    rows: int | None = Field(default=None, description="Rows of the tables that were read.")
    splits: dict[str, int] = {}
    languages: dict[str, int] = {}
    genres: list[Counted] = []
    artists: list[Counted] = []
    problem: str | None = Field(default=None, description="Why it is not available.")


class Corpora(BaseModel):
    """The corpora of the served models."""

    object: Literal["list"] = "list"
    data: list[CorpusEntry]


class SongRow(BaseModel):
    """A song in a list."""

    id: int
    title: str | None
    artist: str | None
    genre: str | None
    year: int | None
    language: str | None
    line: str = Field(description="The line of its lyrics with the search text, or empty.")


class SongList(BaseModel):
    """A page of songs."""

    object: Literal["list"] = "list"
    data: list[SongRow]
    start: int
    more: bool


class SongCopy(BaseModel):
    """A near-copy of a song."""

    id: int
    title: str | None
    artist: str | None
    kind: str
    jaccard: float | None
    split: str | None = Field(description="None: it was dropped.")


class SongVersion(BaseModel):
    """A song that contains another one, or that it contains."""

    id: int
    title: str | None
    artist: str | None
    split: str | None = Field(description="None: it was dropped.")
    within: bool = Field(description="Whether this song contains the song of the page.")
    containment: float


class SongPage(BaseModel):
    """A song of a corpus."""

    id: int
    title: str | None
    artist: str | None
    genre: str | None
    year: int | None
    language: str | None
    lyrics: str
    split: str
    copies: list[SongCopy]
    contained: list[SongVersion]
    columns: dict[str, Any] = Field(description="Further columns of the table.")


class SimilarSong(BaseModel):
    """A song with similar words."""

    id: int
    title: str | None
    artist: str | None
    similarity: float = Field(description="Cosine of the weighted words (TF-IDF), 0 to 1.")


class SimilarSongs(BaseModel):
    """Songs with similar words, the most similar first."""

    data: list[SimilarSong]


class RunResult(BaseModel):
    """The test results of a model."""

    model: str
    recipe: str
    target: str | None
    conditions: list[str]
    parameters: int | None
    seconds: float | None
    fingerprint: str | None
    test: dict[str, Any] = Field(description="As in the file results.json of the run.")


class Comparison(BaseModel):
    """The models of a task."""

    task: Literal["classify", "write", "picture"]
    runs: list[RunResult]
    pairs: list[str] = Field(description="What the paired tests found.")
    notes: list[str] = Field(description="What makes them hard to compare.")


class Comparisons(BaseModel):
    """Test results by task."""

    object: Literal["list"] = "list"
    data: list[Comparison]


class ProjectEntry(BaseModel):
    """A project in the list."""

    id: str
    title: str
    modified: float = Field(description="Seconds since 1970.")
    bytes: int
    etag: str


class ProjectList(BaseModel):
    """The projects of the server."""

    object: Literal["list"] = "list"
    data: list[ProjectEntry]


class ProjectSaved(BaseModel):
    """A saved project."""

    id: str
    etag: str


class Problem(BaseModel):
    """Details of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problems(BaseModel):
    """An error, in OpenAI's format."""

    error: Problem


class Health(BaseModel):
    """State of the server."""

    status: Literal["ok"] = "ok"
    models: int
    inside: int = Field(description="Requests that wait or are in progress.")
    queue: int = Field(description="Maximum of these.")
    projects: bool = Field(description="Whether the server keeps projects.")
    memory_bytes: int = Field(description="Memory of the server.")
