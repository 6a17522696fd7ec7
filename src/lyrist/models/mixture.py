"""The recipe `mixture`: a network, n-grams of the training songs and n-grams of the song so far, as a mixture.

The network generalises over words, the n-grams know phrases, the song so far knows its own lines; the mixture is much better than
each part. The weights depend on the longest context found in the song so far and on the entropy of the network's prediction
(with linear interpolation between knots). They are fitted on validation songs by expectation-maximisation after the network has
been trained. A pretrained network (`causal`) is used as it is, with its tokenizer; to mix a tuned one, tune it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from lyrist.errors import UsageError
from lyrist.models import kneser_ney, registry
from lyrist.models.configuration import MixtureConfig
from lyrist.models.hub import causal_network, new_network
from lyrist.models.kneser_ney import Tokens
from lyrist.models.language_model import SLICE, WriterOptions, WriterShape, register_for_auto
from lyrist.models.memory import DataSize
from lyrist.models.ngram import Array, NgramWriter, Reading, Songs, check, settings
from lyrist.models.registry import option, register

PRETRAINED = "lyrist_pretrained"
"""Key of the configuration of a pretrained network."""

KNOTS = (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
"""Knots of the mixture weights: entropies in nats."""


@dataclass(frozen=True)
class MixtureOptions(WriterOptions):
    """Options of `mixture`."""

    network: str = option("gpt", "recipe of the network: gpt, gru, lstm-lm or causal (not trained)")
    network_options: tuple[str, ...] = option((), "options of that recipe, such as width=128,layers=2 or model=smollm2")
    order: int = option(6, "order of the n-grams of the training songs")
    largest: int = option(20_000_000, "if there are more distinct n-grams of a length, drop those that occur once")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.order, self.largest)

    def memory(self, size: DataSize) -> int:
        """Return an estimate of the peak memory of counting, in bytes."""
        return kneser_ney.memory(size.tokens, self.order, self.largest)

    def configured(self) -> Any:
        """Return the options of the network's recipe.

        Raises
        ------
        UsageError
            An option is unknown or has a wrong value.
        """
        recipe, given = _recipe(self.network), {}
        for setting in self.network_options:
            name, sign, value = setting.partition("=")
            if not sign:
                raise UsageError(
                    f"--network-options of mixture must be NAME=VALUE, separated by commas, got '{setting}'."
                )
            given[name.strip()] = value.strip()
        known = {each.name for each in recipe.parameters}
        own = {"vocabulary": self.vocabulary, "context": self.context}
        shared = {name: value for name, value in own.items() if name in known}
        return registry.configure(recipe.options, {**shared, **given}, self.network)

    def pretrained(self) -> Any:
        """Return the options of a pretrained network, whose tokenizer is used; None if the network is trained."""
        return self.configured() if registry.is_pretrained(_recipe(self.network).name) else None

    @property
    def schedule(self) -> Any:  # type: ignore[override]
        """Return the defaults of the training schedule of the network's recipe."""
        return getattr(_recipe(self.network).options(), "schedule", {})


