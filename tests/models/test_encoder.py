from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models.network import hushed
from lyrist.models.registry import Shape
from lyrist.models.transformer import EncoderOptions, encoder, tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["river", "moon", "stone", "neon", "engine", "wire", "x", "y"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny pretrained encoder, as one would be copied to a machine that is offline."""
    progress.quiet()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder")
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, type_vocab_size=2,
    )  # fmt: skip
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[1]))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=words, **names)
    with hushed():
        BertForMaskedLM(config).save_pretrained(path)
        fast.save_pretrained(str(path))
    return path


def fitted(folder: Path, labels: tuple[str, str] = ("ann", "bob"), **options: Any) -> Any:
    from lyrist.training.estimators import make_estimator

    lyrics = ["river moon stone moon", "neon engine wire engine wire"] * 10
    given = {"model": str(folder), "steps": 30, "learning_rate": 5e-3, "max_length": 32, "device": "cpu", **options}
    table = pl.DataFrame({"lyrics": lyrics, "artist": ["x", "y"] * 10})
    return make_estimator("encoder", given).fit(table, list(labels) * 10), table


def test_it_is_fine_tuned_and_comes_back_exact(folder: Path, tmp_path: Path) -> None:
    from lyrist.training.classifier import NeuralClassifier

    model, table = fitted(folder)
    assert model.predict(table).tolist() == ["ann", "bob"] * 10
    exchanged, _ = fitted(folder, ("bob", "ann"))
    assert exchanged.predict(table).tolist() == ["bob", "ann"] * 10
    model.save(tmp_path)
    opened = NeuralClassifier.load(tmp_path)
    assert opened.recipe == "encoder"
    assert (opened.predict_proba(table) == model.predict_proba(table)).all()


def test_the_artists_name_is_read_first(folder: Path) -> None:
    model, table = fitted(folder, features="artist")
    other = table.with_columns(artist=pl.lit("moon"))
    assert (model.predict_proba(other) != model.predict_proba(table)).any()


def test_frozen_it_trains_its_head_alone(folder: Path) -> None:
    model = encoder(EncoderOptions(model=str(folder), freeze=True, dropout=0.25), Shape(12, 0, ("a", "b", "c")))
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert trained == {"classifier.weight", "classifier.bias"}
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.25}
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_length_is_limited_by_the_option_and_the_encoder(folder: Path) -> None:
    assert tokenizer(EncoderOptions(model=str(folder), max_length=7)).model_max_length == 7


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_what_is_no_encoder_is_reported_with_the_way_out(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(LyristError, match=r"name a folder with config\.json"):
        tokenizer(EncoderOptions(model=str(tmp_path)))
    with pytest.raises(LyristError, match=r"name a folder with config\.json"):
        encoder(EncoderOptions(model=str(tmp_path)), Shape(12, 0, ("a", "b")))
