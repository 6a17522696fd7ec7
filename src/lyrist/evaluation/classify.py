"""`classify`: labels and probabilities for texts, and the words with the largest weights."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lyrist.corpus.cleaning import clean_texts
from lyrist.errors import LyristError, UsageError, unknown
from lyrist.evaluation.explain import Explanation
from lyrist.evaluation.explain import explain as explain_one
from lyrist.metrics.ordinal import quantiles
from lyrist.models.inputs import songs as as_input
from lyrist.results import Result
from lyrist.training.domain import Domain
from lyrist.training.runs import MODEL, answering, is_network, open_run

if TYPE_CHECKING:
    from lyrist.reports.blocks import Page

SHOWN = 5
"""Labels shown for each text."""


@dataclass(frozen=True)
class Label:
    """The prediction of a run for one text."""

    text: str
    """The text after cleaning."""
    probabilities: dict[str, float]
    """Every label with its probability, the most probable first."""
    explanation: Explanation | None = None
    predicted: Sequence[str] | float | None = None
    """With several labels a song: those that reach their threshold; of an ordered target: the number; else None."""
    flags: Sequence[str] = ()
    """Why the text is unlike the training songs, see `lyrist.training.domain`; empty where it is not."""
    tokens: tuple[int, int] | None = None
    """Of a network: the number of tokens that it read, and that the text has."""

    @property
    def label(self) -> str:
        """The most probable label."""
        return next(iter(self.probabilities))

    @property
    def title(self) -> str:
        """What is predicted, as text."""
        if self.predicted is None:
            return self.label
        return f"{self.predicted:g}" if isinstance(self.predicted, float) else ", ".join(self.predicted) or "no label"


@dataclass(frozen=True, repr=False)
class Classified(Result):
    """The predictions of a run for some texts, in the order of the input."""

    labels: list[Label]
    html: Path | None = None
    """The HTML page, if one was written."""

    def summary(self) -> str:
        """Return the most probable labels of each text, and the explanation where there is one."""
        parts = [_as_text(label) for label in self.labels]
        return "\n\n".join([*parts, *([f"page: {self.html}"] if self.html else [])])

    def figures(self) -> list[dict[str, Any]]:
        """Return label, probabilities and explanation of each text for ``--json``."""
        return [
            {
                "label": one.label if one.predicted is None else one.predicted,
                "probabilities": one.probabilities,
                "flags": list(one.flags),
                **({"tokens_read": one.tokens[0], "tokens": one.tokens[1]} if one.tokens else {}),
                **({"words": one.explanation.words, "lines": one.explanation.lines} if one.explanation else {}),
            }
            for one in self.labels
        ]


def classify(
    run: str,
    *texts: str,
    file: str | None = None,
    artist: str | None = None,
    column: tuple[str, ...] = (),
    explain: bool = False,
    html: str | None = None,
) -> Result:
    """Label texts with a saved run.

    Parameters
    ----------
    run
        The run directory.
    texts
        Lyrics, cleaned by the same rules as the corpus. For a run of an image model: image files or folders.
    file
        A text file with one song, or - for standard input.
    artist
        The artist of the texts, for a run that was fitted with the artist as a feature.
    column
        The value of a column that the run was fitted on with --features, such as year=1994; may be given several times. The
        others are missing.
    explain
        Show the words and lines with the largest weights for and against the predicted label.
    html
        Write an HTML page with these words highlighted in each text.

    Raises
    ------
    LyristError
        The run does not exist or is damaged, or a text is empty after cleaning.
    """
    opened = open_run(run)
    if opened.info["task"] == "picture":
        if artist or explain:
            raise UsageError(f"{run} labels images, so --artist and --explain do not apply; leave them out.")
        from lyrist.evaluation.evaluate_images import classify_pictures

        return classify_pictures(opened, [*texts, *([file] if file else [])], html)
    if opened.info["task"] == "write":
        raise UsageError(f"{run} is a run of a language model; classify needs a run of a classifier.")
    for text in texts:
        if _names_a_file(text):
            raise UsageError(
                f"'{text}' is a file, not a text; give one song with --file {text}, or label a table with 'lyrist label {run} "
                f"{text} --out labels.parquet'."
            )
        if _TABLE_NAME.fullmatch(text):
            raise LyristError(
                f"'{text}' is the name of a file, not a text, and there is no such file; give a text, or another path."
            )
    inputs = [*texts, *([_read(file)] if file else [])]
    if not inputs:
        raise UsageError("classify needs a text: lyrist classify RUN TEXT..., or --file FILE (- for standard input).")
    cleaned = clean_texts(inputs, opened.cleaning)
    for number, text in enumerate(cleaned, 1):
        if not text.strip():
            raise LyristError(
                f"Text {number} is empty after cleaning, so there is nothing to label; provide a text with words."
            )
    columns = _columns(column, opened.features)
    with answering(opened):
        others = {name: [value] * len(cleaned) for name, value in columns.items()}
        inputs_ = as_input(cleaned, [artist or ""] * len(cleaned), others)
        probabilities = np.asarray(opened.model.predict_proba(inputs_), dtype=float)
        classes = [str(label) for label in opened.model.classes_]
        predicted = predicted_of(opened.info, classes, probabilities)
        domain = Domain.load(opened.path / MODEL)
        cautions = domain.flags(pl.Series(cleaned, dtype=pl.String))[0].to_list() if domain else [[] for _ in cleaned]
        counts: list[Any] = [None] * len(cleaned)
        if is_network(opened.model):
            read = opened.model.tokens_read(as_input(cleaned, [artist or ""] * len(cleaned)))
            counts = [(int(tokens), int(of)) for tokens, of in read]
        labels: list[Label] = []
        for text, row, own, flags, tokens in zip(cleaned, probabilities, predicted, cautions, counts, strict=True):
            ranked = {classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")}
            explanation = None
            if explain or html is not None:
                label = classes[int(np.abs(row - 0.5).argmin())] if isinstance(own, float) else next(iter(ranked))
                explanation = explain_one(opened.model, text, label=label, artist=artist or "", columns=columns)
            labels.append(Label(text, ranked, explanation, own, flags, tokens))
    classified = Classified(labels, Path(html) if html else None)
    if html:
        from lyrist.reports import page

        page.write(_page(classified, opened.info), Path(html))
    return classified


def _columns(given: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the values of columns that were given as NAME=VALUE."""
    found = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"--column is NAME=VALUE, such as year=1994, got '{text}'.")
        if name not in known:
            raise unknown("column of the run called", name, known or ["(none)"])
        found[name] = value
    return found


