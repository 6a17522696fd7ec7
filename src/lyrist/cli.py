"""The command line: one line a verb. What each does, and its options, stand in the verb's own function.

Verbs are imported when they are called, so that ``lyrist --help`` answers at once. Output: a human summary on standard
output (or JSON with ``--json``), progress on standard error; exit code 0 done, 1 failed in one sentence, 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from lyrist import LISTINGS, VERBS, __version__, progress
from lyrist.errors import LyristError, unknown
from lyrist.generation import output
from lyrist.text import printable

HELP = {
    "demo": "Everything on the built-in songbook: corpus, pictures, study, one page.",
    "prepare": "Make a clean corpus of tables of songs.",
    "explore": "Draw pictures and tables of a corpus: explore.html.",
    "train": "Fit one model and score it.",
    "study": "Fit several models, compare them honestly, write a report.",
    "report": "Draw the report of a finished study again, without opening a model.",
    "evaluate": "Score a saved run.",
    "classify": "Label texts with a saved run.",
    "compare": "Compare saved runs in one table and one chart.",
    "write": "Write lyrics with a saved run, freely or to a plan with rhymes.",
    "serve": "Serve saved runs: an HTTP API, and a studio in the browser.",
    "recipes": "List the models that can be fitted.",
    "studies": "List the named studies.",
    "rules": "List the cleaning rules.",
}
EPILOGUE = "Every verb takes --json (figures for machines on standard output) and --quiet (no progress)."


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
            raise unknown("verb", arguments[0], HELP)
        with output.shown(_live if "--json" not in flags and sys.stdout.isatty() else None):
            answer = _app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        if answer is not None and os.environ.get("RANK", "0") == "0":  # of torchrun's processes, one speaks
            _say(_json(answer.figures()) if "--json" in flags else printable(answer.summary()))
        return 0
    except CycloptsError as error:
        return _fail(f"{' '.join(str(error).split())} See: lyrist {' '.join(arguments[:1])} --help", 2)
    except LyristError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("Stopped. What was finished is kept; verbs that take --resume go on from there.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("LYRIST_DEBUG"):
            traceback.print_exc()
        return _fail(
            f"This is a defect of Lyrist, not of your input: {type(error).__name__}: {error}. "
            "Please report it, with what LYRIST_DEBUG=1 prints.",
            1,
        )


def _app() -> Any:
    """Return the application with all verbs, none of them imported yet."""
    from cyclopts import App

    about = "A workbench for machine learning on song lyrics."
    app = App(name="lyrist", help=about, help_epilogue=EPILOGUE, version=__version__, help_format="plaintext")
    for order, (verb, line) in enumerate(HELP.items()):
        app.command(f"{(VERBS | LISTINGS)[verb]}:{verb}", name=verb, help=line, sort_key=order)
    return app


def _flags(arguments: list[str]) -> tuple[set[str], list[str]]:
    """Take out the flags that every verb has, wherever they stand before a ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = {"--json", "--quiet"}
    found = ours.intersection(arguments[:end])
    return found, [a for i, a in enumerate(arguments) if i >= end or a not in ours]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _live(text: str) -> None:
    """Show lyrics while they are written."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"lyrist: {printable(sentence)}\n")
    return code
