"""The floors of the house: a room imports only from rooms on floors below its own."""

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
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(node: ast.ImportFrom, alias: ast.alias) -> str:
    """`from lyrist import x` names the room x, or something that `__init__` itself defines."""
    if node.module != "lyrist":
        return node.module or ""
    return f"lyrist.{alias.name}" if alias.name in FLOOR else "lyrist.__init__"


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = [name_of(node, alias) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("lyrist.")}
    return rooms


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    assert room in FLOOR, f"{room} stands on no floor: add it to FLOORS and to docs/architecture.md"
    for other in imported_rooms(path) - {room}:
        assert other in FLOOR, f"{path} imports the unknown room {other}"
        assert FLOOR[other] < FLOOR[room], (
            f"{path}: {room} (floor {FLOOR[room]}) imports {other} (floor {FLOOR[other]})"
        )


def test_no_two_test_files_have_one_name() -> None:
    names = [path.name for path in sorted((Path(__file__).parent).rglob("*.py")) if path.name != "conftest.py"]
    assert len(names) == len(set(names)), (
        "the folders of tests are not packages: pytest cannot import two files of one name"
    )
