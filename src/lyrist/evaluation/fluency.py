"""Whether generated lyrics can be distinguished from real ones: figures that loops, shuffled words and copied lines do not pass.

A judge reads lines of written songs and of real ones. It gives two figures:

``recognised``
    A linear classifier on the judge's representation of single lines, cross-validated by song, separates the two. The figure is
    its AUC: of a written and a real line, how often the written one is found. 0.5: indistinguishable. Lines with a run of
    five words from a training song are left out on both sides, or a writer that copies would seem real.
``line_order``
    How often the judge prefers a song's own order of lines to a shuffled one. 0.5: the order of the lines means nothing.

Beside them are the share of lines with a copied run, and the share of words that are whole known words. All four are reported for
real songs as well: the AUC of real songs against other real songs is what no writer can be below, but for chance.

There are two judges. `Pretrained` reads lines with a pretrained language model, if it is in the cache, and is not used for
writers that were made of the same model. `Counts` uses n-grams, of which it knows those of the training songs; it needs no
download, and recognises less.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lyrist import progress, text
from lyrist.errors import LyristError
from lyrist.evaluation.originality import Index
from lyrist.metrics.intervals import bootstrap_mean, bootstrap_ratio
from lyrist.text.languages import SUPPORTED
from lyrist.text.rhyme import Rhyme, last_word, rhymes

if TYPE_CHECKING:
    import torch

PRETRAINED = "smollm2"
"""The known model that reads lines, if it is in the cache."""

LINES = 10
"""Lines of a song that are classified: the first distinct ones without a copied run."""

ORDERED, SHUFFLES = 6, 3
"""Lines of a song whose order is judged, the first distinct ones, and shuffled orders of them."""

LONGEST = 48
"""Tokens of a line that the pretrained judge reads, which bounds its cost."""

COPIED = 5
"""Words of a run that counts as copied."""

FEWEST = 4
"""Songs on a side that an AUC needs."""

PAIRED = 500
"""Training songs whose pairs of lines the judge of n-grams is fitted on."""

FOLDS = 5
BATCH = 32

RECOGNISABLE = 0.9
"""From this AUC on, written lines are recognisable as generated (Hosmer and Lemeshow 2000: outstanding discrimination)."""


Lines: TypeAlias = tuple[NDArray[np.int64], Any]
"""The song of each line, (n,), and the representation of each line, (n, d)."""


class Judge(Protocol):
    """A model that reads lines."""

    name: str
    about: str
    """What it is, for the reader."""

    def vectors(self, lines: Sequence[str]) -> Any:
        """Return a representation of each line, (n, d)."""

    def scores(self, songs: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return how likely the lines of each song are in this order, (n,)."""

    def made(self, writer: Any) -> bool:
        """Return whether a writer was made of the model of this judge."""


