"""Tokenizers of the text classifiers, learnt from the training texts and saved as ``tokenizer.json``.

Line ends are tokens: line lengths are informative about the artist, and tokenizers for web pages discard them. A blank line (the
end of a section) is a separate token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from lyrist.errors import LyristError
from lyrist.models.network import TokenOptions

PAD, UNKNOWN = "[PAD]", "[UNK]"

# fmt: off
CONTRACTIONS = (
    "don't", "can't", "won't", "ain't", "i'm", "i'll", "i've", "i'd", "you're", "you'll", "you've", "you'd",
    "he's", "she's", "it's", "we're", "we'll", "we've", "they're", "they've", "that's", "there's", "what's",
    "let's", "isn't", "wasn't", "aren't", "didn't", "doesn't", "couldn't", "wouldn't", "shouldn't", "haven't",
    "hasn't", "hadn't", "gonna", "wanna", "gotta",
)
# fmt: on
"""Function words of songs that are missing in scikit-learn's list."""

FUNCTION_WORDS = frozenset(ENGLISH_STOP_WORDS) | frozenset(CONTRACTIONS)
"""Words that ``drop_words`` removes."""


def learn(texts: Sequence[str], options: TokenOptions) -> PreTrainedTokenizerFast:
    """Return a tokenizer with the vocabulary of ``texts``, most frequent first.

    Ids: 0 is padding, 1 the unknown word; then words (or subwords) by decreasing frequency, ties in alphabetical order.

    Raises
    ------
    LyristError
        The texts have no words.
    """
    limits: dict[str, Any] = {
        "vocab_size": options.max_words,
        "min_frequency": options.min_count,
        "special_tokens": [PAD, UNKNOWN],
        "show_progress": False,
    }
    trainer: Any
    if options.tokens == "words":
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        trainer = trainers.WordLevelTrainer(**limits)
    else:
        tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, continuing_subword_prefix="##"))
        trainer = trainers.BpeTrainer(continuing_subword_prefix="##", limit_alphabet=500, **limits)
    tokenizer.normalizer = _normalizer(options)
    tokenizer.pre_tokenizer = _splitter(options)
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() <= 2:
        raise LyristError(
            "The training texts have no words: they are empty, or every word is rarer than --min-count "
            f"({options.min_count}); lower it."
        )
    return wrap(tokenizer, options.max_length)


def wrap(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer as a tokenizer of `transformers`, with padding on the right."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        padding_side="right",
        truncation_side="right",
        model_max_length=max_length,
        split_special_tokens=True,  # "[PAD]" in a song is text, not padding
        model_input_names=["input_ids", "attention_mask"],
    )


def _normalizer(options: TokenOptions) -> Any:
    steps = [normalizers.NFC(), normalizers.Lowercase(), normalizers.Replace(Regex("[’‘`]"), "'")]
    if options.drop_words:
        listed = "|".join(sorted(FUNCTION_WORDS, key=lambda word: (-len(word), word)))
        steps.append(normalizers.Replace(Regex(rf"(?<![\w'])(?:{listed})(?![\w'])"), " "))
    steps.append(normalizers.Replace(Regex(r"\n[ \t]*\n\s*"), "\n\n"))
    return normalizers.Sequence(steps)


def _splitter(options: TokenOptions) -> Any:
    """Return the pre-tokenizer for words (including apostrophes inside words), line ends and punctuation."""
    kinds = [r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*"]
    if options.newlines and not options.drop_words:
        kinds.append(r"\n+")
    if options.punctuation:
        kinds.append(r"[^\s\p{L}\p{M}\p{N}]")
    return pre_tokenizers.Split(Regex("|".join(kinds)), behavior="removed", invert=True)


def encode(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], max_length: int, pairs: Sequence[str] | None = None
) -> list[NDArray[np.int32]]:
    """Return the token ids of each text, at most ``max_length``, at least one (a text without words is one unknown).

    Parameters
    ----------
    tokenizer
        Any fast tokenizer of `transformers`.
    texts
        n texts.
    max_length
        Truncate texts to this number of tokens, special tokens included.
    pairs
        n texts for the first of the two segments of pretrained encoders; ``texts`` are then the second.

    Returns
    -------
    list of arrays
        n int32 arrays.
    """
    if not len(texts):
        return []
    given = (list(texts),) if pairs is None else (list(pairs), list(texts))
    encoded = tokenizer(
        *given, truncation=True, max_length=max_length, padding=False,
        return_attention_mask=False, return_token_type_ids=False,
    )  # fmt: skip
    unknown = tokenizer.unk_token_id
    if unknown is None:
        unknown = tokenizer.pad_token_id or 0
    return [np.asarray(ids or [unknown], dtype=np.int32) for ids in encoded["input_ids"]]


def save(tokenizer: Any, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` into ``folder``."""
    tokenizer.save_pretrained(str(folder))
