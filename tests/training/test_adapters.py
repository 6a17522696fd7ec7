"""Tuning chat models by LoRA: the adapter is a file of peft, the prompt is the model's own, and tuning can go on."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.models import adapter, fetch, hub, instructions
from lyrist.models.adapter import Adapter
from lyrist.training.train import Fitted, train
from lyrist.training.writer import Writer, fit_writer, untuned
from tinytokenizer import chat_model

TUNING = {
    "steps": 6, "batch_size": 4, "evaluate_every": 3, "learning_rate": 0.01, "precision": "float32", "context": 400,
    "lora": True, "lora_rank": 2,
}  # fmt: skip
GIVEN = {"genre": "rap", "title": "Lantern"}


@pytest.fixture(scope="module")
def corpus(make_corpus: Any, two_genres: Any) -> Corpus:
    songs = two_genres(range(2, 8), lambda n: f"lantern{'x' * n}\n")
    return make_corpus(songs.with_columns(title="Song " + pl.int_range(pl.len()).cast(pl.String)))


@pytest.fixture(scope="module")
def chat(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model."""
    folder = tmp_path_factory.mktemp("chat")
    texts = [*corpus.songs("train")["lyrics"], instructions.request({}), instructions.SYSTEM] * 4
    return chat_model(folder, texts)


