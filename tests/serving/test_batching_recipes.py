"""Songs that are written together are those that are written alone, for models of every kind."""

import copy
import random
from typing import Any

import pytest

from lyrist.generation.batching import BatchScheduler, SongSequence, sample
from lyrist.generation.config import SamplingOptions
from lyrist.generation.prompts import Vocabulary, start
from lyrist.training.writer import Writer

PROMPTS = [None, "the river", "come down come down the water to the sea\nthe morning bird", "I"]
SETTINGS = [
    SamplingOptions(temperature=1.0, min_p=0.0),
    SamplingOptions(temperature=0.7, top_p=0.9, top_k=40),
    SamplingOptions(repetition_penalty=1.3, no_repeat_ngram=4),
    SamplingOptions(temperature=0.0),
]


def exact(writer: Writer) -> Writer:
    """The writer in double precision: with 330 random tokens in single, a draw falls on a rounding once in a thousand."""
    found = copy.copy(writer)
    found.model = copy.deepcopy(writer.model).double()
    return found


def begun(writer: Writer, number: int) -> Any:
    return start(writer, {"genre": "folk"} if number % 3 == 0 else {}, PROMPTS[number % 4])


@pytest.mark.parametrize("recipe", ["ngram", "gru", "gpt", "mixture"])
def test_a_song_is_the_same_alone_and_among_others_that_come_and_go(writers: dict[str, Writer], recipe: str) -> None:
    writer, rng = exact(writers[recipe]), random.Random(1)
    vocabulary = Vocabulary(writer)
    alone = [sample(begun(writer, i), vocabulary, SETTINGS[i % 4], 2, max_tokens=20 + 9 * i, seed=i) for i in range(8)]
    scheduler, steps = BatchScheduler(writer, vocabulary), 0
    songs: list[list[SongSequence]] = []
    while len(songs) < 8 or len(scheduler):
        if len(songs) < 8 and rng.random() < 0.3:
            number = len(songs)
            songs.append(
                [SongSequence(begun(writer, number), SETTINGS[number % 4], 20 + 9 * number, number, n) for n in (0, 1)]
            )
            scheduler.join(songs[-1])
        scheduler.step()
        steps += 1
    assert [[song.text for song in two] for two in songs] == [[draft.text for draft in two] for two in alone]
    assert [[song.ended for song in two] for two in songs] == [[draft.ended for draft in two] for two in alone]
    assert steps < sum(song.tokens for two in songs for song in two) / 3, "they were written one after another"
    if writer.context:
        assert max(len(song.ids) for two in songs for song in two) > writer.context, "no window slid"


def test_who_leaves_changes_nothing_for_who_stays(writers: dict[str, Writer]) -> None:
    writer = writers["gpt"]
    vocabulary = Vocabulary(writer)
    [alone] = sample(begun(writer, 1), vocabulary, SETTINGS[0], 1, max_tokens=40, seed=5)
    scheduler = BatchScheduler(writer, vocabulary)
    stays = SongSequence(begun(writer, 1), SETTINGS[0], 40, 5)
    longer = [SongSequence(begun(writer, 2), SETTINGS[0], 99, 6), SongSequence(begun(writer, 2), SETTINGS[1], 99, 7)]
    scheduler.join([*longer, stays])
    for _ in range(8):
        scheduler.step()
    scheduler.leave(longer)
    assert len(scheduler) == 1
    while len(scheduler):
        scheduler.step()
    assert stays.text == alone.text
    assert not any(song.ended for song in longer)


def test_a_stop_ends_a_song_before_it(writers: dict[str, Writer]) -> None:
    writer = writers["ngram"]
    vocabulary = Vocabulary(writer)
    free, stopped = (SongSequence(begun(writer, 0), SETTINGS[0], 60, 3, stops=stops) for stops in ((), ("\n", "zzz")))
    scheduler = BatchScheduler(writer, vocabulary)
    scheduler.join([free, stopped])
    while len(scheduler):
        scheduler.step()
    assert stopped.ended == "stop"
    assert stopped.text == free.text.split("\n")[0]
    assert stopped.tokens < free.tokens


def test_what_the_model_thought_is_noted(writers: dict[str, Writer]) -> None:
    writer = writers["gpt"]
    scheduler = BatchScheduler(writer, Vocabulary(writer))
    song = SongSequence(begun(writer, 1), SamplingOptions(temperature=0, max_repeats=0), 12, top=3)
    scheduler.join([song, SongSequence(begun(writer, 2), SETTINGS[0], 12)])
    while len(scheduler):
        scheduler.step()
    assert [each.id for each in song.logprobs][: song.tokens] == song.ids[len(song.start.ids) :]
    assert all(len(each.top) == 3 and each.top[0] == (each.id, each.logprob) for each in song.logprobs if each.top)
    nats = writer.losses([writer.decode(song.ids)])[0][len(song.start.ids) : len(song.ids)]
    assert [-each.logprob for each in song.logprobs][: song.tokens] == pytest.approx(nats.tolist(), abs=1e-3)
