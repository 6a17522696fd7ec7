"""Pictures: well-formed, the same every time, safe with any text, sensible with nothing, one point and NaN."""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.errors import UsageError
from lyrist.reports import figures, style
from lyrist.reports.blocks import Figure
from lyrist.reports.figures import layout
from lyrist.reports.style import columns, one_line, shorten, visible

NAN = float("nan")
HOSTILE = "</svg><script>alert(1)</script> $x_1^{2$ \\frac \u202eevil\x1b[31m\x00 日本語 עברית 😀 ⟦0⟧ & \"'"


def everything(name: str) -> list[Figure]:
    """One of each picture, with ``name`` wherever a text goes."""
    return [
        figures.bars({name: 3, "b": 1}, title=name, caption=name),
        figures.stacked([name, "pop"], {name: [1, 2], "test": [3, 4]}),
        figures.stacked([name, "pop"], {name: [0.1, 0.2], "test": [0.3, 0.4]}, side_by_side=True, spec=".1%"),
        figures.histogram([0, 1, 2], {name: [1, 2]}, xlabel=name, marks=[(name, 1)]),
        figures.histogram([0, 0.5, 1], {name: [1, 2], "b": [2, 1]}, percent="x"),
        figures.curves({name: ([1, 2], [3, 4]), "b": ([1, 2], [3, 4.1])}, at=(name, 1)),
        figures.intervals([(name, 0.5, 0.4, 0.6), ("b", 0.3, None, None)], reference=(name, 0.4), xlabel=name),
        figures.spreads([(name, [0, 1, 2, 3, 4])]),
        figures.confusion([[3, 1], [0, 2]], [name, "b"]),
        figures.curves({name: ([1, 2], [3, 4]), "b": ([1], [2])}, log="xy"),
        figures.calibration([(0.6, 0.5, 10), (0.9, 0.95, 40)]),
        figures.cloud({name: 3, "love": 2}),
    ]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg.encode())  # noqa: S314 - our own


