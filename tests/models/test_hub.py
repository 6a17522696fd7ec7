"""What transformers opens: no code that comes with a model, no pickle, no file elsewhere; one module calls it."""

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from lyrist import progress
from lyrist.errors import LyristError
from lyrist.models import adapter, auto, hub
from lyrist.models.network import hushed
from lyrist.training.classifier import NeuralClassifier
from lyrist.training.estimators import make_estimator

SOURCE = Path(hub.__file__).parents[1]
CODE = 'from pathlib import Path\nPath({path!r}).write_text("run")\nclass Own:\n    pass\n'
LYRICS, LABELS = ["river moon stone", "neon engine wire"] * 10, ["ann", "bob"] * 10


@pytest.fixture(scope="module", autouse=True)
def _calm() -> None:
    progress.quiet()
    torch.set_num_threads(1)
    auto.register()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    names = {name: place for place, name in enumerate(["[PAD]", "[UNK]", "river", "moon", "neon"])}
    config = BertConfig(
        vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=32, id2label={0: "ann", 1: "bob"}, label2id={"ann": 0, "bob": 1},
    )  # fmt: skip
    made = Tokenizer(models.WordLevel(names, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    with hushed():
        BertForSequenceClassification(config).save_pretrained(folder)
        PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
            str(folder)
        )
    return folder


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lstm")
    options = {"steps": 2, "embedding_size": 8, "hidden": 8, "min_count": 1, "device": "cpu"}
    make_estimator("lstm", options).fit(LYRICS, LABELS).save(folder)
    return folder


def changed(source: Path, target: Path, name: str = hub.CONFIG, **values: Any) -> Path:
    """Return a copy of a saved model with other values in one of its JSON files."""
    shutil.copytree(source, target)
    said = json.loads((target / name).read_text()) if (target / name).exists() else {}
    (target / name).write_text(json.dumps({**said, **values}))
    return target


def test_no_other_module_calls_transformers_to_open_something() -> None:
    found = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if name in (
                "from_pretrained",
                "from_config",
                "pipeline",
                "trust_remote_code",
                "get_class_from_dynamic_module",
            ):
                found.setdefault(path.relative_to(SOURCE).as_posix(), []).append(node)
    assert set(found) == {"models/hub.py"}


def test_every_call_refuses_code() -> None:
    tree = ast.parse(Path(hub.__file__).read_text(encoding="utf-8"))
    calls = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("from_pretrained", "from_config")
    ]  # fmt: skip
    assert len(calls) == 3
    for call in calls:
        given = {key.arg: key.value for key in call.keywords}
        assert isinstance(given["trust_remote_code"], ast.Constant)
        assert given["trust_remote_code"].value is False


def opened(folder: Path) -> Any:
    return NeuralClassifier.load(folder).predict(["river moon"])


def tuned(folder: Path) -> Any:
    options = {"model": str(folder), "steps": 1, "max_length": 16, "device": "cpu"}
    return make_estimator("encoder", options).fit(LYRICS, LABELS)


@pytest.fixture
def no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    def prompt(*_: Any) -> str:
        raise AssertionError("it asked")

    monkeypatch.setattr("builtins.input", prompt)


OWN_CODE = {
    "AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"],
}  # fmt: skip


@pytest.mark.parametrize("use", [opened, tuned])
@pytest.mark.parametrize("kind", ["bert", "its-own"])
def test_code_beside_a_model_is_never_run(
    use: Callable[[Path], Any], kind: str, bert: Path, tmp_path: Path, no_prompt: None
) -> None:
    folder = changed(bert, tmp_path / "model", auto_map=OWN_CODE, model_type=kind)
    said = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**said, "auto_map": OWN_CODE, "tokenizer_class": "Own"}))
    (folder / "own.py").write_text(CODE.format(path=str(tmp_path / "run")))
    if kind == "bert":
        use(folder)
    else:
        with pytest.raises(LyristError):
            use(folder)
    assert not (tmp_path / "run").exists()


