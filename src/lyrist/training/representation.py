"""Representations: one vector for a text, from the hidden states of a neural model.

A writer's is the mean of its last hidden states over the tokens of the text; longer texts than the context are read in windows.
A classifier's is the input of its output layer. All have length 1, so that a dot product is a cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from lyrist.models.inputs import songs
from lyrist.models.language_model import LyricsModel
from lyrist.models.ngram import NgramWriter
from lyrist.training.classifier import NeuralClassifier


def represents(model: Any) -> bool:
    """Return whether a writer or a classifier has a representation."""
    if isinstance(model, NeuralClassifier):
        return _head(model) is not None
    network = getattr(model, "model", None)
    # N-grams, alone and with a network, have probabilities in place of hidden states.
    return isinstance(network, PreTrainedModel) and not isinstance(network, NgramWriter) and not model.seq2seq


@torch.inference_mode()
def represent(model: Any, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
    """Return the vector of each text, (texts, size), and the number of its tokens.

    Parameters
    ----------
    model
        A `lyrist.training.writer.Writer` or a `NeuralClassifier`, for which `represents` is true.
    texts
        Cleaned texts, none of them empty.
    """
    if isinstance(model, NeuralClassifier):
        rows, counts = _of_classifier(model, texts), [len(model.tokenizer_(text).input_ids) for text in texts]
    else:
        found = [_of_writer(model, text) for text in texts]
        rows, counts = torch.stack([vector for vector, _ in found]), [count for _, count in found]
    vectors: NDArray[np.float32] = nn.functional.normalize(rows.float(), dim=-1).cpu().numpy()
    return vectors, counts


def _of_writer(writer: Any, text: str) -> tuple[Tensor, int]:
    network, prefix, ids = writer.model.eval(), writer.prefix({}), list(writer.encode(text))
    size = max(1, (writer.context or len(prefix) + len(ids)) - len(prefix))
    total: Any = 0.0
    for first in range(0, len(ids), size):
        window = torch.tensor([[*prefix, *ids[first : first + size]]], device=network.device)
        if isinstance(network, LyricsModel):
            states = network.states(window, None)[0]
        else:
            states = network.base_model(input_ids=window).last_hidden_state
        total = total + states[0, len(prefix) :].float().sum(dim=0)
    return total, len(ids)


def _of_classifier(classifier: NeuralClassifier, texts: Sequence[str]) -> Tensor:
    found: list[Tensor] = []
    head = _head(classifier)
    assert head is not None  # noqa: S101 - `represents` is true
    hook = head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    try:
        for text in texts:
            classifier.predict_proba(songs([text], [""]))
    finally:
        hook.remove()
    return torch.cat(found)


def _head(classifier: NeuralClassifier) -> nn.Linear | None:
    """Return the output layer; None if the network has more than one layer there."""
    heads = [getattr(classifier.model_, name, None) for name in ("head", "classifier")]
    return next((head for head in heads if isinstance(head, nn.Linear)), None)
