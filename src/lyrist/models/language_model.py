"""What all writers share: options, what the data decide, the model's base class and the state that others than attention carry.

A writer is a causal language model over ``[BOS] [conditions] lyrics [EOS]``, a `transformers.PreTrainedModel` with
``generate``. What is unusual:

- the output layer has rows for what a song can hold (tokens of lyrics, and the end) and for nothing else: padding, the
  beginning and conditions are given probability 0 without ever being learnt;
- a loss is computed at labelled places only, in slices, so that neither padding nor a long song costs memory;
- a model that carries a state instead of keys and values offers it as ``past_key_values``, with the method names of
  transformers' own cache, so that generation, beams and several songs from one prompt work as with attention.
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
from lyrist.models.language_configs import LyricsConfig
from lyrist.models.registry import option

IMPOSSIBLE = -1e4
"""Logit of what is never written. Finite, so that samplers and lower precisions can compute with it."""

SLICE = 2**24
"""Logits that are held at once where only losses are asked for: 64 MB of float32."""

IGNORED = -100
"""Label of what is not scored."""


@dataclass(frozen=True)
class WriterOptions:
    """How songs become sequences, for every writer with a tokenizer of its own."""

    vocabulary: int = option(4096, "tokens of the byte-pair encoding that is learnt from the training songs, at most")
    context: int = option(1024, "tokens that the model reads at once; longer songs are cut into overlapping windows")
    min_tokens: int = option(0, "leave out songs with fewer tokens (0: none)")
    max_tokens: int = option(0, "leave out songs with more tokens (0: none)")
    sections: bool = option(False, "headers such as [Chorus], where the corpus kept them, are single tokens")
    condition_dropout: float = option(
        0.1, "share of the songs that hide each of their conditions in training, to learn to write without"
    )
    validation_songs: int = option(
        128, "validation songs that are read to choose the best step of a network, at most (0: all)"
    )
    layout: Literal["songs", "packed", "padded"] = option(
        "songs",
        "songs: whole songs of nearly equal length; packed: several songs in a block, none sees another; "
        "padded: 300 tokens of each song, as in report 003",
    )

    schedule: ClassVar[Mapping[str, Any]] = {}
    """Settings of the training schedule that suit this recipe better than the general ones."""

    def __post_init__(self) -> None:
        if self.vocabulary < 260:
            raise UsageError(f"--vocabulary is at least 260 (the 256 bytes, and four more); {self.vocabulary} is not.")
        if self.context < 16:
            raise UsageError(f"--context is at least 16 tokens; {self.context} is not.")
        if min(self.min_tokens, self.max_tokens) < 0 or 0 < self.max_tokens < self.min_tokens:
            raise UsageError(
                f"--min-tokens {self.min_tokens} and --max-tokens {self.max_tokens} leave no song; "
                "give two numbers of which the first is the smaller."
            )
        if not 0 <= self.condition_dropout < 1:
            raise UsageError(f"--condition-dropout is at least 0 and less than 1; {self.condition_dropout} is not.")


@dataclass(frozen=True)
class WriterShape:
    """What the data decide about a writer."""

    vocabulary: int
    """Number of token ids, conditions included."""
    padding: int
    bos: int
    eos: int
    context: int
    """Tokens that the model reads at once, the conditions included."""
    lyrics: int = 0
    """Ids from this one on are conditions, which are read but never written (0: there are none)."""


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
    """What the hidden states were made from; a model that copies from the song so far looks at it again."""

    input_ids: Tensor
    attention_mask: Tensor | None
    song_ids: Tensor | None
    past: Any


class State(abc.ABC):
    """What a model without attention carries from token to token; songs are the first dimension of what `select` takes.

    The names are those of transformers' ``DynamicCache``.
    """

    is_compileable = False
    joins = False
    """Whether songs that began apart can be put together: `join` and, where there is something to mask, the other two."""

    @abc.abstractmethod
    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return how many tokens were read, padding included."""

    @abc.abstractmethod
    def select(self, rows: Tensor) -> None:
        """Keep the songs ``rows`` (numbers, repeated ones too), in this order, in place."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of songs."""

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the songs ``indices``."""
        self.select(indices)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Put the songs into the order of the beams."""
        self.select(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each song ``repeats`` times."""
        self.select(torch.arange(len(self)).repeat_interleave(repeats))

    def join(self, other: Any) -> None:
        """Put the songs of another state of the same model after these, in place."""
        raise NotImplementedError

    def columns(self) -> int | None:
        """Return the columns of keys and values that a mask must cover; None where there are none."""
        return None

    def trim(self, kept: int) -> None:
        """Leave out all columns but the last ``kept``, in place."""
        raise NotImplementedError


class LyricsModel(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """A causal language model of songs; subclasses say how token ids become hidden states, and these become logits."""

    config_class = LyricsConfig
    base_model_prefix = "network"
    main_input_name = "input_ids"
    accepts_loss_kwargs = True
    """The loss is divided by ``num_items_in_batch`` where the training loop gives it."""
    loss_only = False
    """Leave the logits out where there are labels: the training loop reads the loss alone."""

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        past_key_values: Any = None,
        use_cache: bool = False,
        song_ids: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Return the hidden states (batch, time, size) of ``input_ids``, and what is to be carried on.

        Parameters
        ----------
        input_ids
            (batch, time).
        attention_mask
            (batch, past + time), 1 for a token, 0 for padding on either side; None: all are tokens.
        past_key_values
            What an earlier call returned.
        use_cache
            Whether something is to be carried on; else the second value is None.
        song_ids
            Only for blocks of several songs, (batch, time): which song of its block a token belongs to, 0 for none. The
            states of a song must be what they are where it stands alone.
        """
        raise NotImplementedError

    def logits(self, states: Tensor) -> Tensor:
        """Return float32 logits (..., lyrics) for hidden states (..., size); `IMPOSSIBLE` for what is never written."""
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
        """Return the logits of what follows each token and, where labels are given, the loss.

        Parameters
        ----------
        input_ids
            (batch, time).
        attention_mask
            1 for a token, 0 for padding, which may stand on either side; (batch, time), or (batch, past + time).
        labels
            (batch, time): ``input_ids``, with `IGNORED` for what is not scored. The token at a place is predicted from
            those before it.
        past_key_values
            What an earlier call with ``use_cache`` returned.
        num_items_in_batch
            What the summed loss is divided by, instead of the number of labels here.
        song_ids
            Which song of a block each token belongs to; see `states`.
        logits_to_keep
            Only so many places from the end (0: all).

        Returns
        -------
        CausalLMOutputWithPast
            ``logits`` (batch, time, vocabulary); None where there are labels and `loss_only` is set. ``loss``: mean
            nats a label.
        """
        states, past = self.states(input_ids, attention_mask, past_key_values, bool(use_cache), song_ids)
        read = Read(input_ids, attention_mask, song_ids, past)
        loss = None if labels is None else self._loss(states, labels, num_items_in_batch, read)
        logits = None
        if labels is None or not self.loss_only:
            logits = self._whole(self.scores(states, read, logits_to_keep))
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=past)

    def token_losses(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the nats of each token but the first, (batch, time - 1), float32; 0 where it is padding or a condition."""
        states, past = self.states(input_ids, attention_mask)
        targets = input_ids[:, 1:]
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        real = (mask[:, 1:] * mask[:, :-1]).bool() & (targets < self.config.lyrics_size)
        found = torch.zeros(targets.shape, dtype=torch.float32, device=input_ids.device)
        found[real] = self.nats(states, targets, real, Read(input_ids, attention_mask, None, past))
        return found

    def scores(self, states: Tensor, read: Read, keep: int | Tensor) -> Tensor:
        """Return logits (batch, kept places, lyrics) for the last ``keep`` places (0: all), or those that it lists."""
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
        """Yield the nats of ``targets`` (n,) after ``states`` (n, size), slice by slice."""
        size = len(states) if torch.is_grad_enabled() else max(1, SLICE // self.config.lyrics_size)
        for start in range(0, len(states), max(size, 1)):
            logits = self.logits(states[start : start + size])
            yield functional.cross_entropy(logits.float(), targets[start : start + size], reduction="none")

    def _whole(self, logits: Tensor) -> Tensor:
        """Return logits for the conditions as well."""
        missing = self.config.vocab_size - logits.shape[-1]
        return functional.pad(logits, (0, missing), value=IMPOSSIBLE) if missing else logits

    def _unwritten(self, logits: Tensor) -> Tensor:
        """Return the logits with padding and the beginning made impossible, in place."""
        never = [n for n in (self.config.pad_token_id, self.config.bos_token_id) if n != self.config.eos_token_id]
        return logits.index_fill_(-1, torch.tensor(never, device=logits.device), IMPOSSIBLE)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Return whether ``generate`` makes the cache; models of attention say yes."""
        return False


def announce(config: type[LyricsConfig], model: type[LyricsModel]) -> None:
    """Let ``AutoModelForCausalLM`` open this kind of model; the last line of each module of writers.

    It is imported only here: transformers has Lyrist import all its writers when that class is first asked for
    (`lyrist.models.opening`), and each must find the others whole.
    """
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.register(config, model, exist_ok=True)
