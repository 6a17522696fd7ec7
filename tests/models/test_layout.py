"""The numbers of a song's layout, by hand; and that no word is among them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.models.layout import NAMES, Layout, LayoutKernel, layout

SONG = """Hello there, hello you
I go down to sea
Hello there, hello you

OH MY!
(goin' home) to you?"""


def numbers(text: str) -> dict[str, float]:
    return dict(zip(NAMES, layout([text])[0].tolist(), strict=True))


def test_every_number_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == layout([""]).shape[1] == 108


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("words (log)", np.log1p(19)),
        ("lines (log)", np.log1p(5)),
        ("words per line, mean (log)", np.log1p(19 / 5)),
        ("lines by words: 2", 1 / 5),
        ("lines by words: 4", 3 / 5),
        ("lines by words: 5", 1 / 5),
        ("characters per line, longest (log)", np.log1p(22)),
        ("step to the next line", np.mean([1, 1, 2, 2]) / (19 / 5)),
        ("lines as long as the next", 0.0),
        ("sections (log)", np.log1p(2)),
        ("lines per section (log)", np.log1p(2.5)),
        ("longest section (log)", np.log1p(3)),
        ("sections by lines: 2", 0.5),
        ("sections by lines: 3", 0.5),
        ("repeated words", 1 - 12 / 19),
        ("share of the most frequent word (log)", np.log(4 / 19)),
        ("words doubled", 0.0),
        ("repeated lines", 1 - 4 / 5),
        ("copies of the most frequent line (log)", np.log(2)),
        ("lines repeated after 2", 1 / 5),
        ("lines repeated after 1", 0.0),
        ("mean gap of repeats (log)", np.log1p(2)),
        ("second half repeats the first", 1 / 5),
        ("same last word 1 later", 0.0),
        ("same last word 2 later", 2 / 3),
        ("lines with a capital first", 4 / 5),
        ("lines all in capitals", 1 / 5),
        ("capitals within a line", 1 / 19),
        ("commas per word", 2 / 19),
        ("exclamation marks per word", 1 / 19),
        ("question marks per word", 1 / 19),
        ("parentheses per word", 2 / 19),
        ("lines that end in a exclamation mark", 1 / 5),
        ("lines that end in a question mark", 1 / 5),
        ("lines that end in a letter", 3 / 5),
        ("lines with a comma inside", 2 / 5),
        ("lines with a parenthesis", 1 / 5),
        ("words in -in'", 1 / 19),
        ("letters beyond ASCII", 0.0),
        ("runs of blanks", 0.0),
    ],
)
def test_numbers_by_hand(name: str, value: float) -> None:
    assert numbers(SONG)[name] == pytest.approx(value, abs=1e-12)


def test_words_of_the_same_build_have_the_same_layout() -> None:
    other = SONG.translate(str.maketrans("ldngr", "mbkpt"))
    same = [name for name in NAMES if name not in ("compressed length", "words in -in'")]
    a, b = numbers(SONG), numbers(other)
    assert [n for n in same if a[n] != pytest.approx(b[n])] == []


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="aI ,.!?'’(-\n\r\t\u00a0é“9", max_size=80))
def test_any_text_has_finite_numbers_and_line_ends_are_alike(text: str) -> None:
    found = layout([text, text.replace("\r\n", "\n").replace("\r", "\n")])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[1])


def test_it_is_a_transformer_with_nothing_to_learn() -> None:
    found = Layout()
    assert found.transform([SONG]).tolist() == layout([SONG]).tolist()
    assert found.fit([SONG]).get_feature_names_out().tolist() == list(NAMES)


def texts(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["\n".join(" ".join(["word"] * rng.integers(1, 9)) for _ in range(rng.integers(1, 12))) for _ in range(n)]


def test_with_few_songs_the_kernel_is_exact() -> None:
    kernel = LayoutKernel()
    rows = kernel.fit_transform(texts(40)).astype(float)
    numbers_ = kernel.landmarks_.astype(float)
    apart = ((numbers_[:, None] - numbers_[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(rows @ rows.T, np.exp(-apart / (2 * kernel.distance_)), atol=1e-3)
    np.testing.assert_allclose(kernel.transform(texts(40)), rows, atol=1e-3)


def test_with_many_songs_some_are_landmarks() -> None:
    kernel = LayoutKernel(random_state=2, landmarks=15)
    rows = kernel.fit_transform(texts(60))
    assert kernel.landmarks_.shape[0] == 15
    assert rows.shape[1] <= 15
    np.testing.assert_array_equal(LayoutKernel(random_state=2, landmarks=15).fit_transform(texts(60)), rows)


def test_songs_that_are_all_alike_do_not_divide_by_zero() -> None:
    rows = LayoutKernel().fit_transform(["one two"] * 5)
    assert np.isfinite(rows).all()
