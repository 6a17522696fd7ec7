"""A package imports only from packages on lower floors."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "lyrist"
FLOORS = [
    {"errors", "results", "_version"},
    {"text"},
    {"files", "progress"},
    {"reports", "metrics", "models", "songbook"},
    {"corpus", "images"},
    {"training"},
    {"evaluation", "estimators"},
    {"generation"},
    {"studies"},
    {"serving"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
FLOOR = {package: number for number, packages in enumerate(FLOORS) for package in packages}


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(node: ast.ImportFrom, alias: ast.alias) -> str:
    """`from lyrist import x` names the package x, or something that `__init__` itself defines."""
    if node.module != "lyrist":
        return node.module or ""
    return f"lyrist.{alias.name}" if alias.name in FLOOR else "lyrist.__init__"


def imported_packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = [name_of(node, alias) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        packages |= {name.split(".")[1] for name in names if name.startswith("lyrist.")}
    return packages


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_imports_only_from_lower_floors(path: Path) -> None:
    package = package_of(path)
    assert package in FLOOR, f"{package} has no floor: add it to FLOORS and to docs/architecture.md"
    for other in imported_packages(path) - {package}:
        assert other in FLOOR, f"{path} imports the unknown package {other}"
        assert FLOOR[other] < FLOOR[package], (
            f"{path}: {package} (floor {FLOOR[package]}) imports {other} (floor {FLOOR[other]})"
        )


def test_no_two_test_files_have_one_name() -> None:
    names = [path.name for path in sorted((Path(__file__).parent).rglob("*.py")) if path.name != "conftest.py"]
    assert len(names) == len(set(names)), (
        "the folders of tests are not packages: pytest cannot import two files of one name"
    )