@pytest.fixture(scope="module")
def run(corpus: Corpus, chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    progress.quiet()
    folder = tmp_path_factory.mktemp("runs") / "run"
    given = {name: str(value) for name, value in TUNING.items() if name not in ("steps", "batch_size")}
    steps = {"steps": 6, "batch_size": 4, "device": "cpu"}
    train("causal", str(corpus.path), out=str(folder), condition="genre", **steps, **given, model=str(chat))  # type: ignore[arg-type]
    return folder


def losses(writer: Writer, corpus: Corpus) -> float:
    songs = corpus.songs("test")
    return float(sum(map(np.sum, writer.losses(songs["lyrics"].to_list(), songs.select("genre").to_dicts()))))


def test_a_chat_model_is_tuned_on_its_own_prompts(corpus: Corpus, chat: Path, run: Path) -> None:
    tuned, before = Writer.load(run / "model"), untuned("causal", {"model": str(chat), "context": 400})
    assert (tuned.prompt, before.prompt) == ("chat", "chat")
    assert losses(tuned, corpus) < losses(before, corpus)
    assert len(tuned.tokenizer) == len(before.tokenizer)  # no token is added
    assert tuned.prefix(GIVEN) == instructions.prompt_ids(tuned.tokenizer, GIVEN)
    assert tuned.prefix({"genre": "a genre of my own"})
    with pytest.raises(UsageError, match="Did you mean 'genre'"):
        tuned.prefix({"gnere": "rap"})


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's own
def test_the_adapter_is_one_of_peft(chat: Path, run: Path) -> None:
    folder, tuned = run / "model", Writer.load(run / "model")
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= {p.name for p in folder.iterdir()}
    assert not (folder / "model.safetensors").exists()
    base = AutoModelForCausalLM.from_pretrained(chat)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(
        instructions.messages(GIVEN), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    assert ids[0].tolist() == tuned.prefix(GIVEN)
    with torch.no_grad():
        wanted = PeftModel.from_pretrained(base, str(folder)).eval()(input_ids=ids).logits
        found = tuned.model.float()(input_ids=ids).logits
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_prompt_is_recorded(chat: Path, run: Path) -> None:
    prompt = json.loads((run / "run.json").read_text())["prompt"]
    assert prompt["base"] == str(chat)
    assert prompt["messages"] == instructions.messages({"genre": "<genre>", "title": "<title>", "about": "<about>"})
    card = (run / "model" / "README.md").read_text()
    assert "apply_chat_template" in card
    assert "Write a <genre> song called" in card


def test_a_tuned_model_is_tuned_further(corpus: Corpus, run: Path, tmp_path: Path) -> None:
    before = Writer.load(run / "model")
    given = {**TUNING, "model": str(run)}
    further = fit_writer(corpus, "causal", given, ["genre"], seed=1)
    assert losses(further, corpus) < losses(before, corpus)
    further.save(tmp_path)
    again = Writer.load(tmp_path)
    assert losses(again, corpus) == pytest.approx(losses(further, corpus), rel=1e-5)
    assert adapter.base_of(tmp_path) == adapter.base_of(run / "model")
    whole = fit_writer(corpus, "causal", {**given, "lora": False, "learning_rate": 1e-3}, ["genre"])
    assert whole.adapter is None
    assert losses(whole, corpus) < losses(before, corpus)


def test_a_model_with_tokens_of_conditions_is_tuned_further(corpus: Corpus, chat: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):  # no chat template
        (tmp_path / name).write_bytes((chat / name).read_bytes())
    given = {**TUNING, "lora": False, "model": str(tmp_path)}
    first = fit_writer(corpus, "causal", given, ["genre"])
    assert first.prompt == ""
    first.save(tmp_path / "first")
    second = fit_writer(
        corpus, "causal", {**given, "model": str(tmp_path / "first"), "steps": 1, "learning_rate": 1e-9}, ["genre"]
    )
    assert second.prefix({"genre": "rap"}) == first.prefix({"genre": "rap"})
    assert len(second.tokenizer) == len(first.tokenizer)
    assert losses(second, corpus) == pytest.approx(losses(first, corpus), rel=1e-5)  # the rows keep their values


def test_a_finished_run_has_nothing_to_resume(corpus: Corpus, chat: Path, run: Path) -> None:
    given: dict[str, Any] = {name: str(value) for name, value in TUNING.items() if name not in ("steps", "batch_size")}
    again = train(
        "causal", str(corpus.path), out=str(run), condition="genre", steps=6, batch_size=4, device="cpu", resume=True,
        **given, model=str(chat),
    )  # fmt: skip
    assert isinstance(again, Fitted)
    assert "it was finished before: there was nothing to resume" in again.summary()
    assert again.figures()["resumed"] is False


def test_training_prompts_have_titles_and_topics_at_random(corpus: Corpus, chat: Path) -> None:
    from lyrist.models.pretrained import CausalOptions
    from lyrist.training.song_tokens import tokenise

    sequences = tokenise(corpus, CausalOptions(model=str(chat), context=400), ("genre",)).sequences("train", 0, 1)
    decode = sequences._tokenizer.decode  # type: ignore[attr-defined]
    assert decode(sequences.prefix(3)).count("Write a rap song. Short lines.") == 1  # in scoring: conditions alone
    torch.manual_seed(0)
    drawn = [decode(sequences.prefix(3, hidden=0.1)) for _ in range(40)]
    shares = [
        np.mean([text in prompt for prompt in drawn]) for text in ('called "Song 3"', " about lantern", "rap song")
    ]
    assert all(0.3 < share < 1 for share in shares)
    assert not {"mind", "money"} & set(sequences.topic(3).split(", ")[:1])  # type: ignore[attr-defined]


DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"peft_type": "IA3"}, "its type is IA3"),
    "other additions": ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    "a rank beyond bounds": ({"r": 10**9}, "its rank"),
    "modules as a pattern": ({"target_modules": "(a+)+$"}, "damaged"),
    "another rank": ({"r": 3}, "damaged"),
    "no base": ({"base_model_name_or_path": None}, "names no pretrained model"),
    "a base on another machine": ({"base_model_name_or_path": "//server/share/model"}, "names no pretrained model"),
    "a base that is not here": ({"base_model_name_or_path": fetch.KNOWN["gpt2"].hub}, "lyrist models fetch gpt2"),
}  # fmt: skip


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_adapter_is_one_sentence(
    fault: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYRIST_CACHE", str(tmp_path / "cache"))
    values, message = DAMAGE[fault]
    for path in (run / "model").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    stored = json.loads((tmp_path / adapter.CONFIG).read_text())
    (tmp_path / adapter.CONFIG).write_text(json.dumps({**stored, **values}))
    with pytest.raises(LyristError, match=message):
        Writer.load(tmp_path)


def test_an_adapter_of_a_stranger_downloads_nothing_and_reads_no_other_folder(
    chat: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "hub_answers", lambda: pytest.fail("it used the network"))
    shutil.copytree(run / "model", tmp_path / "model")
    shutil.copytree(chat, tmp_path / "chat")
    stored = json.loads((tmp_path / "model" / adapter.CONFIG).read_text())

    def names(base: str) -> None:
        changed = {**stored, "base_model_name_or_path": base}
        (tmp_path / "model" / adapter.CONFIG).write_text(json.dumps(changed))

    names(str(tmp_path / "chat"))
    assert Writer.load(tmp_path / "model").prompt == "chat"  # the same weights elsewhere
    weights = load_file(tmp_path / "chat" / "model.safetensors")
    changed = {name: value + 1 for name, value in weights.items()}
    save_file(changed, tmp_path / "chat" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LyristError, match="other weights"):
        Writer.load(tmp_path / "model")
    names("owner/elsewhere")
    with pytest.raises(LyristError, match="lyrist models fetch owner/elsewhere"):
        Writer.load(tmp_path / "model")


def test_weights_of_another_adapter_are_refused(run: Path, tmp_path: Path) -> None:
    for path in (run / "model").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = {f"{name}.other": value for name, value in load_file(tmp_path / adapter.WEIGHTS).items()}
    save_file(weights, tmp_path / adapter.WEIGHTS, metadata={adapter.BASE: Adapter.load(run / "model").base})
    with pytest.raises(LyristError, match="does not belong to this model"):
        hub.causal_network(str(tmp_path))


@pytest.mark.parametrize("base", ["chat", "run"])
def test_a_mixture_uses_a_pretrained_network_as_it_is(
    base: str, corpus: Corpus, chat: Path, run: Path, tmp_path: Path
) -> None:
    named = str(chat if base == "chat" else run)
    given = {"network": "causal", "network_options": (f"model={named}",), "order": 3}
    mixture = fit_writer(corpus, "mixture", given)
    alone = hub.causal_network(named)
    for name, value in alone.named_parameters():
        if name != "lm_head.weight":
            torch.testing.assert_close(dict(mixture.model.network.named_parameters())[name], value.float())
    songs = corpus.songs("test")["lyrics"].to_list()
    cost = [float(sum(map(np.sum, each.losses(songs)))) for each in (mixture, Writer.pretrained(named))]
    assert cost[0] < cost[1]
    mixture.save(tmp_path)
    again = Writer.load(tmp_path, "mixture")
    assert sum(map(np.sum, again.losses(songs))) == pytest.approx(cost[0], rel=1e-5)
    assert again.model.generate(torch.tensor([again.prefix()]), max_new_tokens=4).shape[1] > 1
    with pytest.raises(UsageError, match="leave --condition out"):
        fit_writer(corpus, "mixture", given, ["genre"])
