"""Errors name what is missing and how to install it."""

import sys

import pytest

from lyrist.errors import LyristError, nearest, require, unknown


def test_a_module_that_is_installed_is_returned() -> None:
    import json.decoder

    assert require("json.decoder", extra="neural") is json.decoder


@pytest.mark.parametrize(("module", "name"), [("torch", "PyTorch"), ("sklearn.svm", "scikit-learn"), ("peft", "peft")])
def test_a_missing_package_is_reported_with_its_extra(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for loaded in [key for key in sys.modules if key.startswith(f"{module.partition('.')[0]}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)  # Python's own way to block a package
    with pytest.raises(LyristError) as error:
        require(module, extra="neural")
    assert str(error.value) == f"This needs {name}: pip install 'lyrist[neural]'."


def test_an_error_inside_an_installed_package_is_not_hidden(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "broken_package.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        require("broken_package", extra="neural")


def test_unknown_names_get_the_nearest_known_one() -> None:
    assert nearest("char-smv", ["char-svm", "lstm"]) == " Did you mean 'char-svm'?"
    assert nearest("zzz", ["char-svm"]) == ""
    error = unknown("recipe", "x", [f"recipe-{i}" for i in range(42)])
    assert error.exit_code == 2
    assert "recipe-39, and 2 more." in str(error)
