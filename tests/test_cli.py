"""The command line as a user meets it: help at once, figures for machines, one sentence for a mistake."""

import inspect
import io
import json
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import docstring_parser
import pytest

from lyrist import COMMANDS, LISTINGS
from lyrist.cli import HELP, _app, _values_attached, run
from lyrist.models import registry
from songtables.fouracts import songbook, write_songbook


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_songbook(folder / "songs.csv")
    assert (
        run(["prepare", str(folder / "songs.csv"), "--out", str(folder / "corpus"), "--languages", "en", "--quiet"])
        == 0
    )
    return folder / "corpus"


def test_help_imports_nothing_heavy() -> None:
    heavy = "[m for m in ('torch', 'polars', 'sklearn', 'numpy') if m in sys.modules]"
    code = f"import sys; from lyrist.cli import run; run(['--help']); print({heavy})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.rstrip().endswith("[]")


def test_help_lists_every_command_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"─ {group} ─") for group in ("Data", "Models", "Use")] + [len(shown)]
    assert places == sorted(places)
    for name, entry in HELP.items():
        place = ("Data", "Models", "Use").index(entry.group)
        assert f"│ {name} " in shown[places[place] : places[place + 1]]
    assert "--install-completion" in shown


@pytest.mark.parametrize("command", HELP)
def test_help_explains_every_option_and_ends_with_two_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"lyrist {command}" in shown
    assert "``" not in shown
    assert shown.partition("Examples:")[2].count(f"lyrist {command}") == 2
    function = getattr(import_module((COMMANDS | LISTINGS)[command]), command)
    explained = {
        parameter.arg_name for parameter in docstring_parser.parse(function.__doc__).params if parameter.description
    }
    assert set(inspect.signature(function).parameters) == explained


@pytest.mark.parametrize("command", HELP)
def test_the_examples_in_the_help_are_valid(command: str) -> None:
    for example in HELP[command].examples:
        words = [word for word in shlex.split(example)[1:] if word not in ("--json", "--quiet", "--help")]
        if len(words) > 2 or command != "train":
            arguments = [command, *_values_attached(_app()[command], words[1:])]
            function, _, _ = _app().parse_args(arguments, exit_on_error=False, print_error=False)
            assert function.__name__ == command


def test_help_of_train_shows_the_options_of_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "lstm", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--bidirectional" in shown
    assert "--no-bidirectional" in shown
    assert "--hidden INT" in shown
    assert "--learning-rate FLOAT peak learning rate [default: 0.008]" in shown
    assert "mean-max" in shown
    assert run(["train", "--help"]) == 0
    assert "--hidden" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--bidirectional"], {"bidirectional": True}),
        (["--no-bidirectional"], {"bidirectional": False}),
        (["--bidirectional", "true"], {"bidirectional": True}),
        (["--bidirectional", "false", "--hidden", "7"], {"bidirectional": False, "hidden": "7"}),
        (["--bidirectional=false"], {"bidirectional": False}),
        (["--hiden", "7"], {"hiden": "7"}),
        ([], {}),
    ],
)
def test_options_of_a_recipe_reach_train(words: list[str], expected: dict[str, object]) -> None:
    arguments = ["train", "lstm", "corpus", "--out", "run", *words]
    app = _app(arguments)
    arguments = ["train", *_values_attached(app["train"], arguments[1:])]
    _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    given = dict(bound.kwargs)
    assert given.pop("out") == "run"
    assert given == expected


def test_a_value_may_start_with_a_hyphen() -> None:
    app = _app(["classify"])
    assert _values_attached(app["classify"], ["run", "--file", "-"]) == ["run", "--file=-"]
    assert _values_attached(app["classify"], ["run", "--file", "--explain"]) == ["run", "--file", "--explain"]
    assert _values_attached(app["classify"], ["run", "--", "--file", "-"]) == ["run", "--", "--file", "-"]
    _, bound, _ = _app(["write"]).parse_args(
        ["write", *_values_attached(_app()["write"], ["writer", "--prompt", "-x"])],
        exit_on_error=False,
        print_error=False,
    )
    assert "-x" in bound.arguments.values()


def test_completion_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["--install-completion", "--shell", "bash"]) == 0
    scripts = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("classify" in path.read_text(encoding="utf-8") for path in scripts)


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


@pytest.mark.parametrize("recipe", [recipe.name for recipe in registry.recipes()])
def test_the_defaults_of_every_recipe_pass_the_command_line(recipe: str) -> None:
    arguments = ["train", recipe, "corpus", "--out", "run"]
    _, bound, _ = _app(arguments).parse_args(arguments, exit_on_error=False, print_error=False)
    assert bound.kwargs == {"out": "run"}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_a_character_shows_another(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"Ann,T{i},one lamp {i} was low and the harbour slept by its lamp all night {i}\n" for i in range(8))
    (tmp_path / "t.csv").write_text(f"artist,title,lyrics\n{rows}")
    for options in ([], ["--json"]):
        shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr("sys.stdout", shown)
        out = str(tmp_path / "сказка")
        given = ["--duplicates", "keep", "--contained", "keep", "--validation", "0", "--test", "0", "--quiet", *options]
        assert run(["prepare", str(tmp_path / "t.csv"), "--out", out, *given]) == 0
        said = shown.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert json.loads(said)["corpus"] == out if options else "??????" in said