SETTINGS: dict[str, Any] = {
    "attention from the hub": {"_attn_implementation": "kernels-community/evil"},
    "attention from the hub, the public name": {"attn_implementation": "evil/attention"},
    "attention that is set inside": {"_attn_implementation_internal": "evil/attention"},
    "experts from the hub": {"experts_implementation": "evil/experts"},
    "weights elsewhere": {"transformers_weights": "../../elsewhere.safetensors"},
    "a name elsewhere": {"_name_or_path": "/etc"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_name_code_or_files_are_not_read(name: str, lstm: Path, bert: Path, tmp_path: Path) -> None:
    for number, source in enumerate((lstm, bert)):
        network = NeuralClassifier.load(changed(source, tmp_path / str(number), **SETTINGS[name])).model_
        assert network.config._attn_implementation in ("sdpa", "eager")
        assert not hasattr(network.config, "transformers_weights")


REFUSED: dict[str, Any] = {
    "quantized weights": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    "no type": {"model_type": None},
    "an unknown type": {"model_type": "its-own"},
    "a type that is no text": {"model_type": ["bert"]},
    "a type of another task": {"model_type": "vit"},
    "more layers than weights": {"num_hidden_layers": 10**9, "layers": 10**9},
    "a size beyond all bounds": {"hidden": 2**40, "vocab_size": 2**40},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_configuration_that_cannot_be_is_refused(name: str, lstm: Path, tmp_path: Path) -> None:
    folder = changed(lstm, tmp_path / "model", **REFUSED[name])
    with pytest.raises(LyristError, match="damaged"):
        NeuralClassifier.load(folder)


def test_a_run_of_an_own_network_opens_as_nothing_else(lstm: Path, bert: Path, tmp_path: Path) -> None:
    assert NeuralClassifier.load(lstm, "lstm").recipe == "lstm"
    assert NeuralClassifier.load(bert, "encoder").recipe == "encoder"
    with pytest.raises(LyristError, match="not the recipe's"):
        NeuralClassifier.load(bert, "lstm")
    with pytest.raises(LyristError, match=r"but run\.json says 'gru'"):
        NeuralClassifier.load(lstm, "gru")


def test_a_tokenizer_names_no_class_and_no_file(lstm: Path, tmp_path: Path) -> None:
    wanted = NeuralClassifier.load(lstm)
    (tmp_path / "outside.txt").write_text("river")
    outside = str(tmp_path / "outside.txt")
    folder = changed(
        lstm, tmp_path / "model", "tokenizer_config.json", tokenizer_class="MistralCommonBackend", vocab_file=outside,
        tokenizer_file=outside, gguf_file=outside, tokenizer_object={"x": 1}, fix_mistral_regex=True,
    )  # fmt: skip
    again = NeuralClassifier.load(folder)
    assert type(again.tokenizer_) is PreTrainedTokenizerFast
    assert (again.predict_proba(LYRICS) == wanted.predict_proba(LYRICS)).all()


@pytest.mark.parametrize(
    "content", ["", "{}", '{"model": {"type": "BPE"}}', "[1]", '{"version": "1.0", "model": null}']
)
def test_a_damaged_tokenizer_is_one_sentence(content: str, lstm: Path, tmp_path: Path) -> None:
    folder = changed(lstm, tmp_path / "model")
    (folder / hub.TOKENIZER).write_text(content)
    with pytest.raises(LyristError, match="damaged"):
        NeuralClassifier.load(folder)


@pytest.mark.parametrize("number", [hub.MOST_TOKENS + 1, 2**32 - 1])
def test_a_token_with_a_number_that_cannot_be_is_refused(number: int, lstm: Path, tmp_path: Path) -> None:
    folder = changed(lstm, tmp_path / "model")
    content = json.loads((folder / hub.TOKENIZER).read_text())
    content["model"]["vocab"]["never"] = number
    (folder / hub.TOKENIZER).write_text(json.dumps(content))
    with pytest.raises(LyristError, match=f"damaged .*number {number:,}"):
        NeuralClassifier.load(folder)


# Weights.


def without_weights(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    (target / hub.WEIGHTS).unlink()
    return target


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "last.ckpt"])
def test_pickled_weights_are_refused_with_the_way_out(name: str, bert: Path, tmp_path: Path) -> None:
    folder = without_weights(bert, tmp_path / "model")
    torch.save(load_file(bert / hub.WEIGHTS), folder / name)
    with pytest.raises(LyristError, match=rf"{name} is a pickle.*safetensors or GGUF"):
        tuned(folder)
    with pytest.raises(LyristError, match="is a pickle"):
        hub.pretrained_network(AutoModelForCausalLM, str(folder / name))
    with pytest.raises(LyristError, match=r"no model\.safetensors"):
        NeuralClassifier.load(folder)


@pytest.mark.parametrize(
    "shard", ["../outside.safetensors", "/outside.safetensors", "part.bin", "deep/part.safetensors"]
)
def test_weights_in_parts_stay_in_their_folder(shard: str, bert: Path, tmp_path: Path) -> None:
    folder = without_weights(bert, tmp_path / "model")
    weights = load_file(bert / hub.WEIGHTS)
    save_file(weights, tmp_path / "outside.safetensors", metadata={"format": "pt"})
    torch.save(weights, folder / "part.bin")
    for name in ("model-00001.safetensors", shard):
        save_file(weights, folder / "model-00001.safetensors", metadata={"format": "pt"})
        index = {"metadata": {}, "weight_map": dict.fromkeys(weights, name)}
        (folder / hub.INDEX).write_text(json.dumps(index))
        if name == shard:
            with pytest.raises(LyristError, match="not a safetensors file in this folder"):
                NeuralClassifier.load(folder)
        else:
            assert len(NeuralClassifier.load(folder).predict(["river"])) == 1


def test_an_adapter_does_not_lead_to_another_model(bert: Path, tmp_path: Path) -> None:
    said = {"base_model_name_or_path": str(bert), "peft_type": "LORA", "task_type": "SEQ_CLS"}
    folder = changed(bert, tmp_path / "model", adapter.CONFIG, **said)
    for use in (opened, tuned):
        with pytest.raises(LyristError, match="adapter"):
            use(folder)


def test_a_network_inside_a_mixture_is_one_of_lyrist() -> None:
    for kind in ("gpt2", "lyrist-mixture", "its-own"):
        with pytest.raises(ValueError, match=r"which is not the recipe's|not a mixture|its-own"):
            from lyrist.models.mixture import _from_config

            _from_config({"model_type": kind})


def test_a_pretrained_writer_of_a_folder_is_opened_without_its_code(tmp_path: Path, no_prompt: None) -> None:
    config = GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=1)
    with hushed():
        GPT2LMHeadModel(config).save_pretrained(tmp_path / "plain")
    folder = changed(
        tmp_path / "plain", tmp_path / "model", auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
    )
    (folder / "own.py").write_text(CODE.format(path=str(tmp_path / "run")))
    assert type(hub.pretrained_network(AutoModelForCausalLM, str(folder))) is GPT2LMHeadModel
    assert not (tmp_path / "run").exists()
    with pytest.raises(LyristError, match="could be opened"):
        hub.pretrained_network(AutoModelForSequenceClassification, str(tmp_path / "nowhere.gguf"))
