"""Which texts are unlike the training songs: their languages and words, stored with a classifier when it is fitted.

A classifier gives every text a label, however strange the text is. Two cheap checks catch most texts for which that label
means nothing: the language does not occur in training, or fewer of the distinct words occur in training songs than in
nearly all validation songs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lyrist import files
from lyrist.corpus.languages import UNKNOWN, detect
from lyrist.errors import LyristError
from lyrist.text import WORD_PATTERN
from lyrist.training.dataset import LYRICS, View

FILE = "domain.json"

SAMPLE = 50_000
"""Training songs whose words are counted, the first of the corpus."""

WORDS = 100_000
"""The most frequent words of the training songs that are stored."""

RARE_LANGUAGE = 0.002
"""A language of a smaller share of the training songs counts as absent."""

QUANTILE = 0.01
"""The share of validation songs with less familiar words than the threshold."""


NO_WORDS = "no words"
OTHER_LANGUAGE = "other language"
UNFAMILIAR = "unfamiliar words"


@dataclass(frozen=True)
class Domain:
    """The languages and the words of the training songs."""

    languages: dict[str, float]
    """Code to share of the training songs."""
    words: tuple[str, ...]
    """The words that occur in at least two training songs (in one, where there are few songs), the most frequent first."""
    threshold: float
    """A text with a smaller share of its distinct words among ``words`` is unfamiliar."""

    @classmethod
    def of(cls, view: View) -> Domain:
        """Return the domain of the training songs of a view, with the threshold found on its validation songs."""
        train = view.part("train")
        counted, read = pl.DataFrame(schema={"word": pl.String, "songs": pl.UInt32}), 0
        for block in view.blocks("train"):
            found = _distinct(block[LYRICS]).group_by("word").agg(songs=pl.len())
            counted = pl.concat([counted, found]).group_by("word").agg(pl.col("songs").sum())
            read += len(block)
            if read >= SAMPLE:
                break
        least = 2 if len(train) >= 1_000 else 1
        common = counted.filter(pl.col("songs") >= least).sort(["songs", "word"], descending=[True, False])
        languages = view.corpus.songs(columns=["id", "language"]).join(train.select("id"), on="id", how="semi")
        counts = languages["language"].fill_null(UNKNOWN).value_counts(normalize=True)
        shares = {str(code): round(float(part), 6) for code, part in counts.sort("language").iter_rows()}
        domain = cls(shares, tuple(common["word"].head(WORDS).to_list()), 0.0)
        held = [domain.familiarity(block[LYRICS]) for block in view.blocks("validation")]
        threshold = pl.concat(held).drop_nulls().quantile(QUANTILE, "lower") if held else None
        return cls(shares, domain.words, float(threshold or 0.0))

    def save(self, folder: Path) -> None:
        """Write ``domain.json`` into the model directory of a run."""
        content = {"languages": self.languages, "threshold": self.threshold, "words": list(self.words)}
        files.write_json(folder / FILE, content)

    @classmethod
    def load(cls, folder: Path) -> Domain | None:
        """Return what `save` wrote, or None for a run of version 0.1, which has none."""
        if not (folder / FILE).is_file():
            return None
        found = files.read_json(folder / FILE, "a run")
        try:
            languages = {str(code): float(share) for code, share in found["languages"].items()}
            return cls(languages, tuple(map(str, found["words"])), float(found["threshold"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise LyristError(f"{folder / FILE} is damaged; train the model again.") from None

    @cached_property
    def _known(self) -> pl.DataFrame:
        return pl.DataFrame({"word": pl.Series(self.words, dtype=pl.String)})

    def familiarity(self, texts: pl.Series) -> pl.Series:
        """Return the share of the distinct words of each text that occur in training songs; null without words."""
        every = _distinct(texts).with_columns(known=pl.col("word").is_in(self._known["word"].implode()))
        shares = every.group_by("place").agg(pl.col("known").mean())
        places = pl.DataFrame({"place": pl.int_range(len(texts), dtype=pl.UInt32, eager=True)})
        return places.join(shares, on="place", how="left", maintain_order="left")["known"]

    def flags(self, texts: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Return why each text is unlike the training songs, as lists of flags, and its language.

        The flags are `NO_WORDS`, `OTHER_LANGUAGE` and `UNFAMILIAR`.
        """
        codes, _ = detect(texts)
        known = [code for code, share in self.languages.items() if share >= RARE_LANGUAGE and code != UNKNOWN]
        known = known or [*codes.unique()]  # a corpus of unknown languages: there is nothing to compare with
        familiar = self.familiarity(texts)
        found = pl.DataFrame({"code": codes, "familiar": familiar}).select(
            pl.concat_list(
                pl.when(pl.col("familiar").is_null()).then(pl.lit(NO_WORDS)),
                pl.when((pl.col("code") != UNKNOWN) & ~pl.col("code").is_in(known)).then(pl.lit(OTHER_LANGUAGE)),
                pl.when(pl.col("familiar") < self.threshold).then(pl.lit(UNFAMILIAR)),
            )
            .list.drop_nulls()
            .alias("flags")
        )
        return found["flags"], codes


def unlikeness(probabilities: NDArray[np.float64], flags: pl.Series) -> NDArray[np.float64]:
    """Return the out-of-domain score of each text, 0 to 2: one minus the highest probability, plus one with a flag.

    The probability is the baseline of Hendrycks and Gimpel (2017), "A baseline for detecting misclassified and
    out-of-distribution examples in neural networks".
    """
    return np.asarray(1 - probabilities.max(axis=1) + (flags.list.len() > 0).to_numpy())


def _distinct(texts: pl.Series) -> pl.DataFrame:
    """Return the distinct words of each text: ``place`` of the text and ``word``."""
    return (
        texts.fill_null("").to_frame("text").with_row_index("place")
        .select("place", word=pl.col("text").str.to_lowercase().str.replace_all("’", "'").str.extract_all(WORD_PATTERN))
        .explode("word").drop_nulls("word").unique()
    )  # fmt: skip