def texts(figure: Figure) -> list[str]:
    return [e.text or "" for e in parsed(figure.svg).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("name", ["plain", HOSTILE, "", "x" * 3000, "e\u0301" * 40, "\u0644\u0627 \u05d0"])
def test_every_picture_is_well_formed_with_any_text(name: str) -> None:
    for figure in everything(name):
        root = parsed(figure.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"] == figure.alt != ""
        assert not [e for e in root.iter() if e.tag.endswith(("}script", "}style", "}metadata", "}image"))]
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", figure.svg)


def test_a_text_stays_text_whatever_it_holds() -> None:
    for name in ("$x_1$ and $y$", "日本語の歌手", "a & b < c", "⟦0⟧nn", "😀 smile", "½ ⅞"):
        assert name in texts(figures.bars({name: 1, "b": 2}))
        assert any(name == text for text in texts(figures.confusion([[1, 0], [0, 1]], [name, "b"])))


def test_a_long_name_is_shortened() -> None:
    shown = texts(figures.bars({"a very long name " * 9: 1}))[0]
    assert columns(shown) <= 28
    assert shown.endswith("…")


def test_the_same_figures_give_the_same_bytes() -> None:
    for first, second in zip(everything("name"), everything("name"), strict=True):
        assert first == second


def test_pictures_on_one_page_share_no_identifier() -> None:
    lines = {"a": ([1, 2, 3], [3.0, 4.0, 1.0])}
    found = [
        set(re.findall(r'id="([^"]+)"', f.svg))
        for f in (figures.curves(lines, markers=True), figures.curves(lines, markers=True, percent=True))
    ]
    assert found[0]
    assert not found[0] & found[1]
    for figure in everything("name"):
        own = set(re.findall(r'id="([^"]+)"', figure.svg))
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', figure.svg))
        assert own == used


def test_nothing_to_show_is_said() -> None:
    for figure in (
        figures.bars({}),
        figures.bars({"a": NAN}),
        figures.stacked([], {}),
        figures.histogram([0, 1], {"a": [0]}),
        figures.curves({}),
        figures.curves({"a": ([1, 2], [NAN, NAN])}),
        figures.curves({"a": ([0], [1])}, log="x"),
        figures.intervals([]),
        figures.spreads([("a", [])]),
        figures.curves({"a": ([], [])}),
        figures.confusion([], []),
        figures.calibration([(NAN, NAN, 0)]),
        figures.cloud({"a": 0, "b": NAN}),
    ):
        assert texts(figure) == ["nothing to show"]
        assert "nothing to show" in figure.alt


def test_missing_values_are_left_out_and_the_rest_is_drawn() -> None:
    assert texts(figures.bars({"a": 2, "b": NAN, "c": None}))[:1] == ["a"]  # type: ignore[dict-item]
    assert "b ends at 4" in figures.curves({"b": ([1, 2, 3], [5, 4, NAN])}).alt
    assert "no interval" in figures.intervals([("a", 0.5, NAN, NAN)]).alt
    figures.histogram([0, 1, 2], {"a": [NAN, 2]})
    figures.confusion([[NAN, 1], [0, 2]], ["a", "b"])


def test_one_point_one_bin_one_class() -> None:
    assert "x ends at 2" in figures.curves({"x": ([1], [2])}).alt
    figures.histogram([0, 1], {"a": [5]})
    figures.confusion([[5]], ["only"])
    assert [word.text for word in layout({"only": 1}, 400, 200)] == ["only"]


def test_numbers_of_numpy_are_numbers() -> None:
    shown = texts(figures.bars({"a": np.int64(3), "b": np.float32(2)}))
    assert shown[:4].count("3") == 1


def test_a_confusion_matrix_shows_numbers_only_where_they_fit() -> None:
    assert "7" in texts(figures.confusion(np.full((12, 12), 7), [f"c{i}" for i in range(12)]))
    assert "7" not in texts(figures.confusion(np.full((13, 13), 7), [f"c{i}" for i in range(13)]))


def test_of_many_classes_the_commonest_are_shown() -> None:
    matrix = np.diag(np.arange(1, 61))
    figure = figures.confusion(matrix, [f"artist {i}" for i in range(60)], caption="Test.")
    assert "The 40 most frequent of 60 classes" in figure.caption
    assert "artist 59" in texts(figure)
    assert "artist 3" not in texts(figure)
    assert "none confused" in figure.alt


def test_the_worst_confusion_is_reported() -> None:
    assert "b predicted as a 75%" in figures.confusion([[9, 1], [3, 1]], ["a", "b"]).alt


def test_a_matrix_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="2 classes"):
        figures.confusion([[1]], ["a", "b"])


def test_saved_pictures_stand_alone(tmp_path: Path) -> None:
    figure = figures.bars({"a": 1})
    figures.save(figure, tmp_path / "new" / "one.svg")
    written = (tmp_path / "new" / "one.svg").read_text(encoding="utf-8")
    parsed(written)
    assert "prefers-color-scheme: dark" in written
    assert style.DARK[style.SERIES[0]] in written
    with pytest.raises(UsageError, match=r"one\.svg"):
        figures.save(figure, tmp_path / "one.png")


def test_only_colours_with_a_dark_value_are_drawn() -> None:
    for figure in everything("name"):
        drawn = set(re.findall(r"(?:fill|stroke): (#\w{6})", figure.svg))
        assert drawn <= set(style.DARK), figure.name


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_both_papers() -> None:
    for light in style.SERIES:
        assert contrast(light, style.PAPER[0]) >= 3
        assert contrast(style.DARK[light], style.PAPER[1]) >= 3
    for text in (style.INK, style.SOFT):
        assert contrast(text, style.PAPER[0]) >= 4.5
        assert contrast(style.DARK[text], style.PAPER[1]) >= 4.5
    assert len(style.DARK) == 4 + len(style.SERIES)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.floats(min_value=1e-6, max_value=1e9), max_size=40),
    st.integers(min_value=0, max_value=5),
)
def test_words_of_a_cloud_never_overlap(weights: dict[str, float], seed: int) -> None:
    placed = layout(weights, 400, 200, seed=seed)
    for i, a in enumerate(placed):
        assert a.left >= 0
        assert a.top >= 0
        assert a.left + a.width <= 400
        assert a.top + a.height <= 200
        for b in placed[:i]:
            apart_x = a.left >= b.left + b.width or b.left >= a.left + a.width
            apart_y = a.top >= b.top + b.height or b.top >= a.top + a.height
            assert apart_x or apart_y


