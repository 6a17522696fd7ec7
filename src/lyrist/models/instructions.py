"""What a pretrained model reads before the lyrics: a request in its chat template, a page with a title, or an instruction.

The same text is used for writing and for tuning. A model with a chat template reads a request in plain English as the message
of a user; a base model reads the beginning of a page with artist, title and "Lyrics:"; an encoder-decoder reads an instruction
and the song so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

SYSTEM = "You are a songwriter."
"""The system message of a chat model."""

FIELDS = ("title", "about", "mood", "genre", "artist", "use", "language", "rhyme")
"""What a prompt can say about a song; ``about`` is its topic, ``use`` words, ``rhyme`` any text if lines rhyme."""

PROMPT = 192
"""Largest number of tokens of a prompt in training; longer ones are cut to fewer details."""

Format = Literal["", "chat", "page"]
"""How conditions are passed: as added tokens, in a chat, or on a page."""


def format_of(tokenizer: Any) -> Format:
    """Return ``chat`` for the tokenizer of a model with a chat template, else ``page``."""
    return "chat" if getattr(tokenizer, "chat_template", None) else "page"


def request(given: Mapping[str, str]) -> str:
    """Return the request for a song in plain English.

    Parameters
    ----------
    given
        Any of `FIELDS`, and other columns of a corpus that a model was conditioned on.
    """
    known = {name: value for name, value in given.items() if value}
    parts = [f"Write a {known['genre']} song" if "genre" in known else "Write a song"]
    parts += [f'called "{known["title"]}"'] if "title" in known else []
    parts += [f"about {known['about']}"] if "about" in known else []
    parts += [f"in the style of {known['artist']}"] if "artist" in known else []
    sentences = [" ".join(parts)]
    sentences += [f"The mood is {known['mood']}"] if "mood" in known else []
    sentences += [f"The {name} is {value}" for name, value in known.items() if name not in FIELDS]
    sentences += [f"Use the words {known['use']}"] if "use" in known else []
    sentences += [f"Write in {known['language']}"] if "language" in known else []
    # Not how many syllables: small models write the number into the lyrics, and the composer counts them.
    sentences += [f"Short lines{' that rhyme' if 'rhyme' in known else ''}", "Write only the lyrics"]
    return ". ".join(sentences) + "."


def messages(given: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the messages of the chat before the lyrics, which are the answer."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": request(given)}]


def page(given: Mapping[str, str]) -> str:
    """Return the beginning of a page, for a model without a chat template."""
    shown = [name for name in ("artist", "title", "genre") if given.get(name)]
    return "".join(f"{name.title()}: {given[name]}\n" for name in shown) + "Lyrics:\n"


def prompt_ids(tokenizer: Any, given: Mapping[str, str]) -> list[int]:
    """Return the tokens before the lyrics of a song.

    Parameters
    ----------
    tokenizer
        The tokenizer of a pretrained causal model.
    given
        As for `request`. Special tokens in the values are removed.
    """
    plain = {name: _without(value, tokenizer.all_special_tokens) for name, value in given.items()}
    if format_of(tokenizer) == "chat":
        text = tokenizer.apply_chat_template(messages(plain), tokenize=False, add_generation_prompt=True)
        return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    begin = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    return begin + [int(token) for token in tokenizer(page(plain), add_special_tokens=False)["input_ids"]]


def _without(text: str, special: list[str]) -> str:
    for token in special:
        text = text.replace(token, " ")
    return " ".join(text.split())


def continuation(given: Mapping[str, str]) -> str:
    """Return the instruction of an encoder-decoder, which precedes the song so far."""
    conditions = "".join(f", {column}: {value}" for column, value in given.items())
    return f"continue the lyrics{conditions}: "
