"""The base class of Lyrist's language models, their common options, and the state of models without attention.

A language model for lyrics (a "writer") is a `transformers.PreTrainedModel` with ``generate`` over the sequence ``[BOS]
[conditions] lyrics [EOS]``. Differences from the usual design:

- The output layer has rows only for tokens of lyrics and the end. Padding, BOS and conditions have probability 0 by design.
- The loss is computed only at labelled positions and in slices, so padding and long songs cost no memory.
- A model with a recurrent state instead of keys and values returns it as ``past_key_values``, with the methods of the cache of
  transformers, so that generation, beam search and batches work as with attention.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from lyrist.errors import UsageError
from lyrist.models.configuration import LyricsConfig
from lyrist.models.registry import option

IMPOSSIBLE = -1e4
"""Logit of tokens that are never predicted. Finite, for samplers and lower precisions."""

SLICE = 2**24
"""Number of logits in memory at once when only losses are computed: 64 MB of float32."""

IGNORED = -100
"""Label of positions that are not scored."""


@dataclass(frozen=True)
class WriterOptions:
    """Options common to all language models that Lyrist trains with its own tokenizer."""

    vocabulary: int = option(
        4096, "largest vocabulary of the byte-pair encoding, which is learnt from the training songs"
    )
    context: int = option(1024, "context length in tokens; longer songs are split into overlapping windows")
    min_tokens: int = option(0, "drop songs with fewer tokens (0: none)")
    max_tokens: int = option(0, "drop songs with more tokens (0: none)")
    sections: bool = option(
        False, "encode section headers such as [Chorus] as single tokens (prepare the corpus with headers kept)"
    )
    condition_dropout: float = option(
        0.1, "probability of hiding each condition of a training song, so that the model also works without conditions"
    )
    validation_songs: int = option(
        128, "largest number of validation songs for the selection of the best step (0: all)"
    )
    layout: Literal["songs", "packed", "padded"] = option(
        "songs",
        "songs: batches of whole songs of similar length; packed: several songs per block with separate attention; "
        "padded: each song truncated or padded to 300 tokens",
    )

    schedule: ClassVar[Mapping[str, Any]] = {}
    """Defaults of the training schedule for this recipe."""

    def __post_init__(self) -> None:
        if self.vocabulary < 260:
            raise UsageError(
                f"--vocabulary must be at least 260 (256 bytes and 4 special tokens), got {self.vocabulary}."
            )
        if self.context < 16:
            raise UsageError(f"--context must be at least 16 tokens, got {self.context}.")
        if min(self.min_tokens, self.max_tokens) < 0 or 0 < self.max_tokens < self.min_tokens:
            raise UsageError(
                f"--min-tokens {self.min_tokens} and --max-tokens {self.max_tokens} keep no song; "
                "the first number must not be negative or larger than the second."
            )
        if not 0 <= self.condition_dropout < 1:
            raise UsageError(f"--condition-dropout must be at least 0 and less than 1, got {self.condition_dropout}.")


@dataclass(frozen=True)
class WriterShape:
    """The properties of a language model that depend on the data."""

    vocabulary: int
    """Number of token ids, conditions included."""
    padding: int
    bos: int
    eos: int
    context: int
    """Context length in tokens, conditions included."""
    lyrics: int = 0
    """Ids from this one on are conditions, which are never predicted (0: there are none)."""


def common(options: Any, shape: WriterShape, recipe: str, config: type[LyricsConfig]) -> dict[str, Any]:
    """Return the arguments of a configuration that follow from the options and from the data."""
    names = {field.name for field in dataclasses.fields(config)}
    given = {key: value for key, value in dataclasses.asdict(options).items() if key in names}
    return given | {
        "vocab_size": shape.vocabulary,
        "lyrics_size": shape.lyrics or shape.vocabulary,
        "pad_token_id": shape.padding,
        "bos_token_id": shape.bos,
        "eos_token_id": shape.eos,
        "context": shape.context,
        "recipe": recipe,
    }


class Read(NamedTuple):
    """The inputs of the hidden states, for models with a pointer to the song so far."""

    input_ids: Tensor
    attention_mask: Tensor | None
    song_ids: Tensor | None
    past: Any


class State(abc.ABC):
    """The state of a model without attention.

    Methods have the names of transformers' ``DynamicCache``.
    """

    is_compileable = False
    joins = False
    """Whether songs of different lengths can be joined into one batch (`join`, and `columns` and `trim` with a mask)."""

    @abc.abstractmethod
    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of tokens read, padding included."""

    @abc.abstractmethod
    def select(self, rows: Tensor) -> None:
        """Keep the songs ``rows`` (indices, which may repeat), in this order, in place."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of songs."""

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the songs ``indices``."""
        self.select(indices)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Reorder the songs by beam."""
        self.select(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each song ``repeats`` times."""
        self.select(torch.arange(len(self)).repeat_interleave(repeats))

    def join(self, other: Any) -> None:
        """Append the songs of another state of the same model, in place."""
        raise NotImplementedError

    def columns(self) -> int | None:
        """Return the number of columns of the attention mask; None if there is no mask."""
        return None

    def trim(self, kept: int) -> None:
        """Keep only the last ``kept`` columns, in place."""
        raise NotImplementedError


class LyricsModel(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """Base class of the language models; subclasses implement `states` and `logits`."""

    config_class = LyricsConfig
    base_model_prefix = "network"
    main_input_name = "input_ids"
    accepts_loss_kwargs = True
    """The loss is divided by ``num_items_in_batch`` if the training loop passes it."""
    loss_only = False
    """Do not return logits if there are labels: the training loop needs only the loss."""

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        song_ids: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the hidden states (batch, time, size) of ``input_ids``, and the cache.

        Parameters
        ----------
        input_ids
            (batch, time).
        attention_mask
            (batch, past + time), 1 for a token, 0 for padding on either side; None: all are tokens.
        past_key_values
            The cache of an earlier call.
        use_cache
            Whether to return a cache; else the second value is None.
        song_ids
            Only for blocks of several songs, (batch, time): the song of the block that a token belongs to, 0 for none. The
            states of a song must be equal to those of the song alone.
        """
        raise NotImplementedError

    def logits(self, states: Tensor) -> Tensor:
        """Return float32 logits (..., lyrics) for hidden states (..., size); `IMPOSSIBLE` for padding and BOS."""
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        song_ids: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Return the logits of the next token at each position and, if labels are passed, the loss.

        Parameters
        ----------
        input_ids
            (batch, time).
        attention_mask
            1 for a token, 0 for padding on either side; (batch, time), or (batch, past + time).
        labels
            (batch, time): ``input_ids``, with `IGNORED` for positions that are not scored. Each token is predicted from the
            previous ones.
        past_key_values
            The cache of an earlier call with ``use_cache``.
        num_items_in_batch
            Divisor of the summed loss, instead of the number of labels in this batch.
        song_ids
            The song of a block that each token belongs to; see `states`.
        logits_to_keep
            Return logits only for this many positions from the end (0: all).

        Returns
        -------
        CausalLMOutputWithPast
            ``logits`` (batch, time, vocabulary); None if there are labels and `loss_only` is set. ``loss``: mean nats per
            label.
        """
        states, past = self.states(input_ids, attention_mask, past_key_values, bool(use_cache), song_ids)
        read = Read(input_ids, attention_mask, song_ids, past)
        loss = None if labels is None else self._loss(states, labels, num_items_in_batch, read)
        logits = None
        if labels is None or not self.loss_only:
            logits = self._with_conditions(self.scores(states, read, logits_to_keep))
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=past)

    def token_losses(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the nats of each token but the first, (batch, time - 1), float32; 0 for padding and conditions."""
        states, past = self.states(input_ids, attention_mask)
        targets = input_ids[:, 1:]
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        real = (mask[:, 1:] * mask[:, :-1]).bool() & (targets < self.config.lyrics_size)
        found = torch.zeros(targets.shape, dtype=torch.float32, device=input_ids.device)
        found[real] = self.nats(states, targets, real, Read(input_ids, attention_mask, None, past))
        return found

    def scores(self, states: Tensor, read: Read, keep: int | Tensor) -> Tensor:
        """Return logits (batch, positions, lyrics) for the last ``keep`` positions (0: all), or those listed in ``keep``."""
        return self.logits(states[:, -keep:] if isinstance(keep, int) else states[:, keep])

    def nats(self, states: Tensor, targets: Tensor, scored: Tensor, read: Read) -> Tensor:
        """Return the nats (n,) of the n targets where ``scored``; both are (batch, time - 1)."""
        return torch.cat([*self._nats(states[:, :-1][scored], targets[scored]), states.new_zeros(0)])

    def _loss(self, states: Tensor, labels: Tensor, items: Tensor | int | None, read: Read) -> Tensor:
        targets = labels[:, 1:]
        scored = targets != IGNORED
        total = self.nats(states, targets, scored, read).sum()
        return total / (scored.sum().clamp(min=1) if items is None else items)

    def _nats(self, states: Tensor, targets: Tensor) -> Iterator[Tensor]:
        """Yield the nats of ``targets`` (n,) given ``states`` (n, size), slice by slice."""
        size = len(states) if torch.is_grad_enabled() else max(1, SLICE // self.config.lyrics_size)
        for start in range(0, len(states), max(size, 1)):
            logits = self.logits(states[start : start + size])
            yield functional.cross_entropy(logits.float(), targets[start : start + size], reduction="none")

    def _with_conditions(self, logits: Tensor) -> Tensor:
        """Return the logits extended to the conditions."""
        missing = self.config.vocab_size - logits.shape[-1]
        return functional.pad(logits, (0, missing), value=IMPOSSIBLE) if missing else logits

    def _without_special(self, logits: Tensor) -> Tensor:
        """Set the logits of padding and BOS to `IMPOSSIBLE`, in place."""
        never = [n for n in (self.config.pad_token_id, self.config.bos_token_id) if n != self.config.eos_token_id]
        return logits.index_fill_(-1, torch.tensor(never, device=logits.device), IMPOSSIBLE)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Return whether ``generate`` creates the cache; True for models with attention."""
        return False


def register_for_auto(config: type[LyricsConfig], model: type[LyricsModel]) -> None:
    """Register a model with ``AutoModelForCausalLM``; the last line of each module of language models.

    The import of transformers is local because the import of that class is slow.
    """
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.register(config, model, exist_ok=True)
