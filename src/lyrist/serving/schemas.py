"""What the API takes and gives, as its OpenAPI description says it. Types are strict: ``"5"`` is no number."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
SEED = 2**63


class Strict(BaseModel):
    """A body in which unknown keys, numbers in quotes and NaN are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(Strict):
    """OpenAI's options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionRequest(Strict):
    """Songs that are to be written: OpenAI's completions, and what lyrics need beside them.

    `user`, `metadata`, `store`, `service_tier` and `include_obfuscation` change nothing here. `best_of` (other than `n`),
    `suffix`, `logit_bias` and the two additive penalties are not offered, and refused where they would change something.
    """

    model: str = Field(description="One of `/v1/models` that writes.")
    prompt: str | list[str] | None = Field(None, description="The first words of a song; of several songs, a list.")
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(1, ge=1, le=2**31 - 1, description="Songs for each prompt.")
    max_tokens: int | None = Field(
        None, ge=1, le=2**31 - 1, description="300 where it is not given; of a form, as many as it needs."
    )
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: Count | None = None
    min_p: float | None = Field(None, ge=0, lt=1)
    style: float | None = Field(
        None, ge=0, le=10, description="How far to lean to words that are usual for the genre or artist."
    )
    repetition_penalty: float | None = Field(None, ge=1, le=10)
    no_repeat_ngram: int | None = Field(None, ge=0, le=64)
    max_repeats: Count | None = None
    stop: str | list[str] | None = Field(None, description="Up to 16 strings; a song ends before any of them.")
    seed: int | None = Field(None, ge=-SEED, lt=SEED, description="The same seed writes the same songs.")
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: bool | None = False
    genre: str | None = None
    artist: str | None = None
    conditions: dict[str, str] | None = Field(None, description="Column to value, for other columns.")
    form: str | None = Field(None, description="Sections, such as `verse,chorus,verse:8,chorus`.")
    rhyme: str | None = Field(None, description="Which lines of a stanza rhyme: `AABB`, `ABAB`, `free`.")
    syllables: int | None = Field(None, ge=1, le=40, description="Syllables of a line.")
    hook: str | None = Field(None, description="The first line of the chorus.")
    original: int | None = Field(None, ge=3, le=1_000, description="Words that may be copied on end.")
    candidates: int | None = Field(None, ge=1, le=64, description="Lines that are drawn for each line of a form.")
    best_of: int | None = Field(None, ge=1, le=2**31 - 1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    suffix: str | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None


class Usage(BaseModel):
    """Tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Logprobs(BaseModel):
    """What the model thought of each token, before any setting was applied."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class Choice(BaseModel):
    """One song."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: Logprobs | None = None
    lines: list[dict[str, Any]] | None = Field(None, description="Line by line what was met, of a song to a plan.")


class Completion(BaseModel):
    """Songs that were written."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class ClassifyRequest(Strict):
    """Lyrics, or pictures, that are to be labelled."""

    model: str
    texts: str | list[str] | None = Field(None, description="Lyrics; they are cleaned as the corpus was.")
    pictures: list[str] | None = Field(None, description="Files of pictures in base64, for a model that labels them.")
    artist: str | None = Field(None, description="Who sings the texts, for a model that was fitted with the artist.")
    explain: bool | None = Field(False, description="Tell the words and lines that decided.")
    top: int | None = Field(None, ge=1, le=2**31 - 1, description="Only so many labels of each, the likeliest.")


class Labelled(BaseModel):
    """What a model says of one text or picture."""

    index: int
    label: str
    probabilities: dict[str, float]
    words: list[tuple[str, float]] | None = None
    lines: list[tuple[str, float]] | None = None
    method: str | None = Field(default=None, description="How the weights of words and lines were found.")


class Classified(BaseModel):
    """Labels, in the order of what was given."""

    object: Literal["list"] = "list"
    model: str
    data: list[Labelled]


class ScoreRequest(Strict):
    """Lyrics that are to be scored."""

    model: str
    texts: str | list[str]
    genre: str | None = None
    artist: str | None = None
    conditions: dict[str, str] | None = None


class SongFound(BaseModel):
    """A song that the writer learnt from."""

    id: int
    title: str
    artist: str


class Originality(BaseModel):
    """What of a text stands in the songs that the writer learnt from."""

    longest_run: int = Field(description="Words on end that stand in one song; 0 where there are not four.")
    words: str
    song: SongFound | None
    shares: dict[str, float] = Field(description="By n: the share of the runs of n words that stand in some song.")


class Scored(BaseModel):
    """What a writer thinks of one text."""

    index: int
    bits_per_byte: float
    tokens: int
    bytes: int
    originality: Originality | None = Field(description="None where the songs are not there any more.")


class Scores(BaseModel):
    """Scores, in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: list[Scored]


class Model(BaseModel):
    """A run that is served."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "lyrist"
    task: Literal["classify", "write", "picture"]
    recipe: str
    conditions: dict[str, list[str]]
    labels: list[str]


class Models(BaseModel):
    """The runs that are served."""

    object: Literal["list"] = "list"
    data: list[Model]


class Problem(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problems(BaseModel):
    """An error, as OpenAI's clients know it."""

    error: Problem


class Health(BaseModel):
    """Whether the server serves."""

    status: Literal["ok"] = "ok"
    models: int
    inside: int
