"""The recipe `mixture`: a network, n-grams and the song so far, each believed where it proved right.

The network knows what words mean, the tables know phrases, the song knows its own lines; together they beat each alone by
far. How much of each is taken depends on the longest context found in the song so far and on how sure the network is (the
entropy of its guess, between knots, so that scores do not jump), and is fitted on validation songs by
expectation-maximisation, after the loop has trained the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel

from lyrist.errors import UsageError
from lyrist.models import kneser_ney, registry
from lyrist.models.kneser_ney import Tokens
from lyrist.models.language_configs import MixtureConfig
from lyrist.models.language_model import SLICE, WriterOptions, WriterShape, announce
from lyrist.models.ngram import Array, NgramWriter, Reading, Songs, check, settings
from lyrist.models.registry import option, register

KNOTS = (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
"""Entropies, in nats, between which the weights change."""


@dataclass(frozen=True)
class MixtureOptions(WriterOptions):
    """Options of `mixture`."""

    network: str = option("gpt", "the recipe of its network: gpt, gru or lstm-lm")
    network_options: tuple[str, ...] = option((), "options of that recipe, such as width=128,layers=2")
    order: int = option(6, "tokens of the longest n-gram that is counted in the training songs")
    largest: int = option(20_000_000, "where more different n-grams of a length occur, those seen once are left out")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.order, self.largest)

    @property
    def schedule(self) -> Any:  # type: ignore[override]
        """Return the settings of the training schedule that suit the network."""
        return getattr(_recipe(self.network).options, "schedule", {})


class MixtureWriter(NgramWriter):
    """A network beside the parts of an `NgramWriter`."""

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
        """Count the n-grams of ``train`` and fit the weights of all parts to ``validation``; the network is as it is."""
        training = self.network.training
        self.network.train(False)
        super().learn(train, validation)
        self.network.train(training)

    def _parts(self, songs: Songs, tokens: Tokens) -> tuple[Array, Array]:
        first, _ = super()._parts(songs, tokens)
        chance, entropy = np.zeros(len(tokens.ids)), np.zeros(len(tokens.ids))
        starts = np.flatnonzero(tokens.place == 0)
        lengths = np.array([len(song) for song in songs if len(song)])
        order = np.argsort(-lengths, kind="stable")  # songs of nearly equal length are computed together
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
            found = self._guessed(torch.from_numpy(ids), torch.from_numpy(real))
            targets = np.minimum(ids[:, 1:], self.config.lyrics_size - 1)
            at = (starts[rows, None] + np.arange(longest))[later]
            for whole, part in zip((chance, entropy), _gathered(found, torch.from_numpy(targets)), strict=True):
                whole[at] = part[later[:, 1:]]
        return np.stack([chance, first[:, 0]], axis=1), self._share(entropy)

    @torch.no_grad()
    def _guessed(self, ids: Tensor, real: Tensor) -> Tensor:
        """Return the network's log-probabilities (batch, time - 1, lyrics) of what follows all tokens but the last."""
        where = self.network.device
        found = self.network(input_ids=ids.to(where), attention_mask=real.long().to(where)).logits
        guessed: Tensor = found[:, :-1, : self.config.lyrics_size].float().log_softmax(dim=-1)
        return guessed

    def _share(self, entropy: Array) -> Array:
        return kneser_ney.knot_shares(entropy, np.array(self.config.knots))

    def _network(self, input_ids: Tensor, attention_mask: Tensor | None, reading: Reading) -> Tensor | None:
        found = self.network(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=reading.network, use_cache=True
        )
        reading.network = found.past_key_values
        guessed: Tensor = found.logits[..., : self.config.lyrics_size].float().log_softmax(dim=-1)
        return guessed

    def _own(self, network: Tensor | None, songs: int) -> tuple[list[Array], Array]:
        if network is None:
            raise ValueError("a mixture has a network")
        chances = network.double().exp()
        entropy = -(chances * network.double()).sum(dim=-1)
        return [chances.detach().cpu().numpy()], self._share(entropy.detach().cpu().numpy())


def _gathered(log_chances: Tensor, targets: Tensor) -> tuple[Array, Array]:
    """Return the probability of each target, and the entropy in nats of each place, (batch, time)."""
    chance = log_chances.gather(-1, targets.long().to(log_chances.device)[..., None])[..., 0].double().exp()
    entropy = -(log_chances.exp() * log_chances).sum(dim=-1)
    return chance.cpu().numpy(), entropy.double().cpu().numpy()


def _recipe(name: str) -> registry.Recipe:
    known = {recipe.name: recipe for recipe in registry.recipes("write")}
    found = known.get(name)
    if found is None or found.family != "neural" or name in ("causal", "t5"):
        own = [each for each, recipe in known.items() if recipe.family == "neural" and each not in ("causal", "t5")]
        raise UsageError(f"--network of mixture is one of {', '.join(own)}; '{name}' is not.")
    return found


def _from_config(config: dict[str, Any]) -> PreTrainedModel:
    """Return the network that a configuration describes, with weights yet to be read."""
    from transformers import AutoModelForCausalLM  # importing it has Lyrist import its writers, this one too

    kind = config.pop("model_type")
    described = AutoConfig.for_model(kind, **config)
    found: PreTrainedModel = AutoModelForCausalLM.from_config(described)  # type: ignore[no-untyped-call]
    return found


@register(
    "mixture",
    "a network, n-grams and the song so far, weighted by what proved right on validation songs",
    family="mixture",
    task="write",
    options=MixtureOptions,
    source="Jelinek and Mercer, Interpolated estimation of Markov source parameters, 1980",
)
def mixture(options: MixtureOptions, shape: WriterShape) -> MixtureWriter:
    """Build the network, and tables that are empty until `MixtureWriter.learn`."""
    recipe = _recipe(options.network)
    given = {}
    for setting in options.network_options:
        name, sign, value = setting.partition("=")
        if not sign:
            raise UsageError(f"--network-options of mixture are NAME=VALUE, by commas; '{setting}' is not.")
        given[name.strip()] = value.strip()
    own = {"vocabulary": options.vocabulary, "context": options.context}
    network = recipe.build(registry.configure(recipe.options, {**own, **given}, options.network), shape)
    config = settings(options, shape, "mixture", MixtureConfig)
    config |= {"knots": list(KNOTS), "network": network.config.to_dict()}
    return MixtureWriter(MixtureConfig(**config), network)


announce(MixtureConfig, MixtureWriter)