def test_the_weightiest_word_is_the_largest_and_all_find_a_place() -> None:
    weights = {f"word{i}": 1 / (i + 1) ** 0.6 for i in range(60)}
    placed = layout(weights, 460, 260)
    assert placed[0].text == "word0"
    assert [w.size for w in placed] == sorted((w.size for w in placed), reverse=True)
    assert len(placed) == 60


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_labels_are_short_and_on_one_line(text: str, width: int) -> None:
    short = shorten(text, width)
    assert columns(short) <= max(width, 1)
    assert "\n" not in short
    assert shorten(short, width) == short
    assert len(visible(text)) == len(text)


def test_labels_keep_what_shapes_letters_and_show_what_hides() -> None:
    assert one_line("می\u200cخواهم 👩\u200d🎤") == "می\u200cخواهم 👩\u200d🎤"
    assert one_line("a\u202eb\u200bc\x07d\ufffe") == "a�b�c�d�"
    assert math.isclose(columns("日本語 e\u0301"), 8)


def test_the_point_of_a_sure_and_right_model_is_not_cut_in_half() -> None:
    assert not re.search(r'clip-path="[^"]*">\s*<use', figures.calibration([(0.5, 0.4, 9), (1.0, 1.0, 9)]).svg)


def placed(figure: Figure, names: set[str]) -> dict[str, tuple[float, str]]:
    """Return for each of these texts its height on the page, and by which of its sides it is anchored."""
    found = {}
    for element in parsed(figure.svg).iter():
        if element.tag.endswith("}text") and element.text in names:
            anchor = re.search(r"text-anchor: (\w+)", element.attrib.get("style", ""))
            place = re.search(r"translate\(\S+ (\S+)\)", element.attrib.get("transform", ""))
            height = element.attrib.get("y") or (place[1] if place else "nan")
            found[element.text] = (float(height), anchor[1] if anchor else "start")
    return found


@pytest.mark.parametrize("ends", [[1.0] * 6, [9.0] * 5 + [0.0], [0.0] * 5 + [9.0], [1, 1.01, 5, 5.01, 9, 9.01]])
def test_the_names_of_lines_are_in_order_and_never_overlap(ends: list[float]) -> None:
    lines = {f"line {number}": ([1, 2], [4.0, end]) for number, end in enumerate(ends)}
    figure = figures.curves(lines)
    heights = {name: y for name, (y, _) in placed(figure, set(lines)).items()}
    assert set(heights) == set(lines)
    downwards = sorted(heights, key=heights.__getitem__)
    assert [lines[name][1][1] for name in downwards] == sorted(ends, reverse=True)
    assert all(heights[below] - heights[above] >= 12 for above, below in pairwise(downwards))
    frame = next(element.attrib for element in parsed(figure.svg).iter() if element.tag.endswith("}rect"))
    assert min(heights.values()) >= float(frame["y"])
    assert max(heights.values()) <= float(frame["y"]) + float(frame["height"])


@pytest.mark.parametrize(("at", "side"), [(1, "start"), (50, "middle"), (99, "end")])
def test_the_name_of_an_upright_line_keeps_inside_the_picture(at: float, side: str) -> None:
    figure = figures.curves({"loss": ([0, 100], [2.0, 1.0])}, at=("kept", at))
    assert placed(figure, {"kept"})["kept"][1] == side
