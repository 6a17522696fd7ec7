"""Plain technical English: no public name, docstring, message, comment, help text or page has a banned phrase.

`ALLOWED` counts, by file, the uses that are right: a JSON key of version 0.1, lyrics, word lists. It must match exactly;
``python tests/test_language.py`` prints the present table.
"""

import ast
import contextlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from lyrist.cli import HELP, run

ROOT = Path(__file__).parents[1]
BANNED = (
    "told", "stands", "stood", "stand fast", "anew", "nobody", "dealt", "let in", "wishes", "obedience", "criticism",
    "come and go", "comes and goes", "report 00", "textpass", "roomycache",
)  # fmt: skip
PHRASE = re.compile("|".join(rf"\b{phrase}(?:\b|(?<=0)\d)".replace(" ", r"\s+") for phrase in BANNED), re.IGNORECASE)


def test_the_phrases_are_found_as_whole_words_across_lines_and_in_names() -> None:
    code = """
def is_told(dealt: int, _stood: int) -> str:  # anew
    "What it stands\\nfor."
    nobody = {"obedience": "Report 002 says that they come\\n    and go"}
    return f"{nobody} wishes, untold"
class LetIn: ...
"""
    assert sorted(each.casefold() for each in PHRASE.findall("\n".join(prose(code)))) == [
        "anew", "come\n    and go", "dealt", "let in", "report 002", "stands", "told", "wishes",
    ]  # fmt: skip


def prose(code: str) -> Iterator[str]:
    """Yield the comments, the public names and the texts of a module; a text of one word is a key, not prose."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isidentifier():
            yield node.value
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            names += [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if isinstance(node, ast.Module | ast.ClassDef):
            targets = [
                target
                for statement in node.body
                if isinstance(statement, ast.Assign | ast.AnnAssign)
                for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
            ]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
        for name in names:
            if not name.startswith("_"):
                yield re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", name)


def helps() -> Iterator[tuple[str, str]]:
    for words in ([], *([command] for command in HELP)):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            assert run([*words, "--help"]) == 0
        yield " ".join(["lyrist", *words, "--help"]), shown.getvalue().replace("│", " ")


def found() -> dict[str, int]:
    """Return how many banned phrases each file and each help text has."""
    texts = [
        (str(path.relative_to(ROOT)), "\n".join(prose(path.read_text(encoding="utf-8"))))
        for path in sorted((ROOT / "src").rglob("*.py"))
    ]
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    pages.remove(ROOT / "docs" / "gallery.md")  # lyrics
    texts += [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in pages]
    texts += helps()
    return {name: count for name, text in texts if (count := len(PHRASE.findall(text)))}


def test_no_text_has_a_banned_phrase_but_those_that_are_allowed() -> None:
    present = found()
    more = {
        name: f"{count}, not {ALLOWED.get(name, 0)}" for name, count in present.items() if count > ALLOWED.get(name, 0)
    }
    assert not more, f"banned phrases: {more}; say predicted, is stored, is, again, nothing (see PHRASE)"
    if present != ALLOWED:
        pytest.fail(
            "fewer banned phrases than ALLOWED has: put in the table that `python tests/test_language.py` prints"
        )


ALLOWED: dict[str, int] = {
    "src/lyrist/corpus/cleaning/rules.py": 2,
    "src/lyrist/evaluation/evaluate_writer.py": 1,
    "src/lyrist/generation/wording.py": 1,
    "src/lyrist/text/pronunciation.py": 1,
    "README.md": 1,
    "docs/scoring.md": 1,
    "docs/study.md": 1,
    "docs/tutorial.md": 1,
}

if __name__ == "__main__":
    lines = "".join(f'    "{name}": {count},\n' for name, count in found().items())
    print(f"ALLOWED: dict[str, int] = {{\n{lines}}}")  # noqa: T201
