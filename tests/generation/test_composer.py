"""Songs by lines: the plan is kept to the line, and what is said of each line is true."""

import dataclasses

import numpy as np
import pytest
from tinywriter import LINES, TinyWriter

from lyrist import text
from lyrist.errors import LyristError, UsageError
from lyrist.generation import language_model
from lyrist.generation.composer import ComposedSong, Composer, LineSpec, LineWriter, Runs, SongPlan
from lyrist.generation.config import SamplingOptions
from lyrist.generation.form import counts, metre_misses, parse, partners
from lyrist.generation.language_model import LocalModel
from lyrist.generation.prompts import Vocabulary, start
from lyrist.text import rhyme


def composed(
    writer: TinyWriter, plan: SongPlan, prompt: str | None = None, *, seed: int = 0, runs: Runs | None = None,
    temperature: float = 1.0, limit: int = 10**6, number: int = 0,
) -> ComposedSong:  # fmt: skip
    begin, sampling = start(writer, {}, prompt), SamplingOptions(temperature=temperature)
    lines = LineWriter(LocalModel(begin, Vocabulary(writer), sampling), sampling, candidates=12, runs=runs)
    return language_model.composed(Composer(lines, plan, limit, begin.prompt).write(number, seed))


def test_the_plan_is_kept_and_the_chorus_repeated(writer: TinyWriter) -> None:
    song = composed(writer, SongPlan(parse("verse:3,chorus:2,verse,chorus")))
    sections = [part.split("\n") for part in song.text.split("\n\n")]
    assert [len(lines) for lines in sections] == [3, 2, 3, 2]
    assert sections[1] == sections[3]
    assert sections[0] != sections[2]
    assert all(rhyme.last_word(line) for lines in sections for line in lines)
    assert song.ended == "plan"
    assert [line.text for line in song.lines] == [line for lines in sections for line in lines]
    assert [line.repeated for line in song.lines] == [False] * 8 + [True] * 2


@pytest.mark.parametrize("scheme", ["AABB", "ABAB"])
def test_what_is_said_of_rhymes_and_syllables_is_true(writer: TinyWriter, scheme: str) -> None:
    song = composed(writer, SongPlan(parse("verse,chorus,chorus"), scheme, 8))
    wanted = partners(scheme, 4)
    for number, line in enumerate(song.lines):
        assert line.syllables == rhyme.line_syllables(line.text)
        assert line.syllables_met == (abs(line.syllables - 8) <= 1)
        partner = wanted[number % 4]
        if partner is None:
            assert line.rhymes_with is line.rhyme is line.rhyme_met is None
        else:
            other = song.lines[number - number % 4 + partner]
            assert line.rhymes_with == number - number % 4 + partner
            assert line.rhyme == rhyme.rhymes(rhyme.last_word(line.text), rhyme.last_word(other.text))
            assert line.rhyme_met == (line.rhyme == rhyme.Rhyme.PERFECT)
    assert counts(song.lines)["rhymes"]["wanted"] == 4
    assert counts(song.lines)["syllables"]["wanted"] == 8


def test_wishes_are_met_far_more_often_than_by_chance(writer: TinyWriter) -> None:
    plan = SongPlan(parse("verse:8"), "AABB", 10)
    asked = [line for seed in range(2) for line in composed(writer, plan, seed=seed).lines]
    met = counts(asked)
    assert met["rhymes"]["met"] >= 0.8 * met["rhymes"]["wanted"]
    assert met["syllables"]["met"] >= 0.8 * met["syllables"]["wanted"]
    ends = [[rhyme.last_word(line.text) for line in asked[i : i + 2]] for i in range(0, len(asked), 2)]
    assert sum(a == b for a, b in ends) <= 1, "a word is no rhyme for itself"


def test_a_song_depends_on_its_seed_and_number_alone(writer: TinyWriter) -> None:
    plan = SongPlan(parse("verse:2"), "AA")
    song = composed(writer, plan)
    assert composed(writer, plan) == song
    assert composed(writer, plan, seed=1).text != song.text
    assert composed(writer, plan, number=1).text != song.text
    assert composed(writer, plan, temperature=0) == composed(writer, plan, temperature=0, seed=5)


def test_a_prompt_takes_the_first_lines_and_goes_on(writer: TinyWriter) -> None:
    song = composed(writer, SongPlan(parse("verse,chorus"), "AABB"), f"{LINES[0]}\\nthe river")
    assert song.lines[0].text == LINES[0]
    assert [line.given for line in song.lines] == [True] + [False] * 7
    assert song.lines[1].text.startswith("the river")
    assert len(song.lines) == 8
    with pytest.raises(UsageError, match="longer form"):
        composed(writer, SongPlan(parse("verse:1")), "one\\ntwo\\n")


