"""Lyrist as it is installed: the core works without the packages of the extras, and the wheel has all that it needs."""

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lyrist.errors import PARTS
from lyrist.models import registry
from songtables.fouracts import write_songbook

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lyrist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
WITH_FALLBACK = ("pronouncing",)
"""Optional packages that nothing needs: without them, something else is done."""

BLOCKED = f"""
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {(*PARTS, *WITH_FALLBACK)}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocked())
"""
COMMANDS = """
import contextlib, io
from lyrist.cli import run
found = {}
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = run([*command.split(), "--quiet"])
    found[command] = [code, said.getvalue()]
print(json.dumps(found))
"""

OWN = [one for one in registry.recipes() if one.module.startswith("lyrist.")]  # other tests register recipes too
LINEAR = [one.name for one in OWN if one.family in ("baseline", "linear", "tree", "ensemble")]
LINEAR.remove("bag-of-embeddings")  # a linear model of learned vectors: PyTorch fits it
WORKING = [
    "--help",
    "recipes",
    "recipes char-svm",
    "studies",
    "rules",
    "train --help",
    "train char-svm --help",
    "prepare songs.csv --out corpus --languages en",
    "explore corpus",
    *(f"train {recipe} corpus --out {recipe}" for recipe in LINEAR),
    "evaluate char-svm",
    "classify char-svm lantern --explain",
    "label char-svm songs.csv --out labels.parquet",
    "compare char-svm nb-svm --out compared.html",
    "study linear.toml corpus --out study",
    "study linear.toml corpus --out study --resume",
    "report study",
]
"""Commands that work without any extra, in the order in which they are run."""

NEURAL = [one.name for one in OWN if one.name not in LINEAR]
MISSING = {
    **{f"train {name} corpus --out missing": (f"The recipe '{name}' needs", "neural") for name in NEURAL},
    "recipes lstm": ("The recipe 'lstm' needs PyTorch", "neural"),
    "study ladder corpus --out missing": ("The recipe 'lstm' needs PyTorch", "neural"),
    "study writer-by-genre corpus --out missing": ("The recipe 'ngram' needs PyTorch", "neural"),
    "study image-blocks pictures --out missing": ("The recipe 'cnn-relu' needs PyTorch", "neural"),
    "demo --out missing": ("'lyrist demo' needs", "neural"),
    "classify neural lantern": ("The run neural needs", "neural"),
    "write writer": ("The run writer needs", "neural"),
    "serve char-svm": ("'lyrist serve' needs FastAPI", "serve"),
    "prepare hf://datasets/someone/songs --out missing": ("A table of the Hugging Face hub needs", "hf"),
    "prepare songs.csv --out missing --engine ray": ("--engine ray needs Ray", "ray"),
}
"""Commands that need an extra: how the error begins, and the extra that it names."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, a study of linear recipes, and what a run of a network and of a writer look like from outside."""
    path = tmp_path_factory.mktemp("core")
    write_songbook(path / "songs.csv")
    (path / "linear.toml").write_text('[[recipes]]\nrecipe = "char-svm"\n\n[[recipes]]\nrecipe = "nb-svm"\n')
    for name, task, recipe in (("neural", "classify", "lstm"), ("writer", "write", "gpt")):
        (path / name / "model").mkdir(parents=True)
        (path / name / "model" / "config.json").write_text("{}")
        (path / name / "run.json").write_text(json.dumps({"format": 1, "task": task, "recipe": recipe, "target": "x"}))
    return path


def without_extras(script: str, *arguments: str, folder: Path) -> Any:
    """Run a script where the packages of the extras cannot be imported; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + script, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def core(folder: Path) -> dict[str, tuple[int, str]]:
    """The exit code and the error of each command without the extras."""
    found: dict[str, tuple[int, str]] = without_extras(COMMANDS, json.dumps([*WORKING, *MISSING]), folder=folder)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", WORKING)
def test_the_core_works_without_the_extras(command: str, core: dict[str, tuple[int, str]]) -> None:
    code, error = core[command]
    assert code == 0, error


@pytest.mark.slow
@pytest.mark.parametrize("command", MISSING)
def test_a_missing_part_is_named_with_its_extra(command: str, core: dict[str, tuple[int, str]], folder: Path) -> None:
    (code, error), (begin, extra) = core[command], MISSING[command]
    assert code == 1
    assert error.startswith(f"lyrist: {begin}")
    assert error.endswith(f'; install it with: pip install "lyrist[{extra}]"\n')
    assert not (folder / "missing").exists()


def test_python_functions_name_the_extra_too(tmp_path: Path) -> None:
    calls = """