def predicted_of(info: Mapping[str, Any], classes: list[str], probabilities: np.ndarray[Any, Any]) -> list[Any]:
    """Return what is predicted for each text where that is not one label."""
    kind = info.get("kind", "single")
    if kind == "ordinal":
        return [round(float(middle), 1) for middle in quantiles(probabilities, classes)]
    if kind == "single":
        return [None] * len(probabilities)
    limits = np.array(info["thresholds"], dtype=float)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return [
        [classes[c] for c in places if row[c] >= limits[c]] for row, places in zip(probabilities, order, strict=True)
    ]


_TABLE_NAME = re.compile(r"\S+\.(?:csv|tsv|txt|jsonl?|parquet|xlsx?|ods|lrc|srt|zip|gz|zst|sqlite|db)", re.IGNORECASE)


def _names_a_file(text: str) -> bool:
    try:
        return bool(Path(text).suffix) and "\n" not in text and Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LyristError(f"{file} is not UTF-8 text (byte {error.start}); convert it first.") from None
    except OSError as error:
        raise LyristError(f"{file} cannot be read: {error.strerror}.") from None


def _as_text(one: Label) -> str:
    if isinstance(one.predicted, float):
        lines = [
            f"{one.predicted:g}",
            "  " + ", ".join(f"{label} {p:.0%}" for label, p in sorted(one.probabilities.items())[::3]),
        ]
    else:
        chosen = [one.label] if one.predicted is None else list(one.predicted)
        lines = [
            ", ".join(f"{label}  {one.probabilities[label]:.1%}" for label in chosen)
            or "no label reaches its threshold"
        ]
        others = [(label, p) for label, p in one.probabilities.items() if label not in chosen][: SHOWN - 1]
        lines.append("  then " + ", ".join(f"{label} {p:.1%}" for label, p in others))
    if one.flags:
        lines.append(f"  caution: unlike the training songs ({', '.join(one.flags)}), so the label may mean nothing")
    if one.tokens and one.tokens[0] < one.tokens[1]:
        lines.append(f"  read the first {one.tokens[0]:,} of {one.tokens[1]:,} tokens only")
    if one.explanation and not one.explanation.words and not one.explanation.lines:
        lines.append("  no word or line changes the prediction")
    elif one.explanation:
        what = "" if one.predicted is None else f" for '{one.explanation.label}'"
        lines.append(f"  decided by{what} ({one.explanation.method}):")
        lines += [f"    {weight:+8.3f}  {'+' if weight > 0 else '-'} {word}" for word, weight in one.explanation.words]
        lines += [f"    {weight:+8.3f}  | {line}" for line, weight in one.explanation.lines[:3]]
    return "\n".join(lines)


def _page(classified: Classified, info: dict[str, Any]) -> Page:
    """Return a page with the probabilities of each text and its explanation highlighted."""
    from lyrist.reports import figures
    from lyrist.reports.blocks import Lyrics, Page, Section

    sections = []
    for number, one in enumerate(classified.labels, 1):
        shares = figures.bars(dict(list(one.probabilities.items())[:10]), spec=".1%", name=f"labels-{number}")
        why = one.explanation
        marked = Lyrics(one.text, spans(one.text, why.words), note=f"By {why.method}.") if why else Lyrics(one.text)
        sections.append(Section(f"Text {number}: {one.title}", [shares, marked]))
    return Page(
        f"Predicted {info['target']}",
        sections,
        subtitle=f"{info['recipe']}, fitted on {info['songs']['train']:,} songs",
        kicker="Lyrist classify",
    )


def spans(text: str, words: Sequence[tuple[str, float]]) -> list[tuple[int, int, float]]:
    """Return the positions of the weighted words in the text: (start, end, weight) of each occurrence."""
    found = []
    for word, weight in words:
        pattern = re.compile(rf"(?<!\w){re.escape(word.strip())}(?!\w)", re.IGNORECASE)
        found += [(match.start(), match.end(), weight) for match in pattern.finditer(text)] if word.strip() else []
    return found
