"""Writers: fitted, scored whatever the batch, saved, opened by transformers, and refused where a score would lie."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, pipeline

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.training import journal, loop, muon
from lyrist.training.estimators import resolved
from lyrist.training.loop import Loop
from lyrist.training.writer import Writer, fit_writer, untuned
from tinytokenizer import byte_tokenizer, gpt2_model, t5_model

SMALL: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 16, "embedding_size": 16},
    "gpt": {"width": 16, "feedforward": 32, "layers": 1, "pairs": 97},
}
SCHEDULE = {
    "steps": 12, "batch_size": 6, "evaluate_every": 4, "log_every": 2, "precision": "float32", "vocabulary": 290,
    "context": 48,
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(make_corpus: Any, two_genres: Any) -> Corpus:
    return make_corpus(two_genres(range(2, 8)))


def fit(corpus: Corpus, recipe: str = "gru", **more: Any) -> Writer:
    folder, resume = more.pop("folder", None), more.pop("resume", False)
    given = {**SCHEDULE, **SMALL[recipe], **more}
    return fit_writer(corpus, recipe, given, ["genre"], seed=3, folder=folder, resume=resume)


@pytest.fixture(scope="module", params=list(SMALL))
def writer(request: pytest.FixtureRequest, corpus: Corpus) -> Writer:
    progress.quiet()
    torch.set_num_threads(1)
    return fit(corpus, request.param)


SONGS = ["", "love\n", "money on my mind 1\n" * 3, "love in the rain\n\nlove" * 24, "<|genre:rap|> 日本\n"]
GENRES = [{"genre": "pop"}, {}, {"genre": "rap"}, {"genre": "pop", "year": "1999"}, {"genre": "polka"}]


def test_it_learns_and_says_so(corpus: Corpus) -> None:
    found = fit(corpus, steps=40, learning_rate=0.02)
    assert found.outcome is not None
    losses = [row["loss"] for row in found.outcome.metrics if row["split"] == "validation"]
    assert found.outcome.metrics[0]["step"] == 0
    assert losses[0] == pytest.approx(np.log(288), abs=0.4)  # all that can be written, and nothing else
    assert losses[-1] < losses[0] - 1
    assert found.ledger["train"]["kept"] == len(corpus.songs("train"))
    held = corpus.songs("validation")
    mean = np.concatenate(found.losses(held["lyrics"].to_list(), held.select("genre").to_dicts())).mean()
    longest = max(len(found.encode(text)) for text in held["lyrics"])
    if longest < 46:  # one window a song: what the loop has read
        assert mean == pytest.approx(found.outcome.best_loss, rel=1e-4)


def test_every_token_is_scored_once_whatever_its_company(writer: Writer) -> None:
    alone = [writer.losses([song], [given])[0] for song, given in zip(SONGS, GENRES, strict=True)]
    for song, nats in zip(SONGS, alone, strict=True):
        assert len(nats) == len(writer.encode(song)) + 1
        assert (nats > 0).all()
    assert len(alone[3]) > 2 * writer.context  # read in windows

    @given(st.permutations(range(len(SONGS))), st.integers(1, 7))
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def same(order: list[int], size: int) -> None:
        found = writer.losses([SONGS[n] for n in order], [GENRES[n] for n in order], batch_size=size)
        for number, nats in zip(order, found, strict=True):
            np.testing.assert_allclose(nats, alone[number], rtol=1e-4, atol=1e-5)

    same()


def test_conditions_make_a_difference_and_unknown_ones_are_told(writer: Writer) -> None:
    assert writer.prefix({}) == writer.prefix() == [writer.bos]
    assert len(writer.prefix({"genre": "rap"})) == 2
    with pytest.raises(UsageError, match="Known: pop, rap"):
        writer.prefix({"genre": "polka"})
    with pytest.raises(UsageError, match="Known: genre"):
        writer.prefix({"artist": "ABBA"})


def test_it_is_saved_and_opened_again(writer: Writer, tmp_path: Path) -> None:
    writer.save(tmp_path / "model")
    again = Writer.load(tmp_path / "model")
    assert again.conditions == writer.conditions
    assert (again.recipe, again.context, again.seq2seq) == (writer.recipe, writer.context, False)
    for one, other in zip(writer.losses(SONGS), again.losses(SONGS), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert again.parameters() == writer.parameters() > 1000


def test_transformers_opens_what_was_saved(writer: Writer, tmp_path: Path) -> None:
    writer.save(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(model) is type(writer.model)
    written = pipeline("text-generation", str(tmp_path))("love", max_new_tokens=5, do_sample=False)
    assert written[0]["generated_text"].startswith("love")


def test_damaged_writers_are_told(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(LyristError, match="is not a saved writer"):
        Writer.load(tmp_path)
    writer.save(tmp_path)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if "genre" not in t["content"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(LyristError, match="does not match"):
        Writer.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(LyristError, match="damaged"):
        Writer.load(tmp_path)


def test_the_same_seed_gives_the_same_writer(corpus: Corpus, writer: Writer) -> None:
    again = fit(corpus, writer.recipe)
    for one, other in zip(writer.losses(SONGS), again.losses(SONGS), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("recipe", list(SMALL))
def test_an_interrupted_run_ends_like_one_that_was_not(
    corpus: Corpus, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(corpus, recipe, folder=tmp_path)
    rows = journal.read(tmp_path)
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    cut = tmp_path / "cut"
    cut.mkdir()
    after = Loop.after_step

    def killed(self: Loop, control: Any) -> None:
        if self.state.global_step == 7:
            raise KeyboardInterrupt
        after(self, control)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "after_step", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(corpus, recipe, folder=cut)
    again = fit(corpus, recipe, folder=cut, resume=True)
    for one, other in zip(whole.losses(SONGS), again.losses(SONGS), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    for one, other in zip(rows, journal.read(cut), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_accumulated_batches_give_the_same_gradients(corpus: Corpus) -> None:
    settled = {"dropout": 0.0, "condition_dropout": 0.0, "steps": 4}
    losses = [fit(corpus, **settled, accumulate=n).outcome.metrics[-1]["loss"] for n in (1, 3)]  # type: ignore[union-attr]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_other_layouts_train_too(corpus: Corpus, layout: str) -> None:
    found = fit(corpus, "gpt", layout=layout, steps=2, context=128)
    assert found.outcome is not None
    assert 0 < found.outcome.padding < 1


def test_options_are_resolved_and_wrong_ones_told() -> None:
    told = resolved("gpt", {"width": "64", "steps": "5"}, seed=2, task="write")
    assert (told["width"], told["steps"], told["seed"], told["optimizer"]) == (64, 5, 2, "muon")
    with pytest.raises(UsageError, match="not for writing"):
        resolved("lstm", task="write")
    with pytest.raises(UsageError, match="no pretrained model"):
        untuned("gpt")


# Muon.


def test_muon_moves_along_orthogonal_matrices() -> None:
    drawn = torch.randn(2, 24, 10, generator=torch.Generator().manual_seed(0))
    for matrices in (drawn, drawn.transpose(1, 2)):
        values = torch.linalg.svdvals(muon.orthogonal(matrices, half=False))
        assert (values > 0.5).all()
        assert (values < 1.4).all()
        assert torch.allclose(
            muon.orthogonal(matrices, half=False)[:1], muon.orthogonal(matrices[:1] * 9, half=False), atol=1e-3
        )


def test_muon_takes_the_inner_matrices_alone(corpus: Corpus) -> None:
    model = fit(corpus, "gpt", steps=1).model
    inner, others = muon.split(model)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].partition(".")[0] for p in inner} == {"blocks"}
    assert len(inner) + len(others) == len(list(model.parameters()))


# Pretrained models: tiny ones, made here.


@pytest.fixture(scope="module")
def gpt2(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gpt2_model(tmp_path_factory.mktemp("gpt2"), corpus.songs("train")["lyrics"].to_list())


TUNING = {"steps": 6, "batch_size": 4, "evaluate_every": 3, "learning_rate": 0.01, "precision": "float32"}


@pytest.mark.parametrize("lora", [False, True])
def test_a_causal_model_is_fine_tuned(corpus: Corpus, gpt2: Path, lora: bool, tmp_path: Path) -> None:
    given = {**TUNING, "model": str(gpt2), "lora": lora, "lora_rank": 2}
    before = untuned("causal", given)
    found = fit_writer(corpus, "causal", given, ["genre"])
    assert type(found.model) is GPT2LMHeadModel
    assert found.context == before.context == 40
    songs = corpus.songs("test")["lyrics"].to_list()
    assert sum(map(np.sum, found.losses(songs))) < sum(map(np.sum, before.losses(songs)))
    rows = found.model.get_input_embeddings().weight
    assert len(rows) == len(found.tokenizer) == len(before.tokenizer) + 2
    assert not torch.allclose(rows[-1], rows[-2])  # they began at the same mean
    one, many = found.losses(SONGS, GENRES, batch_size=1), found.losses(SONGS, GENRES)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    found.save(tmp_path)
    again = Writer.load(tmp_path)
    np.testing.assert_allclose(again.losses(SONGS)[3], found.losses(SONGS)[3], rtol=1e-5)
    assert found.decode(found.encode(SONGS[4])) == SONGS[4]


def test_added_rows_that_were_never_trained_are_refused(corpus: Corpus, gpt2: Path, tmp_path: Path) -> None:
    found = fit_writer(corpus, "causal", {**TUNING, "model": str(gpt2), "steps": 1}, ["genre"])
    found.trained = False
    found.save(tmp_path)
    with pytest.raises(LyristError, match="were not trained"):
        Writer.load(tmp_path).losses(["la"])


def test_a_tokenizer_with_an_id_beyond_the_model_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    fit_writer(corpus, "gru", {"hidden": 8, "embedding_size": 8, "vocabulary": 300, "context": 64, "steps": 1}).save(
        tmp_path
    )
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    vocabulary[max(vocabulary, key=vocabulary.__getitem__)] = 9_999
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(LyristError, match=r"does not match its model|damaged"):
        Writer.load(tmp_path)


@pytest.mark.parametrize("size", [-1e300, 0, 1e9, "many", None])
def test_a_number_of_lyrics_tokens_that_cannot_be_is_refused(corpus: Corpus, tmp_path: Path, size: Any) -> None:
    writer = fit_writer(corpus, "ngram", {"order": 2, "vocabulary": 300})
    writer.save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "lyrics_size": size}))
    with pytest.raises(LyristError, match=r"damaged|cannot be"):
        Writer.load(tmp_path)


def test_pretrained_models_that_cannot_be_used(
    corpus: Corpus, gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LyristError, match=r"name a folder with config\.json"):
        fit_writer(corpus, "causal", {"model": str(tmp_path / "nowhere")})
    byte_tokenizer(["la la land"] * 9, 290).save_pretrained(str(tmp_path))
    config = GPT2Config(vocab_size=100, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(LyristError, match="does not match its model"):
        fit_writer(corpus, "causal", {"model": str(tmp_path)})


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return t5_model(tmp_path_factory.mktemp("t5"))


def test_an_encoder_decoder_continues_songs(corpus: Corpus, t5: Path, tmp_path: Path) -> None:
    given = {**TUNING, "model": str(t5), "context": 32, "learning_rate": 0.02}
    found = fit_writer(corpus, "t5", given, ["genre"])
    assert found.seq2seq
    assert "\n" in found.decode(found.encode("a\nb"))
    with pytest.raises(LyristError, match="were not trained"):
        untuned("t5", given).losses(["a\nb"])
    assert found.outcome is not None
    losses = [row["loss"] for row in found.outcome.metrics if row["split"] == "validation"]
    assert losses[-1] < losses[0]
    assert found.decode(found.prefix({"genre": "rap"})).strip() == "continue the lyrics, genre: rap:"
    assert found.source({"genre": "rap"}, [5, 6])[-3:] == [5, 6, found.eos]
    one, many = found.losses(SONGS[1:4], GENRES[1:4], batch_size=1), found.losses(SONGS[1:4], GENRES[1:4])
    for song, a, b in zip(SONGS[1:4], one, many, strict=True):
        assert len(a) == len(found.encode(song)) + 1
        assert (a > 0).all()
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    found.save(tmp_path)
    again = Writer.load(tmp_path)
    np.testing.assert_allclose(again.losses(SONGS[3:4])[0], found.losses(SONGS[3:4])[0], rtol=1e-5)
    written = again.model.generate(torch.tensor([again.source({"genre": "pop"})]), max_new_tokens=3)
    assert written.shape[1] >= 2


PRETRAINED = os.environ.get("LYRIST_PRETRAINED", "")
"""A file ``*.gguf`` or a folder with a real causal model, such as SmolLM2-135M, to fine-tune for minutes."""


@pytest.mark.slow
@pytest.mark.skipif(not PRETRAINED, reason="LYRIST_PRETRAINED names no model")
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore")
def test_a_real_pretrained_model_gets_better_at_songs() -> None:
    corpus = Corpus.open(os.environ["LYRIST_CORPUS"])
    given = {"model": PRETRAINED, "context": 128, "steps": 12, "batch_size": 4, "learning_rate": 1e-4, "threads": 1}
    songs = corpus.songs("test")["lyrics"].to_list()[:6]

    def bits(writer: Writer) -> float:
        return float(sum(map(np.sum, writer.losses(songs))) / np.log(2) / sum(len(song.encode()) for song in songs))

    before = bits(untuned("causal", given))
    after = bits(fit_writer(corpus, "causal", {**given, "evaluate_every": 1000, "validation_songs": 4}))
    print(f"bits per byte before {before:.3f}, after {after:.3f}")  # noqa: T201
    assert after < before
