"""Language models for lyrics: fitting any recipe of the task "write", and the fitted `Writer`.

A "writer" is a language model with its tokenizer and conditions. Networks are trained by the same loop as classifiers; n-gram
models are fitted on the same sequences; a mixture does both, first its network.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel

from lyrist import files
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError, unknown
from lyrist.models import adapter, auto, instructions, registry
from lyrist.models.hub import (
    LARGEST,
    base_name,
    causal_network,
    open_network,
    open_tokenizer,
    pretrained_causal,
    writing_dtype,
)
from lyrist.models.language_model import LyricsModel, WriterShape
from lyrist.models.network import hushed
from lyrist.models.ngram import NgramWriter
from lyrist.training import logit_bias, scoring, song_tokens, vocabularies
from lyrist.training.estimators import configure
from lyrist.training.logit_bias import Style
from lyrist.training.loop import Outcome, continuation, language, seeded, train
from lyrist.training.schedule import Schedule
from lyrist.training.song_tokens import Continuations, SongTokens, tokenise

MARKER, WORDS = "writer.json", "words.txt"
FORMAT = 1


@dataclass
class Writer:
    """A language model with its tokenizer and conditions."""

    model: Any
    tokenizer: Any
    conditions: dict[str, tuple[str, ...]]
    """Column to the values in training."""
    recipe: str = ""
    context: int = 0
    """Context length in tokens, BOS and conditions included; 0: unlimited."""
    seq2seq: bool = False
    """Whether it is an encoder-decoder, with an instruction as input."""
    trained: bool = True
    """Whether the embeddings of tokens added to a pretrained model were trained."""
    prompt: str = ""
    """How conditions are passed: by added tokens (empty), in a ``chat``, or on a ``page``; see `lyrist.models.instructions`."""
    adapter: adapter.Adapter | None = field(default=None, repr=False)
    """Low-rank additions, which are merged into ``model``; on disk there are only these."""
    outcome: Outcome | None = field(default=None, repr=False)
    """Figures of the training; None for n-gram models and after `load`."""
    style: Style = field(default_factory=Style, repr=False)
    """The logit bias of each condition; empty without conditions."""
    words: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Words of the training songs, if the tokenizer was learnt on them: others are not written."""
    ledger: dict[str, Any] = field(default_factory=dict, repr=False)
    """Songs read, kept and dropped (by length) of each split used in training; empty after `load`."""

    # Reading.

    def prefix(self, given: Mapping[str, str] | None = None) -> list[int]:
        """Return the prefix of the lyrics: BOS and a token for each condition, or the prompt of a pretrained model.

        For an encoder-decoder it is the instruction without EOS; `source` returns the whole input of the encoder.

        Parameters
        ----------
        given
            Column to value; other columns are not conditioned on.

        Raises
        ------
        UsageError
            The model was not trained with such a column or value; the message lists the known ones.
        """
        values = self.checked(given)
        if self.seq2seq:
            return self.encode(instructions.continuation(values))
        if self.prompt:
            return instructions.prompt_ids(self.tokenizer, values)
        names = [vocabularies.condition_token(column, value) for column, value in values.items()]
        return [self.bos, *self.tokenizer.convert_tokens_to_ids(names)]

    def described_prompt(self) -> dict[str, Any]:
        """Return how a song is requested, for ``run.json``: the format, an example of each message, and the model."""
        example = {name: f"<{name}>" for name in dict.fromkeys([*self.conditions, "title", "about"])}
        about: dict[str, Any] = {
            "format": self.prompt,
            "base": self.adapter.config.base_model_name_or_path if self.adapter else "",
        }
        if self.prompt == "chat":
            return {**about, "messages": instructions.messages(example)}
        return {**about, "text": instructions.page(example)}

    def source(self, given: Mapping[str, str] | None, snippet: Sequence[int] = ()) -> list[int]:
        """Return the encoder input of an encoder-decoder: the instruction, the song so far, and EOS."""
        return [*self.prefix(given), *snippet, self.eos]

    def checked(self, given: Mapping[str, str] | None) -> dict[str, str]:
        """Return the conditions in the order of `conditions`, after checking that they are known.

        A prompt can have any value, and details of the song (`lyrist.models.instructions.FIELDS`).
        """
        given = {column: value for column, value in (given or {}).items() if value}
        if self.prompt:
            known = dict.fromkeys([*instructions.FIELDS, *self.conditions])
            if other := [column for column in given if column not in known]:
                raise unknown("condition of this model called", other[0], known)
            return {column: given[column] for column in known if column in given}
        for column, value in given.items():
            if column not in self.conditions:
                if not self.conditions:
                    raise UsageError(
                        f"This model was trained without conditions, so it cannot be conditioned on a {column}; "
                        f"train one with --condition {column}."
                    )
                raise unknown("condition of this model called", column, self.conditions)
            if value not in self.conditions[column]:
                raise unknown(f"{column} in the training of this model called", value, self.conditions[column])
        return {column: given[column] for column in self.conditions if column in given}

    @property
    def bos(self) -> int:
        """Return the BOS token."""
        found = self.tokenizer.bos_token_id
        return int(self.eos if found is None else found)

    @property
    def eos(self) -> int:
        """Return the EOS token."""
        return int(self.tokenizer.eos_token_id)

    def style_bias(self, given: Mapping[str, str] | None = None) -> NDArray[np.float32] | None:
        """Return the logit bias of each token for the conditions (see `lyrist.training.logit_bias`), (vocabulary,)."""
        return self.style.bias(self.checked(given), int(self.model.config.vocab_size))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of lyrics; special tokens in them are encoded as plain text."""
        return vocabularies.encode(self.tokenizer, [text])[0]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens without special tokens."""
        return vocabularies.decode(self.tokenizer, ids)

    def losses(
        self,
        lyrics: Sequence[str],
        given: Sequence[Mapping[str, str]] | None = None,
        batch_size: int = 16,
        device: str = "auto",
    ) -> list[NDArray[np.float64]]:
        """Return the nats of each token of each song and of its end, given BOS and the conditions.

        Parameters
        ----------
        lyrics
            n songs of any length.
        given
            The conditions of each; None: no conditions. Unknown values are ignored.
        batch_size
            Largest number of songs per batch; the result depends on it only by rounding.
        device
            auto, cpu or cuda.

        Returns
        -------
        list of arrays
            For each song, (tokens + 1,) nats.

        Raises
        ------
        LyristError
            Tokens added to a pretrained model were not trained.
        """
        conditions = [self.known(each) for each in given] if given is not None else [{} for _ in lyrics]
        return scoring.losses(self, list(lyrics), conditions, batch_size, device)

    @property
    def represents(self) -> bool:
        """Whether texts have a representation: n-grams, alone and with a network, have no hidden states."""
        return isinstance(self.model, PreTrainedModel) and not isinstance(self.model, NgramWriter) and not self.seq2seq

    @torch.inference_mode()
    def represent(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
        """Return the representation of each text, (texts, size), and the number of its tokens.

        It is the mean of the last hidden states over the tokens, scaled to length 1, so that a dot product is a cosine. Texts
        longer than the context are read in windows. No text may be empty.
        """
        network, prefix, vectors, counts = self.model.eval(), self.prefix({}), [], []
        for ids in map(self.encode, texts):
            size = max(1, (self.context or len(prefix) + len(ids)) - len(prefix))
            total: Any = 0.0
            for first in range(0, len(ids), size):
                window = torch.tensor([[*prefix, *ids[first : first + size]]], device=network.device)
                if isinstance(network, LyricsModel):
                    states = network.states(window, None)[0]
                else:
                    states = network.base_model(input_ids=window).last_hidden_state
                total = total + states[0, len(prefix) :].float().sum(dim=0)
            vectors.append(total)
            counts.append(len(ids))
        return nn.functional.normalize(torch.stack(vectors), dim=-1).cpu().numpy(), counts

    def known(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return the conditions in ``given`` that the model knows."""
        return {c: str(given[c]) for c, values in self.conditions.items() if given.get(c) in values}

    def check_scorable(self) -> None:
        """Raise an error if scores of the model would be meaningless."""
        if not self.trained:
            raise LyristError(
                f"This '{self.recipe}' has added tokens (for conditions or for the line end) whose embeddings were not "
                "trained: they take probability from all other tokens, so scores would be meaningless; "
                "train it for at least one step, or use a pretrained model that needs no added tokens."
            )

    # On disk.

    def save(self, folder: Path) -> None:
        """Write the model, its tokenizer and ``writer.json`` into ``folder``, a Hugging Face directory."""
        folder.mkdir(parents=True, exist_ok=True)
        with hushed(), files.explained(folder):
            if self.adapter is None:
                self.model.to("cpu").save_pretrained(folder)
            else:
                self.adapter.save(folder)
            self.tokenizer.save_pretrained(str(folder))
        about = {
            "format": FORMAT, "recipe": self.recipe, "conditions": self.conditions, "context": self.context,
            "seq2seq": self.seq2seq, "trained": self.trained, "prompt": self.prompt,
        }  # fmt: skip
        self.style.save(folder)
        if self.words:
            files.write_text(folder / WORDS, "\n".join(sorted(self.words)) + "\n")
        files.write_json(folder / MARKER, about)

    @classmethod
    def load(cls, folder: Path, recipe: str | None = None) -> Writer:
        """Load what `save` wrote.

        Parameters
        ----------
        folder
            The folder of the model.
        recipe
            The recipe in ``run.json``; None: that in ``writer.json``.

        Raises
        ------
        LyristError
            A file is missing or damaged, or the tokenizer does not match the model.
        """
        about = files.read_json(folder / MARKER, "a saved writer")
        match about:
            case {
                "format": 1, "recipe": str(name), "conditions": dict(conditions), "context": int(context),
                "seq2seq": bool(seq2seq), "trained": bool(trained),
            } if all(isinstance(each, str) for values in conditions.values() for each in values):  # fmt: skip
                known = {column: tuple(values) for column, values in conditions.items()}
            case _:
                raise LyristError(
                    f"{folder / MARKER} is damaged or of another version of Lyrist; train the writer again."
                )
        if recipe not in (None, name):
            raise LyristError(f"{folder / MARKER} is of the recipe '{name}', but run.json says '{recipe}'.")
        prompt = about.get("prompt", "")
        if prompt not in ("", "chat", "page"):
            raise LyristError(f"{folder / MARKER} is damaged: its prompt is '{prompt}'; train the writer again.")
        auto.register()
        if additions := (folder / adapter.CONFIG).is_file():
            model = causal_network(str(folder))
            _columns_in_sequence(model)
        else:
            kind = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
            model = open_network(kind, folder, own=recipe is not None and not registry.is_pretrained(recipe))
        if context < 0 or 0 < context < 16 or context > LARGEST or getattr(model.config, "context", context) != context:
            raise LyristError(f"{folder / MARKER} is damaged: its context is {context} tokens; train the writer again.")
        style = Style.load(folder)
        writer = cls(model, open_tokenizer(folder), known, name, context, seq2seq, trained, prompt, style=style)
        if (folder / WORDS).is_file():
            writer.words = _known_words(folder / WORDS)
        if additions:
            writer.adapter = adapter.Adapter.load(folder)
        writer.check_tokenizer(str(folder))
        try:
            if trained:
                writer.losses(["la"], device="cpu")
        except Exception as error:
            raise LyristError(
                f"The writer in {folder} is damaged ({type(error).__name__}: {error}); train the writer again."
            ) from error
        return writer

    def check_tokenizer(self, where: str) -> None:
        """Raise an error if the model has no embedding for a token, or a condition has no token."""
        rows = int(self.model.config.vocab_size)
        lyrics = getattr(self.model.config, "lyrics_size", rows)
        if not isinstance(lyrics, int) or not 0 < lyrics <= rows:
            raise LyristError(
                f"The configuration in {where} is damaged: its lyrics_size is {lyrics}, but must be from 1 to {rows:,}; "
                "train the model again."
            )
        known = self.tokenizer.get_vocab()
        tokens = max([len(self.tokenizer), *(number + 1 for number in known.values())])
        if tokens > rows:
            raise LyristError(
                f"The tokenizer in {where} does not match its model: it has {tokens:,} tokens, the model {rows:,}; restore "
                "the tokenizer that was saved with it, or train the model again."
            )
        for column, values in self.conditions.items():
            for value in values:
                if not self.seq2seq and not self.prompt and vocabularies.condition_token(column, value) not in known:
                    raise LyristError(
                        f"The tokenizer in {where} does not match its model: the token of the {column} '{value}' is missing; "
                        "restore the tokenizer that was saved with the model, or train the model again."
                    )

    @classmethod
    def pretrained(cls, name: str) -> Writer:
        """Open a pretrained causal model that was not tuned on songs: a known name, a directory, or a name on the hub.

        Raises
        ------
        LyristError
            It is not there, or cannot be opened; the message says what to do.
        """
        with hushed():
            model, tokenizer, _ = pretrained_causal(name)
        context = int(getattr(model.config, "max_position_embeddings", 0) or 0)
        _columns_in_sequence(model)
        writer = cls(model, tokenizer, {}, "pretrained", context, prompt=instructions.format_of(tokenizer))
        writer.check_tokenizer(name)
        _describe(writer)
        return writer

    def parameters(self) -> int:
        """Return the number of parameters, or of n-grams, of the model."""
        own = getattr(self.model, "size", None)
        return int(own()) if callable(own) else sum(weights.numel() for weights in self.model.parameters())


# Fitting.


def fit_writer(
    corpus: Corpus,
    recipe: str,
    options: Mapping[str, Any] | None = None,
    condition: Sequence[str] = (),
    *,
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
) -> Writer:
    """Fit a language model on the training songs of a corpus.

    Parameters
    ----------
    corpus
        The corpus; its validation songs select the best step, or fit the weights of a mixture.
    recipe
        A recipe of the task "write".
    options
        Options of the recipe and of the `Schedule`, by name; strings are converted as on the command line.
    condition
        Columns of the corpus to condition on, such as genre.
    seed
        The seed.
    folder
        The folder for ``metrics.jsonl`` and checkpoints during the fit; None: none are written.
    resume
        Continue from the checkpoint in ``folder``.

    Raises
    ------
    UsageError
        The recipe, an option or a condition is unknown.
    LyristError
        There are no training songs, or a pretrained model cannot be loaded.
    """
    found, settings, schedule = configure(recipe, options, seed, "write")
    writer, tokens = build(corpus, recipe, options or {}, condition, seed)
    model, shape = writer.model, _shape(tokens, settings)
    used_as_is = found.family == "mixture" and song_tokens.pretrained_of(settings) is not None
    if found.trained_in_steps and not used_as_is:
        network = model if found.family == "neural" else model.network
        shape = dataclasses.replace(shape, context=_context(network, shape))
        writer.outcome = _train(writer, network, tokens, settings, shape, schedule, folder, resume)
    if found.family != "neural":
        model.learn(*(tokens.sequences(split, shape.bos, shape.eos) for split in ("train", "validation")))
    if hasattr(model, "merge_and_unload"):  # low-rank additions become part of the weights
        if len(tokens.tokenizer) == tokens.lyrics:  # no added tokens: the additions are all that was trained
            writer.adapter = adapter.Adapter.of(model, base_name(settings.model))
        writer.model = model.merge_and_unload()
    if tokens.prompt:
        writer.model = writer.model.to(writing_dtype("cpu"))
    else:
        writer.style = logit_bias.learn(tokens)
    if song_tokens.pretrained_of(settings) is None:
        writer.words = vocabularies.known_words(corpus)
    writer.model.eval()
    _describe(writer)
    return writer


def build(
    corpus: Corpus, recipe: str, options: Mapping[str, Any], condition: Sequence[str] = (), seed: int = 0
) -> tuple[Writer, SongTokens]:
    """Return a language model before any training, and the tokens of the corpus; parameters as `fit_writer`."""
    found, settings, schedule = configure(recipe, options, seed, "write")
    if condition and found.family == "mixture" and song_tokens.pretrained_of(settings):
        raise UsageError(
            f"A mixture with the network '{settings.network}' has no conditions, because that network is not trained; "
            "leave --condition out, or choose another --network."
        )
    tokens = tokenise(corpus, settings, tuple(condition))
    with hushed(), seeded(schedule.seed):
        shape = _shape(tokens, settings)
        model = found.build(settings, shape)
    writer = Writer(model, tokens.tokenizer, tokens.conditions, recipe, _context(model, shape), ledger=tokens.ledger)
    writer.seq2seq, writer.prompt = bool(model.config.is_encoder_decoder), tokens.prompt
    _describe(writer)
    return writer, tokens


def untuned(recipe: str, options: Mapping[str, Any] | None = None) -> Writer:
    """Return the pretrained model of `causal` or `t5` without fine-tuning and without conditions, for comparison."""
    found, settings, _ = configure(recipe, options, task="write")
    if not hasattr(settings, "tokenizer"):
        raise UsageError(f"The recipe '{recipe}' is trained from scratch; it has no pretrained model.")
    with hushed():
        tokenizer = settings.tokenizer()
        tokens = SongTokens({}, tokenizer, {}, {}, len(tokenizer))
        shape = _shape(tokens, settings)
        model = found.build(dataclasses.replace(settings, lora=False), shape).eval()
    writer = Writer(model, tokenizer, {}, recipe, _context(model, shape), bool(model.config.is_encoder_decoder))
    writer.prompt = settings.prompt(tokenizer)
    _describe(writer)
    writer.trained = "\n" not in tokenizer.get_added_vocab()  # the line end is the only token that may be added here
    return writer


def _context(model: Any, shape: WriterShape) -> int:
    """Return the context length of a model: that of its configuration, or the requested one within its limit."""
    config = model.config
    if hasattr(config, "context"):
        return int(config.context)
    limit = getattr(config, "max_position_embeddings", None)
    return min(shape.context, int(limit)) if limit else shape.context


def _shape(tokens: SongTokens, settings: Any) -> WriterShape:
    tokenizer = tokens.tokenizer
    eos = tokenizer.eos_token_id
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else eos
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else eos
    return WriterShape(len(tokenizer), padding, bos, eos, settings.context, tokens.lyrics)


def _train(
    writer: Writer,
    network: Any,
    tokens: SongTokens,
    settings: Any,
    shape: WriterShape,
    schedule: Schedule,
    folder: Path | None,
    resume: bool,
) -> Outcome:
    """Train a network in the training loop."""
    if writer.seq2seq:
        about = (writer.source, shape.padding, shape.eos, shape.context)
        songs: Any = Continuations(tokens, "train", *about, settings.condition_dropout, 0)
        held: Any = Continuations(tokens, "validation", *about, 0.0, settings.validation_songs)
    else:
        songs = song_tokens.examples(tokens, "train", settings, shape, training=True)
        held = song_tokens.examples(tokens, "validation", settings, shape, training=False)
    network.loss_only = True
    try:
        with warnings.catch_warnings():  # peft uses a deprecated name
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            return train(
                network,
                songs,
                held if len(held) else None,
                schedule,
                measure=continuation if writer.seq2seq else language,
                folder=folder,
                resume=resume,
                bucketed=songs.bucketed,
                title=writer.recipe,
            )
    finally:
        network.loss_only = False


def _columns_in_sequence(model: Any) -> None:
    """Store the columns of weights in sequence: products of float32 matrices with a dozen rows then take half the time."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer.weight.dtype == torch.float32 and layer.weight.is_cpu:
            layer.weight.data = layer.weight.data.t().contiguous().t()


def _known_words(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text(encoding="utf-8").split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise LyristError(f"{path} is damaged ({error}); train the writer again.") from None


def _describe(writer: Writer) -> None:
    """Set the generation defaults: special tokens, and sampling instead of greedy decoding."""
    writer.trained = writer.outcome is None or writer.outcome.steps > 0
    config: Any = writer.model.generation_config
    config.bos_token_id, config.eos_token_id = writer.bos, writer.eos
    config.pad_token_id = writer.tokenizer.pad_token_id
    config.do_sample, config.top_p = True, 0.95
    config.max_new_tokens = 256
