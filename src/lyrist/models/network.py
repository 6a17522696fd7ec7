"""Base class of the neural text classifiers: options, embedding, pooling, loss.

Every network is a `transformers.PreTrainedModel`, so a directory with ``config.json`` and ``model.safetensors`` opens with
``AutoModelForSequenceClassification.from_pretrained``. Padding is masked in every pooling, convolution and recurrence, so the
scores of a song do not depend on its batch. The only exception is `TextConfig.as_reported`, which repeats a published mistake to
show its cost.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging

from lyrist.models.configuration import FRESH_SIZE, TextConfig
from lyrist.models.inputs import ARTIST_NUMBER, with_artist
from lyrist.models.memory import DataSize, of_network
from lyrist.models.registry import Shape, option

SEVERAL = "multi_label_classification"
"""The ``problem_type`` in ``config.json`` of a network that predicts several labels a song, as in transformers."""

SPREAD = 0.3
"""Standard deviation of random word vectors."""

Pooling = Literal["last", "mean", "max", "attention", "mean-max"]


@dataclass(frozen=True)
class TokenOptions:
    """Options of tokenization."""

    min_count: int = option(2, "smallest number of occurrences of a word (or subword) of the vocabulary")
    max_words: int = option(20_000, "largest size of the vocabulary")
    max_length: int = option(600, "truncate songs to this number of tokens")
    tokens: Literal["words", "subwords"] = option("words", "words, or subwords by byte-pair encoding")
    punctuation: bool = option(True, "keep punctuation marks as tokens")
    newlines: bool = option(True, "keep line ends as tokens")
    drop_words: bool = option(False, "remove function words (the, you, don't ...)")


@dataclass(frozen=True)
class NetworkOptions(TokenOptions):
    """Options common to all networks that are trained from scratch."""

    embedding: str = option(
        "fresh", "'fresh' (random), or a file of word vectors in GloVe or word2vec text format, also .gz"
    )
    embedding_size: int | None = option(None, "size of word vectors (default: 128, or that of the file)")
    freeze_embedding: bool = option(False, "do not update the word vectors in training")
    dropout: float = option(0.3, "dropout rate")
    word_dropout: float = option(0.1, "share of the words that are replaced by the unknown word in training")
    label_smoothing: float = option(0.0, "label smoothing: share of the target spread evenly over all classes")
    balance: float = option(0.0, "class weights: 0 draws every song alike, 1 every class")
    features: str = option(
        "none",
        "columns beside the lyrics, separated by commas: 'artist' adds a learnt vector of the artist, others such as "
        "'year,language' a layer of their values; 'artist-number', a published mistake, one integer",
    )
    artist_size: int = option(32, "size of artist vectors")
    artist_dropout: float = option(
        0.3, "share of the songs whose artist is hidden in training, so that the model also works for unknown artists"
    )
    as_reported: bool = option(
        False, "repeat a published mistake: padding is read like words, and a recurrent network is read after it"
    )
    pad_left: bool = option(False, "with --as-reported, padding precedes the song")
    pad_batch: bool = option(
        False, "with --as-reported, pad to the longest song of a batch: the scores of a song depend on its batch"
    )

    schedule: ClassVar[Mapping[str, Any]] = {}
    """Defaults of the training schedule for this recipe."""

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of a fit, in bytes."""
        units = getattr(self, "channels", 0) * len(getattr(self, "kernels", "1"))
        units += getattr(self, "hidden", 0) * (1 + getattr(self, "bidirectional", False))
        return of_network(
            size,
            max_words=self.max_words,
            max_length=self.max_length,
            width=self.embedding_size or FRESH_SIZE,
            units=units,
            layers=getattr(self, "layers", 1),
        )


def common(options: NetworkOptions, shape: Shape, recipe: str) -> dict[str, Any]:
    """Return the arguments of a `TextConfig` that follow from the options and from the data."""
    names = {field.name for field in dataclasses.fields(TextConfig)}
    given = {key: value for key, value in dataclasses.asdict(options).items() if key in names}
    return given | {
        "vocab_size": shape.vocabulary,
        "pad_token_id": shape.padding,
        "embedding_size": options.embedding_size or FRESH_SIZE,
        "artist_count": shape.artists if with_artist(options.features) else 0,
        "column_count": shape.columns,
        "artist_number": options.features == ARTIST_NUMBER,
        "id2label": dict(enumerate(shape.labels)),
        "label2id": {label: number for number, label in enumerate(shape.labels)},
        "recipe": recipe,
    }


