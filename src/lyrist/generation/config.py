"""The options of writing, each declared once: type, default, range and help.

The command line, `lyrist.write`, the API schema, the studio and the inference engine all read `GenerationConfig`. This module
imports neither torch nor cyclopts, so that listing options costs nothing.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields, replace
from typing import Annotated, Any, TypeVar

from lyrist import text as texts
from lyrist.errors import UsageError
from lyrist.generation import form as forms
from lyrist.text.languages import check_language

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_TOKENS = 300
"""Default length limit of a song without a form."""
RUN = 6
"""Tokens of a run that `SamplingOptions.max_repeats` counts."""
COUNTED = 3
"""Occurrences of a token that `SamplingOptions.frequency_penalty` counts."""
ORIGINAL = 5
"""Default of ``original``."""
INT_MAX = 2**31 - 1
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def option(default: Any, about: str, *, hint: str = "", **bounds: float) -> Any:
    """Declare an option: its default, its help, and its bounds (``ge``, ``gt``, ``le``, ``lt`` as in pydantic)."""
    return field(default=default, metadata={"help": about, "hint": hint, "bounds": bounds})


def cli_alias(name: str) -> Any:
    """Return a short name for the command line; annotations that use it are evaluated only when cyclopts reads them."""
    from cyclopts import Parameter

    return Parameter(alias=name)


def options(config: Any) -> Iterator[Field[Any]]:
    """Yield the public options of a config class: those that have a help text."""
    return (each for each in fields(config) if each.metadata.get("help"))


def check_options(config: Any) -> None:
    """Check the values of a config against the declared bounds.

    Raises
    ------
    UsageError
        A value is out of range.
    """
    for each in options(config):
        value, bounds = getattr(config, each.name), each.metadata["bounds"]
        if value is not None and not all(getattr(operator, key)(value, bound) for key, bound in bounds.items()):
            flag = f"-{each.name}" if len(each.name) == 1 else "--" + each.name.replace("_", "-")
            allowed = " and ".join(f"{BOUNDS[key]} {bound:,}" for key, bound in bounds.items() if bound != INT_MAX)
            raise UsageError(f"{flag} must be {allowed}, got {value}{each.metadata['hint']}.")


def with_options(config: type) -> Callable[[Function], Function]:
    """Add the options of a config class to the signature and the docstring of a function that takes ``**options``.

    Annotations stay strings, as the class has them, so that no command-line library is imported before it is used.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        added = [
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
            for each in options(config)
        ]
        function.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        function.__annotations__ = {each.name: each.annotation for each in [*own, *added]}
        function.__annotations__["return"] = signature.return_annotation
        described = "\n".join(f"    {each.name}\n        {each.metadata['help']}" for each in options(config))
        before, raises, after = (function.__doc__ or "").partition("\n\n    Raises\n")
        function.__doc__ = f"{before}\n{described}{raises}{after}"
        return function

    return decorate


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are sampled; checked when created. The defaults were chosen by reading samples."""

    temperature: float = option(
        0.9, "Sampling temperature: lower is safer, higher is more varied; 0 always takes the most likely token.", ge=0, le=10
    )  # fmt: skip
    top_k: int = option(0, "Sample from the k most likely tokens only; 0: no limit.", ge=0, le=INT_MAX)
    top_p: float = option(1.0, "Sample from the most likely tokens that together have this probability.", gt=0, le=1)
    min_p: float = option(
        0.05, "Sample from tokens with at least this fraction of the probability of the most likely one.", ge=0, lt=1
    )  # Nguyen et al., 2024
    repetition_penalty: float = option(
        1.0, "Divide the logits of tokens already in the song by this; 1: off, 1.1: mild. Line ends are exempt.", ge=1, le=10,
        hint=" (a value below 1 rewards repetition)",
    )  # fmt: skip  # Keskar et al., 2019
    no_repeat_ngram: int = option(0, "Never write the same run of this many tokens twice; 0: off.", ge=0, le=64)
    style: float = option(
        3.5, "Weight of the logit bias towards words typical of the genre or artist; 0: off.", ge=0, le=10
    )
    max_repeats: int = option(
        3, f"A run of {RUN} tokens occurs at most this many times in a song; 0: no limit.", ge=0, le=INT_MAX
    )
    frequency_penalty: float = 0.0
    """Lower the logit of a token by this for each time it occurs in the song, at most `COUNTED` times; line ends are exempt."""

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return self.temperature == 0

    def describe(self) -> str:
        """Return the options that are on, for a summary."""
        if self.greedy:
            parts = ["greedy (temperature 0: always the most likely token)"]
        else:
            parts = [f"temperature {self.temperature:g}"]
            parts += [f"top-k {self.top_k}"] if self.top_k else []
            parts += [f"top-p {self.top_p:g}"] if self.top_p < 1 else []
            parts += [f"min-p {self.min_p:g}"] if self.min_p else []
        parts += [f"style {self.style:g}"] if self.style else []
        parts += [f"repetition penalty {self.repetition_penalty:g}"] if self.repetition_penalty > 1 else []
        parts += [f"at most {self.max_repeats} repeats"] if self.max_repeats else []
        parts += [f"no {self.no_repeat_ngram}-gram twice"] if self.no_repeat_ngram else []
        parts += [f"frequency penalty {self.frequency_penalty:g}"] if self.frequency_penalty else []
        return ", ".join(parts)


@dataclass(frozen=True)
class GenerationConfig(SamplingOptions):
    """All options of writing: sampling, length, number and constraints of the songs; checked when created."""

    n: Annotated[int, cli_alias("-n")] = option(1, "Number of songs.", ge=1, le=INT_MAX)
    max_tokens: int | None = option(
        None,
        f"Maximum tokens of a song: by default {MAX_TOKENS}, or as many as the form needs. "
        "The line or section that reaches the limit is finished.",
        ge=1,
        le=INT_MAX,
    )
    seed: int = option(0, "Random seed: the same seed writes the same songs.", ge=0)
    form: str | None = option(None, "Sections, such as verse,chorus,verse:8,chorus; a chorus is repeated.")
    rhyme: str | None = option(None, "Rhyme scheme of a stanza, such as AABB or ABAB, or free.")
    syllables: int | None = option(None, "Syllables of each line.", ge=1, le=40)
    hook: str | None = option(None, "The first line of the chorus.")
    title: str | None = option(None, "Title of the song; the first line of the chorus contains it.")
    about: str | None = option(None, "Topic of the song, such as childhood.")
    mood: str | None = option(None, "Mood of the song, such as hopeful.")
    use: str | None = option(None, "Words that the song should contain, with commas between them.")
    avoid: str | None = option(None, "Words that the song must not contain, with commas between them.")
    near_rhymes: bool = option(False, "Accept near rhymes, such as time and mine.")
    first_line: str | None = option(None, "The first line of the song.")
    last_line: str | None = option(None, "The last line of the song.")
    metre: str | None = option(None, "Metre of each line: iambic, trochaic, anapestic or dactylic.")
    internal_rhymes: bool = option(False, "Prefer lines with a rhyme inside them, as in rap.")
    rhyme_syllables: int = option(1, "Syllables at the ends of lines that must rhyme: 2 or more as in rap.", ge=1, le=6)
    original: int | None = option(
        None,
        "Maximum words of a run copied from a training song; lines with a longer one are sampled again. 0: any. By default "
        f"{ORIGINAL} in `lyrist write` if the corpus of the writer can be read.",
        ge=0, le=1_000,
    )  # fmt: skip
    candidates: int | None = option(
        None, "Candidate lines sampled for each line of a form: by default 24, or 12 with a pretrained model.", ge=1, le=1_000
    )  # fmt: skip
    language: str | None = option(
        None,
        "Language of rhymes and syllables: en, es, pt, fr, it or de; by default the main language of the writer's corpus.",
    )
    sheet: tuple[str | None, ...] = ()
    """Lines of an existing song: text is kept, None is written, ``""`` separates sections. With a form it has the form's
    lines, those of repeated sections included."""
    rejected: tuple[str, ...] = ()
    """Lines that must not be written again."""

    def __post_init__(self) -> None:
        check_options(self)
        if self.language is not None:
            check_language(self.language)
        if self.original in (1, 2):
            raise UsageError(f"--original must be 0 (any run) or at least 3, got {self.original}.")
        self.plan()

    @property
    def sampling(self) -> SamplingOptions:
        """The sampling options alone."""
        return SamplingOptions(**{each.name: getattr(self, each.name) for each in fields(SamplingOptions)})

    @property
    def shaped(self) -> bool:
        """Whether a form, a rhyme scheme or a number of syllables is given."""
        return bool(
            self.form
            or self.syllables
            or forms.rhyme_scheme(self.rhyme)
            or self.use
            or self.avoid
            or self.metre
            or self.first_line
            or self.last_line
        )

    def without_loops(self) -> GenerationConfig:
        """Return the options with which a pretrained model writes freely without a loop of short lines."""
        return replace(
            self, no_repeat_ngram=self.no_repeat_ngram or 4, frequency_penalty=self.frequency_penalty or 0.25
        )

    @property
    def sounds(self) -> bool:
        """Whether a rhyme scheme or a number of syllables is given, for the song or for a section."""
        plan = self.plan()
        sections = plan.sections if plan else ()
        whole = self.syllables or forms.rhyme_scheme(self.rhyme)
        return bool(whole or any(each.scheme or each.syllables for each in sections))

    def song(self) -> dict[str, str]:
        """Return what a pretrained model reads about the song in its prompt."""
        known = {"title": self.title, "about": self.about, "mood": self.mood, "use": self.use, "rhyme": self.rhyme}
        return {name: value for name, value in known.items() if value}

    def settings(self) -> dict[str, Any]:
        """Return the options as they are stored with songs; the number of songs has the key ``songs``."""
        found = {"songs" if each.name == "n" else each.name: getattr(self, each.name) for each in options(self)}
        return found | {
            name: value for name in ("sheet", "rejected", "frequency_penalty") if (value := getattr(self, name))
        }

    def plan(self) -> forms.SongPlan | None:
        """Return the plan of a song that is written line by line, or None for a song without constraints.

        Raises
        ------
        UsageError
            The constraints contradict each other.
        """
        scheme = forms.rhyme_scheme(self.rhyme)
        if self.sheet:
            return self._plan_for_sheet(scheme)
        if self.hook is not None and not self.shaped:
            raise UsageError("--hook is the first line of the chorus; give its words, and a --form with a chorus.")
        if not self.shaped and not self.original:
            return None
        sections = forms.parse(self.form or forms.DEFAULT) if self.shaped else ()
        plan = forms.SongPlan(sections, scheme, self.syllables, self.original or None)
        return self._with_words(replace(plan, sheet=self._given_lines(sections)))

    def _given_lines(self, sections: tuple[forms.FormSection, ...]) -> tuple[str | None, ...]:
        """Return a sheet with the hook, the first and the last line; empty without them."""
        places = [(place, each) for each in sections for place in range(each.lines)]
        lines: list[str | None] = [None] * len(places)
        if self.hook is not None:
            hooks = [i for i, (place, each) in enumerate(places) if place == 0 and each.name in forms.REPEATED]
            if not hooks or not self.hook.strip():
                raise UsageError("--hook is the first line of the chorus; give its words, and a --form with a chorus.")
            for place in hooks:
                lines[place] = " ".join(self.hook.split())
        for option_name, line, place in (("--first-line", self.first_line, 0), ("--last-line", self.last_line, -1)):
            if line is None:
                continue
            if not line.strip() or lines[place] is not None:
                raise UsageError(
                    f"{option_name} is empty, or another option gives the same line; leave one of them out."
                )
            if place and places[place][1].repeats is not None:
                raise UsageError(
                    f"--last-line would change a repeated {sections[-1].name}; end --form with another section."
                )
            lines[place] = " ".join(line.split())
        if lines and None not in lines:
            raise UsageError("Every line of the form is given; give a longer --form.")
        return tuple(lines) if any(lines) else ()

    def _with_words(self, plan: forms.SongPlan) -> forms.SongPlan:
        """Return the plan with title, topic and words."""
        use, avoid = (frozenset(texts.words(given or "")) for given in (self.use, self.avoid))
        if use & avoid:
            raise UsageError(f"--use and --avoid both have '{min(use & avoid)}'; remove it from one of them.")
        if self.use and not use:
            raise UsageError(
                f"--use has no word: '{self.use}'; give words with commas between them, such as river,stone."
            )
        lines = {"title": self.title, "hook": self.hook, "first-line": self.first_line, "last-line": self.last_line}
        for name, line in ((f"--{option_name}", line) for option_name, line in lines.items()):
            if found := avoid & set(texts.words(line or "")):
                raise UsageError(f"{name} has the word '{min(found)}', which --avoid excludes; change one of them.")
        if plan.scheme == "" and self.rhyme_syllables > 1 and not any(each.scheme for each in plan.sections):
            raise UsageError("--rhyme-syllables needs a --rhyme scheme, such as AABB.")
        subject = " ".join(filter(None, (self.title, self.about)))
        return replace(
            plan, language=check_language(self.language or "en"), title=" ".join((self.title or "").split()),
            subject=subject, use=use, avoid=avoid, near=self.near_rhymes, metre=forms.metre(self.metre),
            internal=self.internal_rhymes, matched=self.rhyme_syllables,
        )  # fmt: skip

    def _plan_for_sheet(self, scheme: str) -> forms.SongPlan:
        """Return the plan of a song in which some lines are kept."""
        stanzas = forms.stanzas(self.sheet)
        lines = tuple(line for stanza in stanzas for line in stanza)
        if self.hook is not None:
            raise UsageError("A hook cannot be combined with a sheet; put it into the sheet.")
        if self.first_line is not None or self.last_line is not None:
            raise UsageError("A first or last line cannot be combined with a sheet; put it into the sheet.")
        if None not in lines:
            raise UsageError("Every line of the sheet is locked; unlock at least one line to write.")
        if self.form is None:
            sections = tuple(forms.FormSection("verse", len(stanza)) for stanza in stanzas)
        else:
            sections = forms.parse(self.form)
            if [section.lines for section in sections] != [len(stanza) for stanza in stanzas]:
                raise UsageError(f"The sections of the sheet do not have the lengths of the form '{self.form}'.")
        rejected = frozenset(map(texts.key, self.rejected))
        return self._with_words(
            forms.SongPlan(sections, scheme, self.syllables, self.original or None, lines, rejected)
        )
