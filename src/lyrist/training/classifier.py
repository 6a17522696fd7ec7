"""`NeuralClassifier`: a network as a scikit-learn classifier of lyrics.

The vocabulary, the artists and the best step are determined only by the arguments of ``fit``. Without a validation set, ``fit``
holds out a tenth of the songs to select the best step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from lyrist.errors import LyristError
from lyrist.models import auto, embeddings, registry, transformer
from lyrist.models.calibration import softmax
from lyrist.models.columns import ColumnFeatures
from lyrist.models.hub import open_network, open_tokenizer
from lyrist.models.inputs import (
    ARTIST_NUMBER,
    artists_of,
    column_of,
    encoded,
    labels_of,
    lyrics_of,
    names_of,
    with_artist,
)
from lyrist.models.inputs import songs as as_table
from lyrist.models.least_squares_svm import ClassWeight, Floats, song_weights
from lyrist.models.network import SEVERAL, hushed
from lyrist.models.registry import Shape
from lyrist.models.songclassifier import ScoringClassifier
from lyrist.training import tokens
from lyrist.training.batches import IGNORED, TokenExamples, in_order_of_length
from lyrist.training.estimators import configure
from lyrist.training.loop import Outcome, seeded, train
from lyrist.training.schedule import Schedule, device_for, threads

HELD_OUT = 0.1
"""Share of the training songs that is held out to select the best step if there is no validation set."""


@dataclass(eq=False, repr=False)
class NeuralClassifier(ScoringClassifier):
    """A neural recipe as a scikit-learn classifier of lyrics.

    With several labels a song, each has a sigmoid and the loss is the sum of their binary cross-entropies.

    Parameters
    ----------
    recipe
        The name of a neural recipe.
    options
        Options of the recipe and of the `Schedule`, by name; strings are converted as on the command line.
    random_state
        Seed of the initial weights, the order of the songs, dropout and the held-out songs.
    class_weight
        Class weights: None or 0 draws every song alike, 1 or ``balanced`` every class, or a dict of weights. The option
        ``balance`` of the recipe is the same; this parameter takes precedence.
    folder
        The folder for ``metrics.jsonl`` and checkpoints during the fit; None: none are written.
    resume
        Continue from the checkpoint in ``folder``.

    Attributes
    ----------
    classes_ : (k,) array
        The labels, sorted, of the type of ``y``; texts after `load`.
    model_ : PreTrainedModel
        The fitted network.
    tokenizer_ : PreTrainedTokenizerFast
        The tokenizer of the network.
    outcome_ : Outcome
        Figures of the training (absent after `load`).
    coverage_ : dict
        The share of the vocabulary in the file of word vectors; empty for random vectors.
    """

    multilabel: ClassVar[bool] = True

    recipe: str = "lstm"
    options: Mapping[str, Any] | None = None
    random_state: int = 0
    folder: Path | None = None
    resume: bool = False
    class_weight: ClassWeight = None

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, validation: tuple[Any, Any] | None = None
    ) -> NeuralClassifier:
        """Fit on songs ``X`` and their labels ``y``.

        Parameters
        ----------
        X
            n lyrics, or a table with the column ``lyrics`` (and ``artist``, if it is a feature).
        y
            n labels, at least two different ones; or 0 and 1 in a column for each of several labels.
        sample_weight
            The weight of each song, none negative: songs are drawn in proportion to it, and songs with weight 0 are left out.
        validation
            Songs and labels to select the best step; by default a random tenth of the training songs is held out. Songs with
            a label that is not among the training labels are ignored.

        Raises
        ------
        UsageError
            An option is unknown or has a wrong value.
        LyristError
            There is only one label, or there are no words, or a file of vectors is damaged.
        """
        recipe, options, schedule = self._configured()
        songs = _Songs.of(self._read(X, fitting=True), options)
        self.classes_, target = encoded(y, len(songs))
        self._note_kind(target.ndim == 2)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, target, dtype=np.float32, ensure_non_negative=True)
            if len(some := np.flatnonzero(weights)) < len(weights):
                songs, weights = songs.at(some), weights[some]
                if self.multilabel_:
                    target = target[some]
                else:
                    self.classes_, target = encoded(self.classes_[target[some]], len(some))
        balance = self.class_weight if self.class_weight is not None else options.balance
        if balance and not self.multilabel_:
            own = np.ones(len(target), np.float32) if weights is None else weights
            weights = song_weights(target, self.classes_, balance, own)
        if validation is None:
            kept, held = hold_out(target, self.random_state)
        else:
            held_songs, of_held = _Songs.of(validation[0], options), self._targets(validation[1])
            known = np.arange(len(of_held)) if self.multilabel_ else np.flatnonzero(of_held >= 0)
            held, kept = known + len(songs), np.arange(len(songs))
            songs, target = songs.joined(held_songs), np.concatenate([target, of_held])
        self._fit(recipe, options, schedule, songs, target, kept, held, None if weights is None else weights[kept])
        return self

    def _configured(self) -> tuple[registry.Recipe, Any, Schedule]:
        """Return the recipe, its options and the schedule."""
        recipe, options, schedule = configure(self.recipe, self.options, self.random_state)
        if recipe.family != "neural":
            raise LyristError(f"The recipe '{recipe.name}' is not a network; make_estimator builds it.")
        return recipe, options, schedule

    def _fit(
        self,
        recipe: registry.Recipe,
        options: Any,
        schedule: Schedule,
        songs: _Songs,
        target: NDArray[np.int64],
        kept: NDArray[np.int64],
        held: NDArray[np.int64],
        weights: Floats | None = None,
    ) -> None:
        """Build the network for these songs and train it."""
        training = songs.at(kept)
        self._build(recipe, options, schedule.seed, training)
        examples, validation = self._examples(training, target[kept]), self._examples(songs.at(held), target[held])
        examples.weights = weights
        bucketed = not getattr(options, "as_reported", False)
        self.outcome_: Outcome = train(
            self.model_, examples, validation if len(validation) else None, schedule,
            folder=self.folder, resume=self.resume, bucketed=bucketed, title=recipe.name,
        )  # fmt: skip

    def _build(self, recipe: registry.Recipe, options: Any, seed: int, training: _Songs) -> None:
        """Build the tokenizer and the network for these training songs."""
        with hushed(), seeded(seed):
            pretrained = isinstance(options, transformer.EncoderOptions)
            self.tokenizer_ = transformer.tokenizer(options) if pretrained else tokens.learn(training.lyrics, options)
            self.artists_ = ["", *sorted(set(training.artists or []) - {""})] if not pretrained else []
            vectors = None
            if getattr(options, "embedding", "fresh") != "fresh":
                vectors = embeddings.read(Path(options.embedding), self.tokenizer_.get_vocab(), options.embedding_size)
                options = dataclasses.replace(options, embedding_size=vectors.size)
            self.coverage_ = vectors.coverage if vectors else {}
            artists = len(self.artists_) if training.artists is not None else 0
            padding = self.tokenizer_.pad_token_id or 0
            self.columns_ = ColumnFeatures(tuple(training.others)).fit(training.table) if training.others else None
            columns = sum(width for _, width in self.columns_.widths()) if self.columns_ else 0
            shape = Shape(len(self.tokenizer_), padding, tuple(map(str, self.classes_)), columns, artists)
            self.model_: PreTrainedModel = recipe.build(options, shape)
            if vectors:
                vectors.place(self.model_)
        if self.multilabel_:
            self.model_.config.problem_type = SEVERAL
        self._describe(recipe.name, options, artists)

    def _describe(self, recipe: str, options: Any, artists: int) -> None:
        """Store in the configuration what `load` needs in addition to the sizes of the network."""
        config: Any = self.model_.config
        config.recipe = recipe
        config.features = options.features
        config.artists = self.artists_ if artists else None
        if self.columns_ is not None:
            config.columns = {
                "columns": list(self.columns_.columns), "kinds": self.columns_.kinds_,
                "knots": [knots.tolist() for knots in self.columns_.knots_],
                "values": [values.tolist() for values in self.columns_.values_],
            }  # fmt: skip

    def build(self, X: Any, y: Any) -> TokenExamples:
        """Build the tokenizer and the network for the songs ``X`` and labels ``y``; return the training examples, untrained."""
        recipe, options, schedule = self._configured()
        songs = _Songs.of(self._read(X, fitting=True), options)
        self.classes_, target = encoded(y, len(songs))
        self._note_kind(target.ndim == 2)
        self._build(recipe, options, schedule.seed, songs)
        return self._examples(songs, target)

    def examples(self, X: Any, y: Any) -> TokenExamples:
        """Return songs as examples of the network; a label that training lacks has the number `IGNORED`."""
        return self._examples(_Songs.of(X, self.model_.config), self._targets(y))

    def _targets(self, y: Any) -> NDArray[np.int64]:
        """Return the class of each song, `IGNORED` for a label that training lacks; or 0 and 1 for each of several labels."""
        if self.multilabel_:
            return np.asarray(y, dtype=np.int64)
        number = {label: place for place, label in enumerate(self.classes_.tolist())}
        return np.array([number.get(label, IGNORED) for label in labels_of(y).tolist()], dtype=np.int64)

    def predict_proba(self, X: Any, batch_size: int = 64) -> NDArray[np.float64]:
        """Return the probabilities, (n, k), of the classes in the order of `classes_`; of one label a song, rows sum to 1.

        They depend on ``batch_size`` only by rounding.
        """
        check_is_fitted(self)
        logits = self._scores(self._read(X), batch_size)
        return np.asarray(expit(logits.astype(np.float64))) if self.multilabel_ else softmax(logits)

    def tokens_read(self, X: Any) -> NDArray[np.int64]:
        """Return for each song the number of tokens that the network reads, and the number that it has, shape (n, 2)."""
        check_is_fitted(self, "model_")
        texts = lyrics_of(self._read(X))
        encoded_texts = (
            self.tokenizer_(texts, truncation=False, padding=False, verbose=False)["input_ids"] if texts else []
        )
        every = np.array([max(len(ids), 1) for ids in encoded_texts], dtype=np.int64)
        return np.stack([np.minimum(every, self.tokenizer_.model_max_length), every], axis=1)

    @property
    def _head(self) -> nn.Linear | None:
        """The output layer; None if the network has more than one layer there."""
        heads = [getattr(self.model_, name, None) for name in ("head", "classifier")]
        return next((head for head in heads if isinstance(head, nn.Linear)), None)

    @property
    def represents(self) -> bool:
        """Whether texts have a representation."""
        return self._head is not None

    def represent(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
        """Return the representation of each text, (texts, size), and the number of its tokens.

        It is the input of the output layer, scaled to length 1, so that a dot product is a cosine. No text may be empty.
        """
        head, found = self._head, list[torch.Tensor]()
        assert head is not None  # noqa: S101 - `represents` is true
        hook = head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        try:
            for text in texts:
                self.predict_proba(as_table([text], [""]))
        finally:
            hook.remove()
        vectors = nn.functional.normalize(torch.cat(found).float(), dim=-1).cpu().numpy()
        return vectors, [len(self.tokenizer_(text).input_ids) for text in texts]

    def _scores(self, X: Any, batch_size: int = 64) -> NDArray[np.float32]:
        """Return the logits, float32 (n, k)."""
        examples = self._examples(_Songs.of(X, self.model_.config), None)
        logits = np.zeros((len(examples), len(self.classes_)), dtype=np.float32)
        where = device_for("auto")
        model = self.model_.to(where).eval()  # type: ignore[arg-type]
        with torch.inference_mode(), threads(self.model_):
            for rows in in_order_of_length(examples, batch_size):
                batch = {name: value.to(where) for name, value in examples.collate(rows).items()}
                logits[rows] = model(**batch).logits.float().cpu().numpy()
        return logits

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` as a Hugging Face directory: configuration, weights, tokenizer."""
        check_is_fitted(self, "model_")
        if self.multilabel_:
            self.model_.config.thresholds = [float(limit) for limit in self.thresholds_]
        with hushed():
            self.model_.to("cpu").save_pretrained(folder)  # type: ignore[arg-type]
            self.tokenizer_.save_pretrained(str(folder))

    @classmethod
    def load(cls, folder: Path, recipe: str | None = None) -> NeuralClassifier:
        """Open what `save` wrote, or any text classifier of `transformers` with a fast tokenizer.

        Parameters
        ----------
        folder
            Where it was written.
        recipe
            The recipe that ``run.json`` names; None: the one that ``config.json`` names.

        Raises
        ------
        LyristError
            A file is missing, damaged or does not match the others.
        """
        auto.register()
        own = recipe is not None and not registry.is_pretrained(recipe)
        model, tokenizer = open_network(AutoModelForSequenceClassification, folder, own=own), open_tokenizer(folder)
        config: Any = model.config
        found = cls(getattr(config, "recipe", "") or "encoder")
        if recipe not in (None, found.recipe):
            raise LyristError(f"{folder} holds a network of the recipe '{found.recipe}', but run.json says '{recipe}'.")
        found.model_, found.tokenizer_ = model, tokenizer
        found.classes_ = np.array([config.id2label[place] for place in range(config.num_labels)], dtype=object)
        found.multilabel_ = config.problem_type == SEVERAL
        if found.multilabel_:
            found.thresholds_ = np.array(getattr(config, "thresholds", None) or [0.5] * len(found.classes_))
        found.artists_ = getattr(config, "artists", None) or []
        found.columns_ = _columns_of(getattr(config, "columns", None))
        found.coverage_ = {}
        return found

    def parameters(self) -> int:
        """Return the number of parameters of the network."""
        check_is_fitted(self, "model_")
        return sum(weights.numel() for weights in self.model_.parameters())

    def _examples(self, songs: _Songs, target: NDArray[np.int64] | None) -> TokenExamples:
        numbers, pairs = None, None
        if songs.artists is not None and self.artists_:
            number = {name: place for place, name in enumerate(self.artists_)}
            numbers = np.array([number.get(name, 0) for name in songs.artists], dtype=np.int64)
        elif songs.artists is not None:
            pairs = songs.artists
        ids = tokens.encode(self.tokenizer_, songs.lyrics, self.tokenizer_.model_max_length, pairs)
        labels = target if target is None or target.ndim == 1 else target.astype(np.float32)
        others = None if self.columns_ is None else self.columns_.transform(songs.table).toarray()
        return TokenExamples(ids, self.tokenizer_.pad_token_id or 0, labels, numbers, others)


