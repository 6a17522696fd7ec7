"""What each command imports: lists import no model, linear models no PyTorch; nothing needs a POSIX-only module."""

import subprocess
import sys
from pathlib import Path

import pytest

from lyrist import COMMANDS, LISTINGS
from songtables.fouracts import write_songbook

HEAVY = (
    "accelerate",
    "fastapi",
    "matplotlib",
    "PIL",
    "pyarrow",
    "ray",
    "scipy",
    "skops",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
)
DATA = {"pyarrow", "scipy"}
MODEL = DATA | {"sklearn", "skops"}
CHART = {"matplotlib", "PIL"}
PROBE = f"""
import sys
from lyrist.cli import run
code = run(sys.argv[1:])
# a package counts when its code was run: some libraries only look whether another one is installed
found = [name for name in {HEAVY} if any(module.startswith(name + ".") for module in sys.modules)]
print("imported:", code, *found, file=sys.stderr)
"""
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios")
BLOCKED = f"""
import importlib, pkgutil, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        caller = sys._getframe(1)
        while "importlib" in caller.f_code.co_filename:
            caller = caller.f_back
        if name in {POSIX_ONLY} and "lyrist" in caller.f_globals.get("__name__", ""):
            raise ModuleNotFoundError("blocked: " + name, name=name)
for name in {POSIX_ONLY}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocked())
import lyrist
names = [each.name for each in pkgutil.walk_packages(lyrist.__path__, "lyrist.") if not each.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def imported(*arguments: str, folder: Path | None = None) -> set[str]:
    """Return the heavy packages that a command imports; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments, "--quiet"], capture_output=True, text=True, cwd=folder
    )
    code, *found = done.stderr.strip().splitlines()[-1].removeprefix("imported:").split()
    assert code == "0", done.stderr
    return set(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imports")
    write_songbook(path / "songs.csv")
    (path / "linear.toml").write_text('[[recipes]]\nrecipe = "char-svm"\n\n[[recipes]]\nrecipe = "nb-svm"\n')
    imported("prepare", "songs.csv", "--out", "corpus", "--languages", "en", folder=path)
    imported("train", "char-svm", "corpus", "--out", "run", folder=path)
    return path


@pytest.mark.parametrize("command", [*LISTINGS, "--help", "recipes char-svm"])
def test_lists_and_help_import_nothing_heavy(command: str) -> None:
    allowed = DATA | {"sklearn"} if command == "recipes char-svm" else set()  # the recipe's own module
    assert imported(*command.split()) <= allowed


@pytest.mark.parametrize("command", [*COMMANDS, "train char-svm"])
def test_the_help_of_a_command_imports_no_network_and_no_chart(command: str) -> None:
    found = imported(*command.split(), "--help")
    assert found <= (DATA | {"sklearn"} if command == "train char-svm" else {"pyarrow"})


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("prepare songs.csv --out one-core --workers 1", DATA),
        ("explore corpus", DATA | CHART | {"sklearn"}),
        ("train char-svm corpus --out again", MODEL),
        ("label run songs.csv --out labels.csv --overwrite", MODEL),
        ("evaluate run", MODEL),
        ("classify run lantern --explain", MODEL),
        ("compare run run", DATA),
        ("compare run run --out compared.html", DATA | CHART),
        ("study linear.toml corpus --out study", MODEL | CHART),
        ("study linear.toml corpus --out study --resume", MODEL | CHART),
        ("report study", DATA | CHART),
    ],
)
def test_commands_on_linear_models_import_no_network(command: str, allowed: set[str], folder: Path) -> None:
    assert imported(*command.split(), folder=folder) <= allowed


def test_every_module_imports_without_posix_only_modules() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