class Pretrained:
    """A judge by a pretrained language model: the mean of its hidden states over a line, and the probability of a text."""

    BEFORE = "Lyrics:\n"

    def __init__(self, name: str = PRETRAINED) -> None:
        """Open the model; it must be in the cache, or a directory."""
        from lyrist.models.hub import pretrained_causal

        self.name = name
        self.about = f"hidden states and probabilities of the pretrained model {name}"
        self.model, self.tokenizer, _ = pretrained_causal(name)

    def vectors(self, lines: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean hidden state of each line, (n, size)."""
        found = np.zeros((len(lines), self.model.config.hidden_size), dtype=np.float32)
        for rows, ids, mask in self._batches([self._ids(line) for line in lines]):
            hidden = self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            weights = mask[:, :, None].float()
            found[rows] = ((hidden * weights).sum(dim=1) / weights.sum(dim=1)).numpy()
        return found

    def scores(self, songs: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return the log-probability of each song, (n,)."""
        found, before = np.zeros(len(songs)), self._ids(self.BEFORE)
        end = self._ids("\n")
        texts = [[*before, *(token for line in song for token in (*self._ids(line), *end))] for song in songs]
        for rows, ids, mask in self._batches(texts, BATCH // 4):  # logits of all tokens are large
            logits = self.model(input_ids=ids, attention_mask=mask).logits[:, len(before) - 1 : -1].float()
            each = logits.gather(2, ids[:, len(before) :, None]).squeeze(2) - logits.logsumexp(dim=-1)
            found[rows] = (each * mask[:, len(before) :]).sum(dim=1).double().numpy()
        return found

    def made(self, writer: Any) -> bool:
        """Return whether the writer, or the network of a mixture, has the architecture of the judge."""
        config = getattr(writer.model, "network", writer.model).config
        keys = ("model_type", "hidden_size", "num_hidden_layers", "intermediate_size")
        return all(getattr(config, key, None) == getattr(self.model.config, key, None) for key in keys)

    def _ids(self, line: str) -> list[int]:
        """Return the first tokens of a line; some writers do not end their lines."""
        ids: list[int] = self.tokenizer(line, add_special_tokens=False)["input_ids"]
        return ids[:LONGEST] or [self.tokenizer.eos_token_id]

    def _batches(
        self, rows: Sequence[list[int]], size: int = BATCH
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
        """Yield texts of similar length: their places, tokens and mask, padded on the right."""
        import torch

        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        with torch.inference_mode(), progress.task(f"{self.name} reads", "texts") as advance:
            for first in range(0, len(order), size):
                places = order[first : first + size]
                longest = len(rows[places[-1]])
                ids = torch.tensor([rows[row] + [0] * (longest - len(rows[row])) for row in places])
                mask = torch.tensor([[1] * len(rows[row]) + [0] * (longest - len(rows[row])) for row in places])
                yield places, ids, mask
                advance(first + len(places), len(order))


class Counts:
    """A judge without a download: n-grams of lines, and a classifier of pairs of lines fitted on training songs."""

    name = "n-grams"
    about = "n-grams of characters, and word n-grams that occur in training songs; order by rhymes and shared words of neighbours"

    def __init__(self, songs: Sequence[str], language: str = "en", seed: int = 0) -> None:
        """Read training songs, and fit the classifier: neighbouring lines against other pairs of the same song."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.language = language
        lines = [text.words(line) for song in songs for line in text.lines(song)]
        self.seen = Counter(gram for words in lines for n in (1, 2, 3) for gram in _grams(words, n))
        rng = np.random.default_rng(seed)
        rows, labels = [], []
        for own in (distinct(song, 16) for song in songs[:PAIRED]):
            order = rng.permutation(len(own)).tolist()
            pairs = [(place, place + 1) for place in range(len(own) - 1)]
            others = [(a, b) for a, b in pairwise(order) if b != a + 1]
            rows += [self._pair(own[a], own[b]) for a, b in (*pairs, *others)]
            labels += [1] * len(pairs) + [0] * len(others)
        self.pairs: Any = None
        if len(set(labels)) == 2:
            self.pairs = make_pipeline(StandardScaler(), LogisticRegression()).fit(np.array(rows), labels)

    def vectors(self, lines: Sequence[str]) -> NDArray[np.float64]:
        """Return hashed n-grams of characters, the share of known n-grams of words, and lengths, (n, features)."""
        from sklearn.feature_extraction.text import HashingVectorizer

        hashed = HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=256)
        return np.hstack(
            [hashed.transform([line.lower() for line in lines]).toarray(), [self._line(line) for line in lines]]
        )

    def scores(self, songs: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return the sum of the log-odds of neighbouring lines, (n,)."""
        rows = [self._pair(a, b) for song in songs for a, b in pairwise(song)]
        odds = self.pairs.decision_function(np.array(rows)) if rows and self.pairs is not None else np.zeros(len(rows))
        ends = np.cumsum([max(len(song) - 1, 0) for song in songs])
        total = np.append(0.0, np.cumsum(odds))
        return np.asarray(total[ends] - total[np.append(0, ends[:-1])])

    def made(self, writer: Any) -> bool:
        """Return False: no writer was made of it."""
        return False

    def _line(self, line: str) -> list[float]:
        words = text.words(line)
        grams = {n: _grams(words, n) for n in (1, 2, 3)}
        known = [sum(gram in self.seen for gram in grams[n]) / max(1, len(grams[n])) for n in grams]
        often = [np.mean([np.log1p(self.seen[gram]) for gram in grams[n]] or [0.0]) for n in grams]
        letters = sum(map(len, words)) / max(1, len(words))
        return [
            *known,
            *often,
            len(words),
            letters,
            len(set(words)) / max(1, len(words)),
            line[:1].isupper(),
            line[-1:].isalnum(),
        ]

    def _pair(self, first: str, second: str) -> list[float]:
        a, b = text.words(first), text.words(second)
        shared = len(set(a) & set(b)) / max(1, min(len(set(a)), len(set(b))))
        grade = rhymes(last_word(first), last_word(second), self.language) if self.language in SUPPORTED else Rhyme.NONE
        same = (a[:1] == b[:1], a[-1:] == b[-1:], grade == Rhyme.PERFECT, grade == Rhyme.NEAR, first.endswith(","))
        return [shared, abs(len(a) - len(b)) / max(1, len(a), len(b)), len(b) - len(a), *map(float, same)]


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def distinct(lyrics: str, most: int) -> list[str]:
    """Return the first ``most`` distinct lines of a song that have a word."""
    found: dict[str, str] = {}
    for line in text.lines(lyrics):
        if text.words(line):
            found.setdefault(text.key(line), line)
    return list(found.values())[:most]


@dataclass(frozen=True)
class Reader:
    """Compares written songs with real ones, by every judge."""

    index: Index
    known: Collection[str]
    """Words that are whole known words."""
    real: Sequence[str]
    """Real songs with which written ones are compared; not those of the training split."""
    judges: Sequence[Judge]
    seed: int = 0
    _read: dict[str, Lines] = field(default_factory=dict, repr=False)

    def figures(self, songs: Sequence[str], writer: Any = None) -> dict[str, Any]:
        """Return all figures of some songs.

        Parameters
        ----------
        songs
            Written songs, or other real ones.
        writer
            What wrote them; judges that were made of the same model leave it out.

        Returns
        -------
        dict
            ``n`` songs; ``judges``: by name, ``recognised`` and ``line_order``, or only ``own`` for a writer made of the judge's
            model; ``copied_lines`` and ``known_words``. A figure has value, low, high (95% bootstrap interval over songs) and
            n, and is None if nothing could be measured. ``cpu_seconds`` is what reading took.
        """
        started, own = time.process_time(), self._own(songs)
        found: dict[str, Any] = {
            "n": len(songs),
            "copied_lines": _ratio(*self._copied(songs)),
            "known_words": _ratio(*self._known(songs)),
            "judges": {},
        }
        for judge in self.judges:
            if writer is not None and judge.made(writer):
                found["judges"][judge.name] = {"own": True}
                continue
            found["judges"][judge.name] = {
                "recognised": recognised(self._real(judge), _read(judge, own), self.seed),
                "line_order": self._order(judge, songs),
            }
        return {**found, "cpu_seconds": time.process_time() - started}

    @cached_property
    def _own_real(self) -> list[list[str]]:
        return self._own(self.real)

    def _real(self, judge: Judge) -> Lines:
        if judge.name not in self._read:
            self._read[judge.name] = _read(judge, self._own_real)
        return self._read[judge.name]

    def _own(self, songs: Sequence[str]) -> list[list[str]]:
        """Return the first distinct lines of each song that have no copied run."""
        lines = [distinct(song, 1_000) for song in songs]
        runs = self._runs(lines)
        return [[line for line in each if next(runs) < COPIED][:LINES] for each in lines]

    def _runs(self, songs: Sequence[Sequence[str]]) -> Iterator[int]:
        """Return the longest copied run of each line of all songs."""
        lines = [line for song in songs for line in song]
        return iter(self.index.extends_all(lines) if lines else [])

    def _order(self, judge: Judge, songs: Sequence[str]) -> dict[str, Any] | None:
        """Return how often the judge prefers the order of a song to shuffled ones; equal scores count half."""
        rng = np.random.default_rng(self.seed)
        texts: list[list[str]] = []
        for lines in (distinct(song, ORDERED) for song in songs):
            if len(lines) >= 3:
                texts += [lines, *([lines[place] for place in _shuffled(len(lines), rng)] for _ in range(SHUFFLES))]
        if not texts:
            return None
        scores = judge.scores(texts).reshape(-1, SHUFFLES + 1)
        own, other = scores[:, :1], scores[:, 1:]
        return _mean(((own > other) + 0.5 * (own == other)).mean(axis=1))

    def _copied(self, songs: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the lines of each song with a copied run, and all of its lines."""
        lines = [text.lines(song) for song in songs]
        runs = self._runs(lines)
        return [sum(next(runs) >= COPIED for _ in each) for each in lines], [len(each) for each in lines]

    def _known(self, songs: Sequence[str]) -> tuple[list[int], list[int]]:
        words = [text.words(song) for song in songs]
        return [sum(word in self.known for word in each) for each in words], [len(each) for each in words]


def _read(judge: Judge, songs: Sequence[Sequence[str]]) -> Lines:
    """Return the song and the vector of each line."""
    places = np.repeat(np.arange(len(songs)), [len(song) for song in songs])
    return places, judge.vectors([line for song in songs for line in song]) if len(places) else None


def recognised(real: Lines, written: Lines, seed: int = 0) -> dict[str, Any] | None:
    """Return the cross-validated AUC of a linear classifier that finds written lines among real ones.

    Songs are whole in one fold, and only lines of the same fold are compared.

    Parameters
    ----------
    real, written
        The song of each line, (n,), and the representation of each line, (n, d).
    seed
        Seed of the folds.

    Returns
    -------
    dict or None
        value, low and high (95% bootstrap interval over songs) and n lines that were written; None if a side has fewer than
        `FEWEST` songs.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [np.unique(side[0], return_inverse=True)[1] for side in (real, written)]
    counts = [int(group.max(initial=-1)) + 1 for group in groups]
    if min(counts) < FEWEST:
        return None
    vectors = np.vstack([real[1], written[1]])
    labels = np.repeat([0, 1], [len(groups[0]), len(groups[1])])
    songs = np.concatenate([groups[0], groups[1] + counts[0]])
    wins, pairs = np.zeros((counts[1], counts[0])), np.zeros((counts[1], counts[0]))
    folds = StratifiedGroupKFold(min(FOLDS, *counts), shuffle=True, random_state=seed)
    for train, test in folds.split(vectors, labels, songs):
        scores = _classifier().fit(vectors[train], labels[train]).decision_function(vectors[test])
        first, second = test[labels[test] == 1], test[labels[test] == 0]
        high, low = scores[labels[test] == 1][:, None], scores[labels[test] == 0]
        where = (songs[first] - counts[0])[:, None], songs[second]
        np.add.at(wins, where, (high > low) + 0.5 * (high == low))
        np.add.at(pairs, where, 1.0)
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), size=1_000).astype(float) for n in (counts[1], counts[0])]
    above, below = (np.einsum("si,ij,sj->s", drawn[0], each, drawn[1], optimize=True) for each in (wins, pairs))
    ends = np.quantile(above[below > 0] / below[below > 0], [0.025, 0.975])
    return {
        "value": float(wins.sum() / pairs.sum()),
        "low": float(ends[0]),
        "high": float(ends[1]),
        "n": len(groups[1]),
    }


def _classifier() -> Any:
    """Return the classifier: strongly regularised, for there are more features than lines."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=300))


def strongest(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the AUC of the judge that recognises a writer best, with its ``judge``; None if it was not measured."""
    return max(_measured(found), key=lambda each: each["value"], default=None)


def passes(found: Mapping[str, Any]) -> bool:
    """Return whether written lines are not recognisable as generated: for every judge the interval ends below `RECOGNISABLE`."""
    known = _measured(found)
    return bool(known) and all(each["high"] < RECOGNISABLE for each in known)


def _measured(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the AUC of each judge that measured one."""
    judges = found.get("judges", {}).items()
    return [{"judge": name, **each["recognised"]} for name, each in judges if each.get("recognised")]


def judges_of_lines(training: Sequence[str], language: str, seed: int = 0) -> list[Judge]:
    """Return the judges that can be had: the pretrained one (of English) if it is in the cache, and that of n-grams."""
    from lyrist.models import fetch

    found: list[Judge] = []
    try:
        if language == "en" and fetch.cached(PRETRAINED):
            found.append(Pretrained(PRETRAINED))
    except LyristError:  # the cache is damaged: as if there was none
        pass
    return [*found, Counts(training, language, seed)]


def _shuffled(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random order that is not the given one."""
    while True:
        order = rng.permutation(n)
        if (order != np.arange(n)).any():
            return order


def _ratio(above: Sequence[int], below: Sequence[int]) -> dict[str, Any] | None:
    kept = [(a, b) for a, b in zip(above, below, strict=True) if b]
    if not kept:
        return None
    first, second = zip(*kept, strict=True)
    low, high = bootstrap_ratio(first, second)
    return {"value": sum(first) / sum(second), "low": low, "high": high, "n": sum(second)}


def _mean(values: NDArray[np.float64]) -> dict[str, Any]:
    low, high = bootstrap_mean(values)
    return {"value": float(values.mean()), "low": low, "high": high, "n": len(values)}
