"""Applies the cleaning rules to columns of texts, in rounds, so that no text changes when it is cleaned twice.

- A rule may uncover what an earlier rule removes. So the rules run in rounds over the texts that the last round changed,
  until none changes; no single rule has to care for it. Songs need one or two rounds; a text that still changes after
  `MOST_ROUNDS` is deliberately nested debris, and becomes empty.
- Polars keeps the last 32 compiled expressions of each thread, and all rules have over a hundred, which take as long
  to compile as a thousand songs to clean. So each rule has a thread of its own, where its expressions stay compiled.
- One expression, built of the triggers of all rules, finds the texts that need any change. Most of these have section
  headers and nothing else, so the rules before and after that rule are searched for in the same way, by one expression.
  Each rule rewrites only the texts that match its own trigger.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist import errors
from lyrist.corpus.arrays import Bools
from lyrist.corpus.cleaning.rules import CHARACTERS, RULES, Rows, Rule, either, put

MOST_ROUNDS = 16


@dataclass(frozen=True)
class Cleaning:
    """How to clean.

    Attributes
    ----------
    sections
        ``"drop"`` section headers, or ``"keep"`` them as lines such as ``[verse]`` and ``[chorus]`` (see `KINDS`).
    parentheses
        ``"keep"`` backing vocals in parentheses, or ``"drop"`` them.
    off
        Names of the rules that are switched off (see `RULES`).

    Raises
    ------
    lyrist.errors.UsageError
        An unknown way or rule.
    """

    sections: str = "drop"
    parentheses: str = "keep"
    off: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, way in (("sections", self.sections), ("parentheses", self.parentheses)):
            if way not in ("drop", "keep"):
                raise errors.unknown(f"way with {what}", way, ("drop", "keep"))
        known = [rule.name for rule in RULES]
        for name in self.off:
            if name not in known:
                raise errors.unknown("cleaning rule", name, known)


def clean_series(series: pl.Series, how: Cleaning | None = None) -> tuple[pl.Series, dict[str, int]]:
    r"""Return cleaned texts, and how many texts each rule changed.

    Parameters
    ----------
    series
        Texts; nulls stay null.
    how
        What to keep and which rules to leave out.

    Returns
    -------
    cleaned : polars.Series
        As many texts, in the same order. Unless rules of layout are off, they hold no control character but ``\n``,
        no line begins or ends with a space, and sections are one blank line apart.
    changed : dict
        For every rule that is on, the number of texts that it changed.
    """
    cleaned, changed = clean_rows(series, how)
    return cleaned, {name: int(rows.sum()) for name, rows in changed.items()}


def clean_rows(series: pl.Series, how: Cleaning | None = None) -> tuple[pl.Series, dict[str, Bools]]:
    """Return cleaned texts as `clean_series` does, and for every rule that is on, which texts it changed."""
    texts = series.cast(pl.String).alias("lyrics")
    work = _Work(texts.fill_null(""), _plan(how or Cleaning(), tuple(RULES)))
    work.run()
    cleaned = work.texts.alias(series.name)
    if texts.null_count():
        cleaned = cleaned.zip_with(texts.is_not_null(), pl.Series([None], dtype=pl.String))
    return cleaned, work.changed


def bits(changed: Mapping[str, Bools]) -> npt.NDArray[np.uint32]:
    """Return, for each text, a number whose bits say which of `RULES` changed it."""
    found = np.zeros(len(next(iter(changed.values()), [])), np.uint32)
    for place, rule in enumerate(RULES):
        if rule.name in changed:
            found |= changed[rule.name].astype(np.uint32) << np.uint32(place)
    return found


def clean_names(names: pl.Series, how: Cleaning | None = None) -> pl.Series:
    """Return titles or artists with their characters repaired as those of the lyrics are (`CHARACTERS`), in one line.

    Everything else stays as the table has it; a name of which nothing is left is null.
    """
    how = how or Cleaning()
    others = tuple(rule.name for rule in RULES if rule.name not in (*CHARACTERS, *how.off))
    each = names.drop_nulls().unique()
    found, _ = clean_rows(each, dataclasses.replace(how, off=(*how.off, *others)))
    line = found.str.replace_all(r"\s*\n\s*", " ").str.strip_chars()
    return names.replace_strict(each, line.replace("", None), default=None, return_dtype=pl.String)


def clean_texts(texts: Iterable[str], how: Cleaning | None = None) -> list[str]:
    """Return cleaned texts (see `clean_series`); half a surrogate pair becomes ``�``.

    Most of the time of a short text is that of calling the rules: 64 texts at once take two to three times as long as one.
    """
    sound = [
        text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts
    ]
    return clean_series(pl.Series(sound, dtype=pl.String), how)[0].to_list()


def clean(text: str, how: Cleaning | None = None) -> str:
    """Return one cleaned text; see `clean_texts`."""
    return clean_texts([text], how)[0]


@dataclass(frozen=True)
class _Plan:
    """The rules that are on: those of layout, the others, and the expressions that find what needs them."""

    layout: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    groups: tuple[tuple[Rule, ...], ...]


@functools.lru_cache(maxsize=32)
def _plan(how: Cleaning, rules: tuple[Rule, ...]) -> _Plan:
    off = {*how.off, *(("parentheses",) if how.parentheses == "keep" else ())}
    on = [rule for rule in rules if rule.name not in off]
    if how.sections == "keep":
        on = [dataclasses.replace(rule, change=rule.keeping or rule.change) for rule in on]
    layout = tuple(rule for rule in on if rule.layout)
    others = tuple(rule for rule in on if not rule.layout)
    groups: list[tuple[Rule, ...]] = [()]
    for rule in others:
        groups += [(rule,), ()] if rule.frequent else [(*groups.pop(), rule)]
    return _Plan(layout, others, tuple(filter(None, groups)))


class _Work:
    """The texts of one call, as far as they are cleaned, and which rule changed which of them."""

    def __init__(self, texts: pl.Series, plan: _Plan) -> None:
        self.texts = texts
        self.plan = plan
        self.changed = {rule.name: np.zeros(len(texts), bool) for rule in (*plan.layout, *plan.rules)}

    def run(self) -> None:
        """Tidy all texts, then clean in rounds those that the last round changed."""
        rows = np.arange(len(self.texts))
        for rule in self.plan.rules:
            hits = _matching(self.texts, rule.early, rule.name)
            if len(hits):
                new = _changed(self.texts.gather(hits), rule)
                self.changed[rule.name][hits[_differing(new, self.texts.gather(hits))]] = True
                self.texts = put(self.texts, hits, new)
        part = self.texts = self._tidy(self.texts, rows)
        for _ in range(MOST_ROUNDS):
            dirty = _triggered(part, self.plan.rules)
            if not len(dirty):
                return
            rows, old = rows[dirty], part.gather(dirty)
            new = old
            for group in self.plan.groups:
                hits = np.arange(len(new)) if len(group) == 1 else _triggered(new, group)
                some = new.gather(hits)
                for rule in group:
                    some = self._apply(rule, some, rows[hits])
                new = put(new, hits, some)
            moved = _differing(new, old)
            rows, part = rows[moved], new.gather(moved)
            self.texts = put(self.texts, rows, part)
        self.texts = put(self.texts, rows, pl.repeat("", len(rows), eager=True))

    def _tidy(self, texts: pl.Series, rows: Rows | None = None) -> pl.Series:
        """Return ``texts`` with their layout tidied; counted where it is the layout of the songs ``rows``."""
        untidy = _triggered(texts, self.plan.layout)
        if not len(untidy):
            return texts
        part = texts.gather(untidy)
        for rule in self.plan.layout:
            new = _changed(part, rule)
            if rows is not None:
                self.changed[rule.name][rows[untidy[_differing(new, part)]]] = True
            part = new
        return put(texts, untidy, part)

    def _apply(self, rule: Rule, texts: pl.Series, rows: Rows) -> pl.Series:
        """Return ``texts``, which are those of the songs ``rows``, with one rule applied, and count what it changed."""
        hits = _triggered(texts, (rule,))
        if not len(hits):
            return texts
        old = texts.gather(hits)
        new = self._tidy(_changed(old, rule))
        moved = _differing(new, old)
        self.changed[rule.name][rows[hits[moved]]] = True
        return put(texts, hits[moved], new.gather(moved))


def _triggered(texts: pl.Series, rules: Sequence[Rule]) -> Rows:
    """Return the indices of the texts that one of the rules may change."""
    found = np.zeros(len(texts), bool)
    thread = rules[0].name if len(rules) == 1 else ""
    found[_matching(texts, either(*(rule.trigger for rule in rules if not rule.wordy)), thread)] = True
    if wordy := either(*(rule.trigger for rule in rules if rule.wordy)):
        rest = np.flatnonzero(~found)
        found[rest[_matching(texts.gather(rest), wordy, thread)]] = True
    if wide := either(*(rule.wide for rule in rules)):
        beyond = np.flatnonzero((texts.str.len_bytes() != texts.str.len_chars()).to_numpy() & ~found)
        found[beyond[_matching(texts.gather(beyond), wide, thread)]] = True
    return np.flatnonzero(found)


def _matching(texts: pl.Series, pattern: str, thread: str) -> Rows:
    """Return the indices of the texts that match; none for an empty pattern."""
    if not pattern or not len(texts):
        return np.zeros(0, np.int64)
    return _thread(thread).submit(texts.str.contains, pattern).result().arg_true().to_numpy()


def _changed(texts: pl.Series, rule: Rule) -> pl.Series:
    return _thread(rule.name).submit(rule.change, texts).result()


@functools.cache
def _thread(name: str) -> ThreadPoolExecutor:
    """Return the thread of a rule, or of the expressions for several rules."""
    return ThreadPoolExecutor(1, f"cleaning {name}")


def _differing(texts: pl.Series, others: pl.Series) -> Rows:
    return (texts != others).arg_true().to_numpy()