def test_the_hook_opens_the_chorus(writer: TinyWriter) -> None:
    song = composed(
        writer,
        SongPlan(
            parse("verse,chorus,chorus"), "AABB", sheet=(None,) * 4 + ("Carry me over the sea", None, None, None) * 2
        ),
    )
    assert song.text.count("Carry me over the sea") == 2
    assert song.lines[4].given
    assert song.lines[8].repeated


def test_a_line_is_drawn_again_where_it_copies(writer: TinyWriter) -> None:
    def runs(texts: list[str]) -> list[int]:
        return [5 if "silver" in each or "river" in each else 0 for each in (t[-40:] for t in texts)]

    kept = [composed(writer, SongPlan(max_copied=4), seed=seed, runs=runs, limit=40) for seed in range(2)]
    copied = [line.copied for song in kept for line in song.lines]
    assert all(count is not None for count in copied)
    assert np.mean([count > 4 for count in copied if count is not None]) < 0.1


def test_a_song_without_a_plan_ends_where_the_writer_ends_it_or_is_cut(writer: TinyWriter) -> None:
    songs = [composed(writer, SongPlan(max_copied=50), seed=seed, limit=60) for seed in range(2)]
    assert {song.ended for song in songs} <= {"end", "length"}
    for song in songs:
        shown = [line for line in song.text.split("\n") if line]
        assert shown == [line.text for line in song.lines if line.text.strip()]


def test_finished_lines_end_in_rhymes_of_the_writers_own_words(writer: TinyWriter) -> None:
    vocabulary = Vocabulary(writer)
    model = LocalModel(start(writer, {}, None), vocabulary)
    assert model.vocabulary is not None
    assert model.vocabulary >= {"light", "silver", "the"}
    lines = LineWriter(model, SamplingOptions())
    ends, grades, beats = lines.ends(LineSpec(rhyme="night", near=True))
    assert set(ends) >= {"light", "bright", "right"}
    assert "night" not in ends
    assert (grades >= rhyme.Rhyme.NEAR).all()
    assert (beats >= 1).all()
    rng, spec = np.random.default_rng(0), LineSpec(rhyme="light", syllables=8)
    chosen = language_model.composed(lines.write(LINES[0] + "\n", rng, spec))
    assert rhyme.rhymes(rhyme.last_word(chosen.text), "light")
    assert text.key(chosen.text)


def test_a_writer_without_line_ends(writer: TinyWriter) -> None:
    vocabulary = Vocabulary(writer)
    vocabulary.line_ends = vocabulary.line_ends[:0]
    with pytest.raises(LyristError, match="no line end"):
        LocalModel(start(writer, {}, None), vocabulary)


def test_the_context_is_outgrown_line_by_line(writer: TinyWriter) -> None:
    small = dataclasses.replace(writer, context=24)
    song = composed(small, SongPlan(parse("verse:8"), "AABB", 8))
    assert len(song.lines) == 8


def test_each_section_has_its_own_constraints(writer: TinyWriter) -> None:
    song = composed(writer, SongPlan(parse("verse:2 AA 9, chorus:3 free 6"), "AABB", 12))
    assert [line.wanted_syllables for line in song.lines] == [9, 9, 6, 6, 6]
    assert [line.rhymes_with for line in song.lines] == [None, 0, None, None, None]


def test_metre_and_inner_rhymes_are_reported_as_they_are(writer: TinyWriter) -> None:
    song = composed(writer, SongPlan(parse("verse:2"), "AA", metre="01", internal=True, matched=2))
    for line in song.lines:
        assert line.metre_misses == metre_misses(line.text, "01")
        assert line.internal == bool(rhyme.internal_rhymes([line.text]))
    assert song.lines[1].rhyme_met == (rhyme.agreeing_syllables(song.lines[0].text, song.lines[1].text) >= 2)


def test_a_given_line_without_a_rhyme_is_refused(writer: TinyWriter) -> None:
    with pytest.raises(UsageError, match=r"No perfect rhyme with 'orange' is known.*--near-rhymes"):
        composed(writer, SongPlan(parse("verse:2"), "AA", sheet=("I peeled an orange", None)))


def test_words_to_avoid_are_avoided(writer: TinyWriter) -> None:
    song = composed(writer, SongPlan(parse("verse:4"), avoid=frozenset(["the", "river"])))
    assert not any({"the", "river"} & set(text.words(line.text)) for line in song.lines)


def test_a_hook_is_not_cut_where_the_verse_has_the_words_of_the_title(writer: TinyWriter) -> None:
    """Lines do not repeat a run of three words of the song, but for the title in the hook."""
    title = "the river runs away"
    plan = SongPlan(parse("verse:1,chorus:1"), syllables=10, title=title, sheet=(f"{title} from us tonight", None))
    for seed in range(4):  # half of the hooks begin with the title
        hook = composed(writer, plan, seed=seed).lines[-1]
        assert hook.syllables_met, hook.text
        assert hook.text not in title