import lyrist
from lyrist.errors import LyristError
found = []
for call in (
    lambda: lyrist.demo(out="demo"),
    lambda: lyrist.train("gpt", "corpus", out="run"),
    lambda: lyrist.serve("run"),
):
    try:
        call()
    except LyristError as error:
        found.append(str(error))
print(json.dumps(found))
"""
    found = without_extras(calls, folder=tmp_path)
    for error, (what, extra) in zip(
        found, [("lyrist.demo", "neural"), ("The recipe 'gpt'", "neural"), ("'lyrist serve'", "serve")], strict=True
    ):
        assert error.startswith(f"{what} needs ")
        assert error.endswith(f'; install it with: pip install "lyrist[{extra}]"')


def distributions(requirements: list[str]) -> set[str]:
    """Return the distributions that a list of requirements names, extras of Lyrist included."""
    found: set[str] = set()
    for requirement in map(Requirement, requirements):
        if requirement.name == "lyrist":
            found |= distributions([each for extra in requirement.extras for each in EXTRAS[extra]])
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def imported_packages() -> set[str]:
    """Return the packages outside the standard library that the source imports anywhere."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"lyrist"}


def test_every_import_is_declared() -> None:
    owners = importlib.metadata.packages_distributions()
    core = distributions(PROJECT["dependencies"])
    for package in sorted(imported_packages() - set(PARTS) - set(WITH_FALLBACK)):
        assert core & {canonicalize_name(owner) for owner in owners[package]}, f"{package} is neither core nor in PARTS"


def test_no_core_dependency_is_a_part_and_every_part_has_an_extra() -> None:
    assert not distributions(PROJECT["dependencies"]) & {canonicalize_name(name) for name in PARTS}
    assert {extra for _, extra in PARTS.values()} <= EXTRAS.keys()


def test_all_is_every_extra_and_dev_includes_it() -> None:
    everything = distributions(EXTRAS["all"])
    for extra in EXTRAS.keys() - {"dev", "docs"}:
        assert distributions(EXTRAS[extra]) <= everything, extra
    assert everything | distributions(EXTRAS["docs"]) <= distributions(EXTRAS["dev"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline from a copy of the tracked files, so that no build folder is left behind."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "copy"
    for path in [*SOURCE.rglob("*"), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(place), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = place.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_has_all_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packaged = {name.removeprefix("lyrist/") for name in names if name.startswith("lyrist/")}
    source = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    assert packaged == {name for name in source if "__pycache__" not in name}
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"lyrist"}


def needed(wheel: Path) -> set[str]:
    """Return the distributions that the wheel needs without extras, and those that they need."""
    (metadata,) = (name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    declared = importlib.metadata.PathDistribution(zipfile.Path(wheel, metadata.rpartition("/")[0] + "/"))
    found: set[str] = set()
    waiting = [(declared, "")]
    while waiting:
        distribution, extra = waiting.pop()
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                name = canonicalize_name(requirement.name)
                new = {"", *requirement.extras} if name not in found else requirement.extras
                waiting += [(importlib.metadata.distribution(name), each) for each in new]
                found.add(name)
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and, linked from this environment, just the packages that it declares."""
    place = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/*/site-packages")
    for name in needed(wheel):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    command = [sys.executable, "-m", "pip", "--python", str(place), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    return place / "bin"


@pytest.mark.slow
def test_the_installed_core_works_outside_the_checkout(installed: Path, folder: Path, tmp_path: Path) -> None:
    write_songbook(tmp_path / "songs.csv")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean)

    where = call(str(installed / "python"), "-c", "import lyrist; print(lyrist.__file__)")
    assert where.stdout.startswith(str(installed.parent)), where.stderr
    probe = f"from importlib.util import find_spec; print([name for name in {list(PARTS)} if find_spec(name)])"
    assert call(str(installed / "python"), "-c", probe).stdout == "[]\n"
    commands = [
        "studies",
        "prepare songs.csv --out corpus --languages en",
        "explore corpus",
        "train char-svm corpus --out run",
        "evaluate run",
        "classify run lantern --explain",
        "train lstm corpus --out network",
    ]
    done = call(str(installed / "python"), "-c", "import json, sys" + COMMANDS, json.dumps(commands))
    *worked, refused = json.loads(done.stdout).values()
    assert [code for code, _ in worked] == [0] * 6, worked
    assert "The recipe 'lstm' needs PyTorch; install it with: pip install" in refused[1]
    assert call(str(installed / "lyrist"), "recipes").returncode == 0
