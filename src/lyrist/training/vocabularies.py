"""Tokenizers of language models: byte-level BPE learnt from the training songs, and tokens for conditions.

A line end is always a separate token, so that lines can be counted during generation. Every text can be encoded and is decoded
exactly. A condition is one token that no text of a song is encoded to, even if the song contains the characters of its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lyrist.corpus.cleaning.rules import KINDS
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.shingles import UNSPACED
from lyrist.errors import LyristError
from lyrist.training.encoding import PIECES, WORD

WORDS, SONGS = 100_000, 50_000
"""Words that a writer knows, the most frequent ones, and training songs in which they are counted."""
LEARNT_FROM = 20_000
"""Training songs from which a tokenizer is learnt."""

PAD, BOS, EOS = "<|pad|>", "<|song|>", "<|end|>"

_CONDITION = re.compile(r"<\|[^|]+:[^|]+\|>")


def learn(texts: Iterable[str], size: int, sections: bool = False) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer with at most ``size`` tokens, learnt from ``texts``.

    Ids: 0 padding, 1 beginning, 2 end, then bytes and merged pieces, then (with ``sections``) the kinds of sections,
    written ``[chorus]`` as the corpus keeps them.

    Raises
    ------
    LyristError
        There is no text.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - (len(KINDS) if sections else 0),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() <= 259:
        raise LyristError("The training songs have no text to learn a vocabulary from; prepare a larger corpus.")
    if sections:
        tokenizer.add_tokens([AddedToken(f"[{kind}]", normalized=False) for kind in KINDS])
    return wrap(tokenizer)


def sampled(corpus: Corpus, most: int) -> Iterator[pl.Series]:
    """Yield the lyrics of the training songs in blocks: of all songs, or of a sample of about ``most``."""
    total = int(corpus.info["counts"]["splits"].get("train", 0))
    for batch in corpus.batches("train", ["id", "lyrics"]):
        some = batch.filter(pl.col("id").hash(0) % total < most) if total > most else batch
        yield some["lyrics"]


def known_words(corpus: Corpus) -> frozenset[str]:
    """Return the words of the training songs as they are written; none for scripts without spaces between words."""
    counts: Counter[str] = Counter()
    for texts in sampled(corpus, SONGS):
        counts.update(texts.str.extract_all(WORD).list.unique().explode().drop_nulls().to_list())
    if pl.Series(list(counts), dtype=pl.String).str.contains(UNSPACED).sum() > len(counts) / 100:
        return frozenset()
    return frozenset(sorted(counts, key=lambda word: (-counts[word], word))[:WORDS])


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """Return the tokenizer as a tokenizer of `transformers`, which adds BOS before a prompt."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def condition_token(column: str, value: str) -> str:
    """Return the token of a value of a column, such as ``<|genre:rap|>``."""
    return f"<|{column}:{value}|>"


def add_conditions(tokenizer: PreTrainedTokenizerFast, known: Mapping[str, Sequence[str]]) -> int:
    """Add a token for each value of each column, and check that they are single, distinct tokens.

    The tokenizer of a model that was tuned before may have some of them already.

    Returns
    -------
    int
        The first id of a condition: ids from this one on are never written.

    Raises
    ------
    LyristError
        Two values have the same token, or one is equal to an existing token.
    """
    names = [condition_token(column, value) for column, values in known.items() for value in values]
    earlier = [number for name, number in tokenizer.get_added_vocab().items() if _CONDITION.fullmatch(name)]
    first = min([len(tokenizer), *earlier])
    # transformers strips added tokens, so two values may get the same id.
    backend = tokenizer.backend_tokenizer
    backend.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])
    ids = [backend.token_to_id(name) or 0 for name in names]
    if len(set(ids)) < len(names) or min(ids, default=first) < first:
        twice = next(name for place, name in enumerate(names) if ids.index(ids[place]) < place or ids[place] < first)
        raise LyristError(f"The condition {twice} is equal to another token; rename that value in the table.")
    for name, number in zip(names, ids, strict=True):
        if backend.encode(name, add_special_tokens=False).ids != [number]:
            raise LyristError(f"The condition {name} is not a single token; rename that value in the table.")
    return first


def encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of each text; special tokens in it are encoded as plain text."""
    backend: Any = tokenizer.backend_tokenizer
    before = backend.encode_special_tokens
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()
    try:
        return [encoded.ids for encoded in backend.encode_batch_fast(list(texts), add_special_tokens=False)]
    finally:
        backend.encode_special_tokens = before


def decode(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """Return the text of tokens, without special tokens and without clean-up."""
    return str(tokenizer.backend_tokenizer.decode([int(i) for i in ids], skip_special_tokens=True))
