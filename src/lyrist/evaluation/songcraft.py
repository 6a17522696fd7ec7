"""Songcraft: rhyme, syllables, repetition and sections of generated lyrics, compared with real songs.

None of these figures is better when it is higher: a text that rhymes on every line is as unusual as one that never does. Each
figure is therefore reported with that of held-out songs and the interval of the difference. Many depend on the length of the
text (longer texts repeat more), so real songs are first cut, at the end of a line, to the lengths of the generated ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lyrist import text
from lyrist.errors import LyristError
from lyrist.metrics.intervals import bootstrap_mean
from lyrist.text.languages import SUPPORTED
from lyrist.text.rhyme import Rhyme, density, line_syllables, sections


@dataclass(frozen=True)
class _Song:
    """A text split into sections, lines and words once, for all measures."""

    lyrics: str
    language: str = "en"

    @cached_property
    def sections(self) -> list[list[str]]:
        """The lines of each section."""
        return sections(self.lyrics)

    @cached_property
    def lines(self) -> list[str]:
        return [line for section in self.sections for line in section]

    @cached_property
    def words(self) -> list[str]:
        return [word for line in self.lines for word in text.words(line)]

    @cached_property
    def syllables(self) -> NDArray[np.int64]:
        """Syllables of each line; a line in another script has none."""
        return np.array([line_syllables(line, self.language) or 0 for line in self.lines], dtype=np.int64)


def _rhyming(song: _Song, at_least: Rhyme = Rhyme.NEAR) -> float:
    """Return the share of lines that rhyme with a line nearby."""
    return density(song.sections, at_least, song.language) or 0.0


def _by_chance(song: _Song) -> float:
    """Return the share of lines that would rhyme nearby if the lines were in random order."""
    order = iter(np.random.default_rng(len(song.lines)).permutation(len(song.lines)))
    shuffled = ["\n".join(song.lines[next(order)] for _ in section) for section in song.sections]
    return _rhyming(_Song("\n\n".join(shuffled), song.language))


def _distinct(song: _Song, n: int) -> float:
    """Return the share of distinct n-grams among all word n-grams (Li et al. 2016); 1 if there are none."""
    grams = list(zip(*(song.words[start:] for start in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def _repeated_lines(song: _Song) -> float:
    """Return the share of lines that repeat an earlier line of the text, ignoring case and punctuation."""
    return 1 - len({text.key(line) for line in song.lines}) / len(song.lines)


@dataclass(frozen=True)
class Measure:
    """One figure of a text."""

    label: str
    """Its name in tables."""
    spec: str
    """Its format specification, as for `format`."""
    of: Callable[[_Song], float]
    sounds: bool = False
    """Whether it needs rules for the sounds of the language."""


MEASURES: dict[str, Measure] = {
    "rhyme_density": Measure("lines that rhyme (or nearly) within four lines", ".1%", _rhyming, sounds=True),
    "perfect_rhyme_density": Measure(
        "lines with a perfect rhyme within four lines", ".1%", lambda song: _rhyming(song, Rhyme.PERFECT), sounds=True
    ),
    "rhyme_by_chance": Measure("lines that would rhyme if the lines were shuffled", ".1%", _by_chance, sounds=True),
    "syllables_a_line": Measure("syllables per line", ".1f", lambda song: float(song.syllables.mean()), sounds=True),
    "syllables_spread": Measure(
        "their standard deviation in a song", ".1f", lambda song: float(song.syllables.std()), sounds=True
    ),
    "words_a_line": Measure("words per line", ".1f", lambda song: len(song.words) / len(song.lines)),
    "repetition": Measure(
        "repetition score (words that occurred before)",
        ".1%",
        lambda song: 1 - len(set(song.words)) / max(len(song.words), 1),
    ),
    "repeated_lines": Measure("lines that occurred before", ".1%", _repeated_lines),
    **{
        f"distinct_{n}": Measure(f"distinct {n}-grams of words", ".1%", lambda song, n=n: _distinct(song, n))  # type: ignore[misc]
        for n in (1, 2, 3, 4)
    },
    "lines": Measure("lines", ".1f", lambda song: len(song.lines)),
    "sections": Measure("sections", ".1f", lambda song: len(song.sections)),
    "lines_a_section": Measure("lines per section", ".1f", lambda song: len(song.lines) / len(song.sections)),
    "longest_section": Measure("lines of the longest section", ".1f", lambda song: max(map(len, song.sections))),
}
"""All measures, in the order of the tables. The repetition score is 1 - distinct words / words."""


def measured(texts: Sequence[str], language: str = "en") -> dict[str, NDArray[np.float64]]:
    """Return every measure for every text that has a word, by name; shape (n,) each.

    In a language without rules for its sounds, rhymes and syllables are not measured, and left out.

    Raises
    ------
    LyristError
        No text has a word.
    """
    songs = [song for song in (_Song(lyrics, language) for lyrics in texts) if song.words]
    if not songs:
        raise LyristError("None of the texts has a word, so there is nothing to measure.")
    return {
        name: np.array([measure.of(song) for song in songs], dtype=np.float64)
        for name, measure in MEASURES.items()
        if language in SUPPORTED or not measure.sounds
    }


def figures(texts: Sequence[str], language: str = "en") -> dict[str, Any]:
    """Return the mean of every measure over some texts.

    Returns
    -------
    dict
        ``n`` texts that have a word; for each name in `measured`: value, and low and high of its 95% bootstrap interval
        over texts.
    """
    return _figures(measured(texts, language))


def beside(written: Sequence[str], real: Sequence[str], *, seed: int = 0, language: str = "en") -> dict[str, Any]:
    """Compare generated lyrics with real songs of the same lengths.

    Parameters
    ----------
    written, real
        Lyrics. Each real song is cut at the end of a line to the length in words of a random generated text.
    seed
        Seed of this random choice.
    language
        The language of the songs.

    Returns
    -------
    dict
        ``written`` and ``real``: `figures` of each; ``difference``: for each measure the mean of ``written`` minus that
        of ``real``, with low and high of its 95% interval (Welch 1947), which are None if a side has only one text.
    """
    generated, reference = measured(written, language), measured(cut_alike(real, written, seed=seed), language)
    return {
        "written": _figures(generated),
        "real": _figures(reference),
        "difference": {name: _difference(generated[name], reference[name]) for name in generated},
    }


def cut_alike(real: Sequence[str], written: Sequence[str], *, seed: int = 0) -> list[str]:
    """Return the real songs, each cut at the end of a line to about the length in words of a random generated text."""
    sizes = np.array([len(text.words(lyrics)) for lyrics in written if text.words(lyrics)])
    if not len(sizes):
        raise LyristError("None of the generated texts has a word, so real songs cannot be cut to their length.")
    wanted = np.random.default_rng(seed).choice(sizes, len(real))
    return [_cut(lyrics, int(size)) for lyrics, size in zip(real, wanted, strict=True)]


def _cut(lyrics: str, size: int) -> str:
    """Return the first lines of a text, as many as come closest to ``size`` words; at least one with a word."""
    kept: list[str] = []
    count = 0
    for line in lyrics.split("\n"):
        more = len(text.words(line))
        if count and count + more / 2 > size:
            break
        kept.append(line)
        count += more
    return "\n".join(kept).rstrip("\n")


def _figures(found: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    scores: dict[str, Any] = {"n": len(next(iter(found.values())))}
    for name, values in found.items():
        low, high = bootstrap_mean(values)
        scores[name] = {"value": float(values.mean()), "low": low, "high": high}
    return scores


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the difference of two means with Welch's interval, which does not assume equal variances."""
    from scipy import stats

    value = float(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return {"value": value, "low": None, "high": None}
    parts = np.array([first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)])
    if parts.sum() == 0:
        return {"value": value, "low": value, "high": value}
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(first) - 1, len(second) - 1])).sum()
    half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(parts.sum())
    return {"value": value, "low": value - half, "high": value + half}
