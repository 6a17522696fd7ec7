"""The three calls of a language model, for models on this machine."""

import copy
import dataclasses
import math

import pytest
import torch
from tinywriter import LINES, TinyWriter

from lyrist.generation.language_model import LineRequest, LocalModel, answer_together
from lyrist.generation.prompts import Vocabulary, start


@pytest.fixture
def model(writer: TinyWriter) -> LocalModel:
    return LocalModel(start(writer, {}, None), Vocabulary(writer))


def direct(writer: TinyWriter, prefix: str, text: str) -> float:
    """Return the log-probability of a text from one pass over all tokens."""
    before, after = [*writer.prefix(), *writer.encode(prefix)], writer.encode(text)
    with torch.inference_mode():
        scores = writer.model(input_ids=torch.tensor([before + after])).logits[0].float().log_softmax(-1)
    return float(sum(scores[len(before) + place - 1, token] for place, token in enumerate(after)))


def test_sampled_lines_have_the_log_probability_of_their_text(model: LocalModel, writer: TinyWriter) -> None:
    prefix = LINES[0] + "\n"
    lines = model.lines(prefix, 4, temperature=1.0, seed=3)
    assert lines == model.lines(prefix, 4, temperature=1.0, seed=3)
    assert lines != model.lines(prefix, 4, temperature=1.0, seed=4)
    for line in lines:
        assert line.ended in ("line", "cut")
        assert "".join(text for text, _ in line.tokens) == line.text
        if writer.encode(line.text) == [i for text, _ in line.tokens for i in writer.encode(text)]:
            assert sum(each for _, each in line.tokens) == pytest.approx(direct(writer, prefix, line.text), abs=1e-3)


def test_scores_and_next_words_agree_with_one_pass(model: LocalModel, writer: TinyWriter) -> None:
    prefix = LINES[0] + "\nthe river"
    texts = [" runs away from us tonight", " runs", " is singing in the tree"]
    assert model.score(prefix, texts) == pytest.approx([direct(writer, prefix, each) for each in texts], abs=1e-3)
    words = ["silver", "tree", "lanterns"]
    expected = [direct(writer, prefix, f" {word}") for word in words]
    assert model.next_words(prefix, words) == pytest.approx(expected, abs=1e-3)
    model.lines(LINES[0] + "\n", 8, temperature=0.7, seed=1)
    assert model.next_words(prefix, words) == pytest.approx(expected, abs=1e-3)


def test_the_end_of_a_line_is_any_token_that_closes_it(model: LocalModel) -> None:
    open_end, closed = model.score(LINES[0] + "\n", [LINES[1], LINES[1] + "\n"])
    assert closed < open_end
    assert math.isfinite(closed)


def test_beginnings_that_are_not_kept_are_cut_at_a_whole_word(model: LocalModel) -> None:
    lines = model.lines(LINES[0] + "\n", 6, temperature=1.0, seed=0, keep=lambda begun: len(begun.split()) < 3)
    cut = [line for line in lines if line.ended == "cut"]
    assert cut
    assert all(len(line.text.split()) <= 3 for line in cut)


def test_lines_of_several_songs_are_sampled_together_as_alone(writer: TinyWriter) -> None:
    double = dataclasses.replace(writer, model=copy.deepcopy(writer.model).double())
    vocabulary, rows = Vocabulary(double), list[int]()
    double.model.register_forward_pre_hook(lambda _, __, given: rows.append(len(given["input_ids"])), with_kwargs=True)

    def requests() -> list[LineRequest]:
        folk, plain = (LocalModel(start(double, given, None), vocabulary) for given in ({"genre": "folk"}, {}))
        short, long = LINES[0] + "\n", "\n".join(LINES[:8]) + "\n"
        found = [
            LineRequest(folk, short, 5, 0.9, 1),
            LineRequest(plain, "", 4, 1.1, 2),
            LineRequest(plain, long, 3, 0.9, 3),
        ]
        return [*found, LineRequest(plain, "oh carry", 3, 1.0, 4, lambda begun: len(begun) < 12, empty=True)]

    alone = [each.answer() for each in requests()]
    assert max(rows) == 3, "alone, only a song that fills the context is no tree in one row"
    together = answer_together(requests())
    assert max(rows) == 5 + 4 + 3, "a song that fills the context is not joined"
    for one, other in zip(alone, together, strict=True):
        assert [(line.text, line.ended) for line in one] == [(line.text, line.ended) for line in other]
        assert [line.logprob for line in one] == pytest.approx([line.logprob for line in other])


def test_a_song_grows_from_the_tree_of_its_last_line(model: LocalModel, writer: TinyWriter) -> None:
    """Scores and states after a line are those of one pass, whether its tokens were read in a tree or again."""
    line = max(model.lines(LINES[0] + "\n", 6, temperature=0.9, seed=2), key=lambda each: len(each.text)).text
    prefix = f"{LINES[0]}\n{line}\n"
    model.score(LINES[0] + "\n", [line + " tree\n", line + " river\n", ""])
    fresh = LocalModel(start(writer, {}, None), Vocabulary(writer))
    torch.testing.assert_close(model.read(prefix).logits, fresh.read(prefix).logits, atol=1e-3, rtol=1e-3)
    assert model.read(prefix).ids.tolist() == fresh.read(prefix).ids.tolist()
    texts = [" the silver river", " the silver tree", " a lantern"]
    assert model.score(prefix + line, texts) == pytest.approx(
        [direct(writer, prefix + line, t) for t in texts], abs=1e-3
    )


def test_every_beginning_of_a_sampled_line_has_its_next_words_without_a_pass(
    model: LocalModel, writer: TinyWriter
) -> None:
    """Rows that are given up lose the last token, which was not read, and a song is read once, line ends included."""
    passes = list[int]()
    hook = writer.model.register_forward_pre_hook(
        lambda _, __, given: passes.append(given["input_ids"].numel()), with_kwargs=True
    )
    prefix = LINES[0] + "\n"
    lines = model.lines(prefix, 6, temperature=1.0, seed=0, keep=lambda begun: len(begun.split()) < 4)
    read = len(passes)
    for line in lines:
        model.next_words(prefix + line.text, ["river", "tree"])
    assert len(passes) == read
    model.score(prefix, [line.text + "\n" for line in lines])
    read = len(passes)
    model.read(prefix + max((line.text for line in lines), key=len) + "\n")
    hook.remove()
    assert len(passes) == read, "the scored line was read again"