class MixtureWriter(NgramWriter):
    """An `NgramWriter` with a network as an additional part."""

    config_class = MixtureConfig
    before = 2

    def __init__(self, config: MixtureConfig, network: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        self.network = _from_config(dict(config.network or {})) if network is None else network
        self.post_init()  # type: ignore[no-untyped-call]

    def size(self) -> int:
        """Return the number of n-grams and of the network's weights."""
        return super().size() + sum(weights.numel() for weights in self.network.parameters())

    def learn(self, train: Songs, validation: Songs) -> None:
        """Count the n-grams of ``train`` and fit the mixture weights on ``validation``; the network does not change."""
        training = self.network.training
        self.network.train(False)
        super().learn(train, validation)
        self.network.train(training)

    def _parts(self, songs: Songs, tokens: Tokens) -> tuple[Array, Array]:
        first, _ = super()._parts(songs, tokens)
        probability, entropy = np.zeros(len(tokens.ids)), np.zeros(len(tokens.ids))
        starts = np.flatnonzero(tokens.place == 0)
        lengths = np.array([len(song) for song in songs if len(song)])
        order = np.argsort(-lengths, kind="stable")  # songs of similar length are computed together
        begin = 0
        while begin < len(order):
            longest = int(lengths[order[begin]])
            rows = order[begin : begin + max(1, SLICE // (longest * self.config.lyrics_size))]
            begin += len(rows)
            ids = np.full((len(rows), longest), self.config.pad_token_id or 0)
            real = np.arange(longest) < lengths[rows, None]
            places = (starts[rows, None] + np.arange(longest))[real]
            ids[real] = tokens.ids[places]
            later = real & (np.arange(longest) > 0)
            found = self._network_log_probabilities(torch.from_numpy(ids), torch.from_numpy(real))
            targets = np.minimum(ids[:, 1:], self.config.lyrics_size - 1)
            at = (starts[rows, None] + np.arange(longest))[later]
            for whole, part in zip((probability, entropy), _gathered(found, torch.from_numpy(targets)), strict=True):
                whole[at] = part[later[:, 1:]]
        return np.stack([probability, first[:, 0]], axis=1), self._share(entropy)

    @torch.no_grad()
    def _network_log_probabilities(self, ids: Tensor, real: Tensor) -> Tensor:
        """Return the log-probabilities (batch, time - 1, lyrics) of the network for the token after each but the last."""
        where = self.network.device
        found = self.network(input_ids=ids.to(where), attention_mask=real.long().to(where)).logits
        log_p: Tensor = found[:, :-1, : self.config.lyrics_size].float().log_softmax(dim=-1)
        return log_p

    def _share(self, entropy: Array) -> Array:
        return kneser_ney.knot_shares(entropy, np.array(self.config.knots))

    def _network(self, input_ids: Tensor, attention_mask: Tensor | None, reading: Reading) -> Tensor | None:
        found = self.network(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=reading.network, use_cache=True
        )
        reading.network = found.past_key_values
        log_p: Tensor = found.logits[..., : self.config.lyrics_size].float().log_softmax(dim=-1)
        return log_p

    def _own(self, network: Tensor | None, songs: int) -> tuple[list[Array], Array]:
        if network is None:
            raise ValueError("a mixture needs the output of its network")
        probabilities = network.double().exp()
        entropy = -(probabilities * network.double()).sum(dim=-1)
        return [probabilities.detach().cpu().numpy()], self._share(entropy.detach().cpu().numpy())


def _gathered(log_probabilities: Tensor, targets: Tensor) -> tuple[Array, Array]:
    """Return the probability of each target, and the entropy in nats at each position, (batch, time)."""
    probability = (
        log_probabilities.gather(-1, targets.long().to(log_probabilities.device)[..., None])[..., 0].double().exp()
    )
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=-1)
    return probability.cpu().numpy(), entropy.double().cpu().numpy()


def _recipe(name: str) -> registry.Recipe:
    known = {recipe.name: recipe for recipe in registry.recipes("write") if recipe.family == "neural"}
    found = known.get(name)
    if found is None or getattr(found.options, "seq2seq", False):
        own = [each for each, recipe in known.items() if not getattr(recipe.options, "seq2seq", False)]
        raise UsageError(f"--network of mixture must be one of {', '.join(own)}, got '{name}'.")
    return found


def _from_config(config: dict[str, Any]) -> PreTrainedModel:
    """Return the network that a configuration describes, with random weights."""
    from transformers import AutoModelForCausalLM  # a slow import

    own = not config.pop(PRETRAINED, False)
    if config.get("model_type") == MixtureConfig.model_type:
        raise ValueError("the network of a mixture is not a mixture")
    return new_network(AutoModelForCausalLM, config, own=own)


@register(
    "mixture",
    "a mixture of a network, n-grams and the song so far, weighted on validation songs",
    family="mixture",
    task="write",
    options=MixtureOptions,
    source="Jelinek and Mercer (1980), Interpolated estimation of Markov source parameters",
)
def mixture(options: MixtureOptions, shape: WriterShape) -> MixtureWriter:
    """Build the network, and n-gram tables that are empty until `MixtureWriter.learn`."""
    pretrained = options.pretrained()
    network: Any
    if pretrained is None:
        network = _recipe(options.network).build(options.configured(), shape)
    else:
        network = causal_network(pretrained.model)
        network.float().requires_grad_(False)
    config = settings(options, shape, "mixture", MixtureConfig)
    marked = {PRETRAINED: True} if pretrained else {}
    config |= {"knots": list(KNOTS), "network": {**network.config.to_dict(), **marked}}
    return MixtureWriter(MixtureConfig(**config), network)


register_for_auto(MixtureConfig, MixtureWriter)
