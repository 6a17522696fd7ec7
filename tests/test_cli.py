"""The command line as a user meets it: help at once, figures for machines, one sentence for a mistake."""

import inspect
import json
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import docstring_parser
import pytest

from lyrist import LISTINGS, VERBS
from lyrist.cli import HELP, run
from lyrist.songbook import songbook, write_songbook


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_songbook(folder / "songs.csv")
    assert (
        run(["prepare", str(folder / "songs.csv"), "--out", str(folder / "corpus"), "--languages", "en", "--quiet"])
        == 0
    )
    return folder / "corpus"


def test_help_answers_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run(
        [sys.executable, "-m", "lyrist", "--help"], capture_output=True, text=True, check=True
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.4
    assert all(verb in shown for verb in HELP)


def test_help_imports_nothing_heavy() -> None:
    heavy = "[m for m in ('torch', 'polars', 'daft') if m in sys.modules]"
    code = f"import sys; from lyrist.cli import run; run(['--help']); print({heavy})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.rstrip().endswith("[]")


@pytest.mark.parametrize("verb", HELP)
def test_every_verb_explains_every_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"lyrist {verb}" in shown
    function = getattr(import_module((VERBS | LISTINGS)[verb]), verb)
    told = {
        parameter.arg_name for parameter in docstring_parser.parse(function.__doc__).params if parameter.description
    }
    assert set(inspect.signature(function).parameters) == told


def test_figures_for_machines(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "--out", str(corpus), "--show-dropped", "instrumental", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["read"] == told["kept"] + sum(told["dropped"].values())
    assert len(told["examples"]) == 2


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["prepair"], 2, "prepare"),
        (["prepare", "no-such.csv", "--out", "x"], 1, "no-such.csv"),
        (["prepare", "songs.csv"], 2, "--out"),
        (["prepare", "songs.csv", "--out", "x", "--min-words", "many"], 2, "min-words"),
        (["explore", "nowhere"], 1, "lyrist prepare"),
        (["train", "lstmm", "CORPUS", "--out", "x"], 2, "'lstm'"),
        (["train", "char-svm", "CORPUS", "--out", "x", "--hiden", "3"], 2, "hiden"),
        (["train", "char-svm", "CORPUS", "--out", "x", "--target", "gender"], 2, "genre"),
        (["train", "char-svm", "CORPUS", "--out", "x", "--target", "language"], 1, "nothing to tell apart"),
        (["study", "laddder", "CORPUS", "--out", "x"], 2, "ladder"),
        (["study", "mine.toml", "CORPUS", "--out", "x"], 1, "mine.toml"),
        (["evaluate", "nowhere"], 1, "nowhere"),
        (["classify", "nowhere", "la la la"], 1, "nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_way_out(
    command: list[str],
    code: int,
    says: str,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_songbook(tmp_path / "songs.csv")
    assert run([str(corpus) if word == "CORPUS" else word for word in command]) == code
    told = capsys.readouterr()
    assert told.err.startswith("lyrist: ")
    assert len(told.err.strip().splitlines()) == 1
    assert says in told.err
    assert "Traceback" not in told.err
    assert not told.out
    assert not (tmp_path / "x").exists()


def test_nothing_printed_can_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x1b]0;title\x07 \u202etxt.exe"
    lines = [
        "artist,song,text",
        f'{hostile},{hostile},"too short"',
        *(f'a,"{s.title}","{s.lyrics}"' for s in songbook()[:30] if '"' not in s.lyrics),
    ]
    (tmp_path / "songs.csv").write_text("\n".join(lines), encoding="utf-8")
    code = run(
        ["prepare", str(tmp_path / "songs.csv"), "--out", str(tmp_path / "c"), "--show-dropped", "too-short", "--quiet"]
    )
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "txt.exe" in told.out
    assert "\x1b" not in told.out + told.err
    assert "\u202e" not in told.out
