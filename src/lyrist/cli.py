"""The command line. Each command and its options are declared by the command's own function.

A command's module is imported when the command is called, so that ``lyrist --help`` needs only this module. A summary is
printed on standard output (JSON with ``--json``), progress on standard error. Exit code 0: done; 1: failed, with one
sentence that says why; 2: wrong usage.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lyrist import COMMANDS, LISTINGS, __version__, progress
from lyrist.errors import LyristError, needed_by, unknown
from lyrist.text import printable

if TYPE_CHECKING:
    from lyrist.models.registry import Option


@dataclass(frozen=True)
class Entry:
    """How ``lyrist --help`` shows a command."""

    group: str
    summary: str
    examples: tuple[str, str]


HELP = {
    "demo": Entry(
        "Data",
        "Everything on the built-in songbook: corpus, pictures, study, one page.",
        ("lyrist demo", "lyrist demo --out demo --json"),
    ),
    "prepare": Entry(
        "Data",
        "Make a clean corpus of tables of songs.",
        ("lyrist prepare songs.csv --out corpus", "lyrist prepare songs.csv --out corpus --languages en"),
    ),
    "explore": Entry(
        "Data",
        "Draw pictures and tables of a corpus: explore.html.",
        ("lyrist explore corpus", "lyrist explore corpus --out pictures"),
    ),
    "train": Entry(
        "Models",
        "Fit one model and score it.",
        ("lyrist train char-svm corpus --target genre --out run", "lyrist train lstm --help"),
    ),
    "study": Entry(
        "Models",
        "Fit several models, compare them, write a report.",
        (
            "lyrist study ladder corpus --target artist --out study",
            "lyrist study mine.toml corpus --out study --resume",
        ),
    ),
    "report": Entry(
        "Models",
        "Draw the report of a finished study again, without opening a model.",
        ("lyrist report study", "lyrist report study --json"),
    ),
    "evaluate": Entry(
        "Models", "Score a saved run.", ("lyrist evaluate run", "lyrist evaluate run other-corpus --json")
    ),
    "compare": Entry(
        "Models",
        "Compare saved runs in one table and one chart.",
        ("lyrist compare run other-run", "lyrist compare study/runs/ensemble study/runs/lstm --json"),
    ),
    "recipes": Entry("Models", "List the models that can be fitted.", ("lyrist recipes", "lyrist recipes lstm")),
    "studies": Entry("Models", "List the named studies.", ("lyrist studies", "lyrist studies --json")),
    "models": Entry(
        "Models",
        "List the known pretrained models, or fetch one.",
        ("lyrist models", "lyrist models fetch smollm2"),
    ),
    "rules": Entry("Models", "List the cleaning rules.", ("lyrist rules", "lyrist rules --json")),
    "classify": Entry(
        "Use",
        "Label texts with a saved run.",
        ('lyrist classify run "The ferryman counted the lanterns home"', "lyrist classify run --file -"),
    ),
    "label": Entry(
        "Use",
        "Label every song of a table with a saved run.",
        (
            "lyrist label run songs.csv --out labels.parquet",
            "lyrist label run 'catalogue/*.parquet' --out labels.csv --top 3 --abstain",
        ),
    ),
    "write": Entry(
        "Use",
        "Write lyrics with a saved run, freely or in a given form with rhymes.",
        ("lyrist write writer --genre rap", "lyrist write writer --form verse,chorus --rhyme AABB"),
    ),
    "serve": Entry(
        "Use",
        "Serve saved runs: an HTTP API, and a studio in the browser.",
        ("lyrist serve run", "lyrist serve writer run --port 8080"),
    ),
}
EPILOGUE = "Every command takes `--json` (figures as JSON on standard output) and `--quiet` (no progress)."
INSTALL = "--install-completion"


def main() -> None:
    """Run the command line on the arguments of the process and exit with the code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. Only this function prints or catches."""
    from cyclopts import CycloptsError

    flags, arguments = _flags(arguments)
    progress.quiet("--quiet" in flags)
    try:
        if arguments and not arguments[0].startswith("-") and arguments[0] not in HELP:
            raise unknown("command", arguments[0], HELP)
        with needed_by(f"'{' '.join(['lyrist', *arguments[:1]])}'"):
            answer = _call(arguments, live="--json" not in flags and sys.stdout.isatty())
        if answer is not None and os.environ.get("RANK", "0") == "0":  # only one of torchrun's processes prints
            _say(_json(answer.figures()) if "--json" in flags else printable(answer.summary()))
        return 0
    except CycloptsError as error:
        return _fail(f"{' '.join(str(error).split())} See: lyrist {' '.join(arguments[:1])} --help", 2)
    except LyristError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("Stopped. Finished parts are kept; commands with --resume continue from there.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("LYRIST_DEBUG"):
            traceback.print_exc()
        return _fail(
            f"This is a defect of Lyrist, not of your input: {type(error).__name__}: {error}. "
            "Please report it, with the output of LYRIST_DEBUG=1.",
            1,
        )


def _call(arguments: list[str], live: bool) -> Any:
    """Call the command and return its answer; with ``live``, lyrics are shown while they are written."""
    app = _app(arguments)
    if arguments and arguments[0] in HELP:
        arguments = [arguments[0], *_values_attached(app[arguments[0]], arguments[1:])]
    call = functools.partial(app, arguments, exit_on_error=False, print_error=False, result_action="return_value")
    if not live or arguments[:1] != ["write"]:
        return call()
    from lyrist.generation import output

    with output.shown(_live):
        return call()


def _app(arguments: list[str] | None = None) -> Any:
    """Return the application; no command is imported, except ``train`` where ``arguments`` name a recipe."""
    from cyclopts import App, Group

    about = "A workbench for machine learning on song lyrics."
    app = App(name="lyrist", help=about, help_epilogue=EPILOGUE, version=__version__, help_format="markdown")
    groups = {name: Group(name, sort_key=place) for place, name in enumerate(("Data", "Models", "Use"))}
    command, *rest = arguments or [""]
    for order, (name, entry) in enumerate(HELP.items()):
        target: Any = f"{(COMMANDS | LISTINGS)[name]}:{name}"
        if name == command == "train":
            target = _with_recipe_options(rest) or target
        examples = "\n".join(f"- `{example}`" for example in entry.examples)
        app.command(
            target,
            name=name,
            help=entry.summary,
            help_epilogue=f"Examples:\n\n{examples}",
            group=groups[entry.group],
            sort_key=order,
        )
    if command == INSTALL:
        app.register_install_completion_command(INSTALL, help="Install completion for this shell.")
    else:  # the command itself imports the completion scripts of all shells
        app.command(lambda: None, name=INSTALL, help="Install completion for this shell.")
    return app


def _with_recipe_options(arguments: list[str]) -> Callable[..., Any] | None:
    """Return ``train`` with the options of the recipe among its parameters, or None where no known recipe is named."""
    from lyrist.models import registry

    recipe = next((each for each in registry.recipes() if each.name in arguments[:1]), None)
    if recipe is None:
        return None
    from lyrist.training.schedule import options_of
    from lyrist.training.train import train

    own = inspect.signature(train, eval_str=True)
    *declared, rest = own.parameters.values()
    extra = [_parameter(option) for option in options_of(recipe) if option.name not in own.parameters]

    @functools.wraps(train)
    def call(*args: Any, **kwargs: Any) -> Any:
        return train(*args, **kwargs)

    del call.__wrapped__
    signature = own.replace(parameters=[*declared, *extra, rest])
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return call


def _parameter(option: Option) -> inspect.Parameter:
    """Return an option of a recipe as a parameter of ``train``: a bool is a flag, other values are passed as given."""
    from cyclopts import Group, Parameter

    kinds = [kind for kind in typing.get_args(option.kind) if kind is not type(None)] or [option.kind]
    plain = len(kinds) == 1 and kinds[0] in (bool, int, float, str)
    literal = typing.get_origin(option.kind) is typing.Literal
    kind = option.kind if literal else kinds[0] if plain else str
    if option.default is None:
        kind = kind | None
    raw: dict[str, Any] = {} if kind is bool else {"converter": _as_given, "n_tokens": 1, "accepts_keys": False}
    shown = option.default is not None and option.default != ()
    about = Parameter(help=option.help, group=Group("Options of the recipe", sort_key=10), show_default=shown, **raw)
    default = ",".join(map(str, option.default)) if isinstance(option.default, tuple) else option.default
    if kind is str:
        default = str(default)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=typing.Annotated[kind, about]
    )


def _as_given(_kind: Any, tokens: Any) -> str:
    """Return the text of a token; the registry converts it and reports a value that does not fit."""
    return str(tokens[0].value)


def _values_attached(command: Any, arguments: list[str]) -> list[str]:
    """Return the arguments with each value that starts with ``-`` attached to its option, and ``--flag true`` as a flag."""
    taking: set[str] = set()
    flags: set[str] = set()
    for argument in command.assemble_argument_collection():
        if argument.hint is bool:
            flags.update(name for name in argument.names if not name.startswith("--no-"))
        else:
            taking.update(argument.names)
    found: list[str] = []
    last: list[str] = []
    waiting = iter(enumerate(arguments))
    for place, word in waiting:
        value = arguments[place + 1] if place + 1 < len(arguments) else ""
        if word == "--":
            return [*found, *arguments[place:], *last]
        if word == "-":  # standard input as an argument: it would be read as an option
            last.append(word)
            continue
        if word in flags and value.lower() in ("true", "false", "yes", "no"):
            found.append(word if value.lower() in ("true", "yes") else f"--no-{word[2:]}")
            next(waiting)
        elif (
            word in taking
            and value.startswith("-")
            and value not in ("-h", "--")
            and (value[:2] != "--" or " " in value)
        ):
            found.append(f"{word}={value}")
            next(waiting)
        else:
            found.append(word)
    return [*found, "--", *last] if last else found


def _flags(arguments: list[str]) -> tuple[set[str], list[str]]:
    """Take out the flags that every command has, anywhere before a ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = {"--json", "--quiet"}
    found = ours.intersection(arguments[:end])
    return found, [a for i, a in enumerate(arguments) if i >= end or a not in ours]


def _json(value: Any) -> str:
    wide = (sys.stdout.encoding or "utf-8").casefold().startswith("utf")
    return json.dumps(value, indent=2, ensure_ascii=not wide, allow_nan=False)


def _shown(text: str) -> str:
    """Return a text with ``?`` for what the terminal has no character for."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _live(text: str) -> None:
    """Show lyrics while they are written."""
    sys.stdout.write(_shown(text))
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(_shown(text.rstrip("\n")) + "\n")
    sys.stdout.flush()


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"lyrist: {printable(sentence)}\n")
    return code
