"""Errors name what is missing and how to install it."""

import importlib
import sys
from pathlib import Path

import pytest

from lyrist.errors import LyristError, nearest, needed_by, unknown


@pytest.mark.parametrize(
    ("module", "project", "extra"),
    [
        ("torch", "PyTorch", "neural"),
        ("torch.nn", "PyTorch", "neural"),
        ("peft", "PEFT", "lora"),
        ("ray", "Ray", "ray"),
    ],
)
def test_a_missing_package_is_reported_with_its_extra(
    module: str, project: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = module.partition(".")[0]
    for loaded in [key for key in sys.modules if key.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)  # Python's own way to block a package
    with pytest.raises(LyristError) as error, needed_by("The recipe 'x'", otherwise=", or choose another recipe"):
        importlib.import_module(module)
    install = f'pip install "lyrist[{extra}]", or choose another recipe'
    assert str(error.value) == f"The recipe 'x' needs {project}; install it with: {install}"


def test_a_missing_package_is_found_behind_another_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LyristError, match=r"^It needs Ray;"), needed_by("It"):
        try:
            importlib.import_module("ray")
        except ImportError as error:
            raise ImportError("cannot import the command") from error


@pytest.mark.parametrize(
    "source",
    ["import a_module_that_is_not_there", "from json import a_name_that_is_not_there", "raise ImportError('x')"],
)
def test_an_error_inside_an_installed_package_is_not_hidden(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError), needed_by("It"):
        importlib.import_module("broken_package")


def test_unknown_names_get_the_nearest_known_one() -> None:
    assert nearest("char-smv", ["char-svm", "lstm"]) == " Did you mean 'char-svm'?"
    assert nearest("zzz", ["char-svm"]) == ""
    error = unknown("recipe", "x", [f"recipe-{i}" for i in range(42)])
    assert error.exit_code == 2
    assert "recipe-39, and 2 more." in str(error)