def _columns_of(stored: Any) -> ColumnFeatures | None:
    """Return what turns other columns into features, from the configuration of a network.

    Raises
    ------
    LyristError
        The configuration is damaged.
    """
    if not stored:
        return None
    try:
        found = ColumnFeatures(tuple(map(str, stored["columns"])))
        found.kinds_ = [str(kind) for kind in stored["kinds"]]
        found.knots_ = [np.array(knots, dtype=np.float64) for knots in stored["knots"]]
        found.values_ = [np.array(values, dtype=np.str_) for values in stored["values"]]
        found.shown_names()
    except (KeyError, TypeError, ValueError) as error:
        raise LyristError(f"config.json is damaged (columns: {error}); train the model again.") from None
    return found


@dataclasses.dataclass(frozen=True)
class _Songs:
    """Lyrics, and artists if they are an input."""

    lyrics: list[str]
    artists: list[str] | None
    others: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """The values of other columns that are inputs."""

    @classmethod
    def of(cls, X: Any, options: Any) -> _Songs:
        """Return the lyrics and, if the artist is an input, the artists of ``X``."""
        features = getattr(options, "features", "none")
        artists = artists_of(X) if with_artist(features) or features == ARTIST_NUMBER else None
        return cls(lyrics_of(X), artists, {name: column_of(X, name) for name in names_of(features)})

    @property
    def table(self) -> Any:
        """The other columns as a table."""
        return as_table(self.lyrics, None, self.others)

    def __len__(self) -> int:
        return len(self.lyrics)

    def at(self, rows: NDArray[np.int64]) -> _Songs:
        artists = None if self.artists is None else [self.artists[row] for row in rows]
        others = {name: [values[row] for row in rows] for name, values in self.others.items()}
        return _Songs([self.lyrics[row] for row in rows], artists, others)

    def joined(self, other: _Songs) -> _Songs:
        artists = None if self.artists is None else self.artists + (other.artists or [])
        others = {name: values + other.others[name] for name, values in self.others.items()}
        return _Songs(self.lyrics + other.lyrics, artists, others)


def hold_out(target: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return training rows and held-out rows: about a tenth of each class, at least one, but never its only song.

    With several labels a song, they are a tenth of all songs.
    """
    rng = np.random.default_rng((seed, 1))
    if target.ndim == 2:
        rows = rng.permutation(len(target))
        held_out = min(max(1, round(HELD_OUT * len(rows))), len(rows) - 1)
        return np.sort(rows[held_out:]), np.sort(rows[:held_out])
    held: list[NDArray[np.int64]] = []
    for number in np.unique(target):
        rows = rng.permutation(np.flatnonzero(target == number))
        count = min(max(1, round(HELD_OUT * len(rows))), len(rows) - 1)
        held.append(rows[:count])
    chosen = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(target)), chosen), chosen
