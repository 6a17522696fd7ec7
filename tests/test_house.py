"""The floors of the house: a room imports only from rooms on floors below its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "lyrist"
FLOORS = [
    {"errors", "text", "_version"},
    {"files", "progress"},
    {"reports", "models", "sample"},
    {"corpus", "images"},
    {"training"},
    {"evaluation"},
    {"generation"},
    {"studies", "serving"},
    {"cli", "__init__", "__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "lyrist"
                else [node.module or ""]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("lyrist.")}
    return rooms


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    assert room in FLOOR, f"{room} stands on no floor: add it to FLOORS and to docs/house.md"
    for other in imported_rooms(path) - {room}:
        assert other in FLOOR, f"{path} imports the unknown room {other}"
        assert FLOOR[other] < FLOOR[room], (
            f"{path}: {room} (floor {FLOOR[room]}) imports {other} (floor {FLOOR[other]})"
        )