class TextClassifier(PreTrainedModel):
    """Base class of the text classifiers; subclasses implement `summarise`."""

    config_class = TextConfig
    base_model_prefix = "network"
    accepts_loss_kwargs = True
    """The loss is divided by ``num_items_in_batch`` if the training loop passes it, so that several processes or
    accumulated batches give the same gradient as one large batch."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        padding = None if config.as_reported else config.pad_token_id  # read like a word, it is learnt like one
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=padding)
        nn.init.normal_(self.embedding.weight, std=SPREAD)
        if config.pad_token_id is not None:
            nn.init.zeros_(self.embedding.weight.data[config.pad_token_id])
        self.embedding.weight.requires_grad_(not config.freeze_embedding)
        self.dropout = nn.Dropout(config.dropout)
        if config.artist_count:
            self.artist_embedding = nn.Embedding(config.artist_count, config.artist_size)
            nn.init.normal_(self.artist_embedding.weight, std=config.artist_size**-0.5)
        if config.column_count:
            self.column_layer = nn.Linear(config.column_count, config.artist_size)

    def add_head(self, size: int) -> None:
        """Add the output layer on ``size`` features and, if it is an input, the artist's vector."""
        extra = self.config.artist_size if self.config.artist_count else int(self.config.artist_number)
        extra += self.config.artist_size if self.config.column_count else 0
        self.head = nn.Linear(size + extra, len(self.config.id2label or {}))
        self.post_init()  # type: ignore[no-untyped-call]

    def summarise(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return one vector per song, (batch, size), from word vectors and their mask.

        ``vectors`` is (batch, time, embedding), ``mask`` (batch, time).
        """
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        artist_ids: Tensor | None = None,
        column_values: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Return the logits (batch, classes), and the mean cross-entropy in nats if ``labels`` are passed.

        Parameters
        ----------
        input_ids
            Token ids, (batch, time), padded on the right.
        attention_mask
            1 for a token, 0 for padding; by default 1 for every id except that of the padding token.
        artist_ids
            (batch,), 0 for an unknown artist; by default all are unknown. Used if the artist is an input.
        column_values
            Features of other columns, (batch, columns); by default 0. Used if such columns are an input.
        labels
            Class numbers, (batch,); with several labels a song 0 and 1 for each, (batch, classes).
        inputs_embeds
            Word vectors instead of ``input_ids``, for explanations by gradients.
        num_items_in_batch
            Divisor of the summed loss, instead of the number of songs in this batch.
        """
        given = input_ids if inputs_embeds is None else inputs_embeds
        if given is None:
            raise ValueError("input_ids or inputs_embeds is needed")
        mask = self._mask(given, attention_mask)
        features = self._read_padding(given, mask) if self.config.as_reported and inputs_embeds is None else None
        if features is None:
            vectors = self.embedding(self._drop_words(given, mask)) if inputs_embeds is None else inputs_embeds
            if self.config.as_reported:
                vectors, mask = self._with_padding(vectors, mask)
            features = self.summarise(self.dropout(vectors), mask)
        if self.config.artist_number:
            numbers = torch.zeros(len(features)) if artist_ids is None else artist_ids.to(features.dtype)
            features = torch.cat([features, numbers.to(features.device).unsqueeze(-1)], dim=-1)
        elif self.config.artist_count:
            features = torch.cat([features, self._artist(artist_ids, features)], dim=-1)
        if self.config.column_count:
            if column_values is None:
                column_values = torch.zeros(len(features), self.config.column_count, device=features.device)
            own = functional.relu(self.column_layer(column_values.to(features.dtype)))
            features = torch.cat([features, own], dim=-1)
        logits = self.head(self.dropout(features)).float()
        return SequenceClassifierOutput(
            loss=None if labels is None else self._loss(logits, labels, num_items_in_batch), logits=logits
        )

    def _mask(self, given: Tensor, attention_mask: Tensor | None) -> Tensor:
        if attention_mask is not None:
            mask = attention_mask.bool()
        elif given.dim() == 2:
            mask = given != self.config.pad_token_id
        else:
            mask = torch.ones(given.shape[:2], dtype=torch.bool, device=given.device)
        # A text without any token is treated as one padding token, whose vector is zero.
        return torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], dim=1)

    def _read_padding(self, ids: Tensor, mask: Tensor) -> Tensor | None:
        """Return what `summarise` returns for padded songs, where there is a faster way; else None."""
        return None

    def _with_padding(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors with padding that is read like words, and a mask without padding."""
        time = max(self.config.pad_to, vectors.shape[1])
        lengths = mask.sum(dim=1, keepdim=True)
        place = torch.arange(time, device=mask.device).unsqueeze(0)
        place = place - (time - lengths) if self.config.pad_left else place.expand(len(mask), -1)
        word = (place >= 0) & (place < lengths)
        size = vectors.shape[-1]
        moved = vectors.gather(1, place.clamp(0, vectors.shape[1] - 1).unsqueeze(-1).expand(-1, -1, size))
        padding = self.embedding.weight[self.config.pad_token_id or 0]
        return torch.where(word.unsqueeze(-1), moved, padding), torch.ones_like(word)

    def _drop_words(self, ids: Tensor, mask: Tensor) -> Tensor:
        if not self.training or not self.config.word_dropout:
            return ids
        dropped = torch.rand(ids.shape, device=ids.device) < self.config.word_dropout
        return ids.masked_fill(dropped & mask, self.config.unk_token_id)

    def _artist(self, ids: Tensor | None, features: Tensor) -> Tensor:
        if ids is None:
            ids = torch.zeros(len(features), dtype=torch.long, device=features.device)
        if self.training:
            ids = ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.config.artist_dropout, 0)
        vectors: Tensor = self.artist_embedding(ids)
        return vectors.to(features.dtype)

    def _loss(self, logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
        smoothing = self.config.label_smoothing if self.training else 0.0
        if self.config.problem_type == SEVERAL:
            # The library counts a number for each label of a song.
            divisor = len(labels) if items is None else items / labels.shape[1]
            target = labels * (1 - smoothing) + smoothing / 2
            return functional.binary_cross_entropy_with_logits(logits, target, reduction="sum") / divisor
        total = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")
        return total / (len(labels) if items is None else items)

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embedding layer."""
        return self.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the embedding layer."""
        self.embedding = value  # type: ignore[assignment]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights of the constructors: the library's default (normal, 0.02) is meant for transformers."""


def initialise(model: nn.Module, library: Literal["torch", "keras"]) -> None:
    """Draw all weights again by the defaults of a library, as a plain program of its users has them.

    PyTorch: each layer's own ``reset_parameters``. Keras: word vectors uniform within 0.05, Glorot-uniform matrices, orthogonal
    recurrent ones, biases of zero except those of an LSTM's forget gate, which are 1; an LSTM has one bias a gate (a GRU two), so
    the second one of PyTorch is kept at zero.
    """
    for module in model.modules():
        if library == "torch":
            draw: Any = getattr(module, "reset_parameters", None)
            if draw:
                draw()
        elif isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.05, 0.05)
        elif isinstance(module, nn.RNNBase):
            for name, weights in module.named_parameters():
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(weights)
                elif name.startswith("weight_hh"):
                    nn.init.orthogonal_(weights.data.T)
                else:
                    nn.init.zeros_(weights)
                    if name.startswith("bias_hh") and not isinstance(module, nn.GRU):
                        weights.requires_grad_(False)
                    elif isinstance(module, nn.LSTM):
                        weights.data[module.hidden_size : 2 * module.hidden_size] = 1.0
        elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Pool(nn.Module):
    """Pooling from states (batch, time, size) and their mask to one vector per song, without padding."""

    def __init__(self, kind: Pooling, size: int) -> None:
        super().__init__()
        self.kind = kind
        self.size = 2 * size if kind == "mean-max" else size
        if kind == "attention":
            self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return (batch, `size`)."""
        if self.kind == "mean":
            return masked_mean(states, mask)
        if self.kind == "max":
            return masked_max(states, mask)
        if self.kind == "mean-max":
            return torch.cat([masked_mean(states, mask), masked_max(states, mask)], dim=-1)
        if self.kind == "attention":
            scores = self.score(states).squeeze(-1).float().masked_fill(~mask, float("-inf"))
            weighted: Tensor = (states * scores.softmax(dim=1).unsqueeze(-1).to(states.dtype)).sum(dim=1)
            return weighted
        return last(states, mask)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the time steps that are not padding."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def masked_max(states: Tensor, mask: Tensor) -> Tensor:
    """Return the maximum over the time steps that are not padding."""
    return states.masked_fill(~mask.unsqueeze(-1), float("-inf")).amax(dim=1)


def last(states: Tensor, mask: Tensor) -> Tensor:
    """Return the state at the last time step that is not padding."""
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]


def reversed_in_length(states: Tensor, mask: Tensor) -> Tensor:
    """Return each sequence reversed within its own length; padding stays at the end.

    A recurrence over the result reads a song backwards without its padding. ``pack_padded_sequence`` does the same but is
    three times slower on a CPU.
    """
    time = torch.arange(states.shape[1], device=states.device).unsqueeze(0)
    lengths = mask.sum(dim=1, keepdim=True)
    order = torch.where(time < lengths, lengths - 1 - time, time)
    return states.gather(1, order.unsqueeze(-1).expand_as(states))


def fast_bf16(device: torch.device) -> bool:
    """Return whether a device computes in bf16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_tile"))


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Silence `transformers`: no progress bars and no messages except errors."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
