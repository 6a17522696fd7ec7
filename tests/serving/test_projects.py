"""Projects on the server: nothing is lost, nothing outside the folder is touched."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servekit import Running, serving

from lyrist.errors import LyristError
from lyrist.serving import projects
from lyrist.serving.access import ServerSettings
from lyrist.serving.modelregistry import ModelRegistry

SONG = {"title": "Ferry ☃", "sections": [{"name": "Verse", "lines": ["a", "b"]}]}


@pytest.fixture(scope="module")
def running(models: ModelRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("kept") / "projects"
    settings = ServerSettings(studio=False, projects=str(folder))
    with serving(ModelRegistry({"genres": models.items["genres"]}), settings) as server:
        yield server, folder


@pytest.fixture
def folder(running: tuple[Running, Path]) -> Path:
    """The folder of the server, without projects."""
    for path in running[1].glob("project-*"):
        path.unlink()
    return running[1]


@pytest.fixture
def server(running: tuple[Running, Path], folder: Path) -> Running:
    return running[0]


def test_a_project_is_saved_listed_read_and_deleted(server: Running, folder: Path) -> None:
    first = server.http.put("/v1/projects/ferry-1", json=SONG)
    assert first.status_code == 201
    again = server.http.get("/v1/projects/ferry-1")
    assert again.json() == SONG
    assert again.headers["etag"] == first.headers["etag"] == first.json()["etag"]
    assert server.http.put("/v1/projects/ferry-1", json={**SONG, "title": 5}).status_code == 200
    server.http.put("/v1/projects/b", json={"title": "x" * 500})
    listed = server.http.get("/v1/projects").json()["data"]
    assert {(each["id"], each["title"]) for each in listed} == {("ferry-1", ""), ("b", "x" * 200)}
    assert server.http.delete("/v1/projects/ferry-1").status_code == 204
    assert server.http.get("/v1/projects/ferry-1").status_code == 404
    assert server.http.delete("/v1/projects/ferry-1").status_code == 404
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == [".lock", "project-b.json"]


def test_a_client_does_not_overwrite_what_another_one_saved(server: Running) -> None:
    mine = server.http.put("/v1/projects/p", json=SONG).headers["etag"]
    server.http.put("/v1/projects/p", json={"title": "theirs"}, headers={"If-Match": mine})
    answer = server.http.put("/v1/projects/p", json=SONG, headers={"If-Match": mine})
    assert answer.status_code == 412
    assert "another client" in answer.json()["error"]["message"]
    assert server.http.delete("/v1/projects/p", headers={"If-Match": mine}).status_code == 412
    assert server.http.put("/v1/projects/p", json=SONG, headers={"If-None-Match": "*"}).status_code == 412
    assert server.http.put("/v1/projects/new", json=SONG, headers={"If-Match": mine}).status_code == 412
    assert server.http.get("/v1/projects/p").json() == {"title": "theirs"}


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e%2fx", "..%2f..%2fx", "a%2Fb", "a%00", "A", "x" * 65, "a.json", "%E2%98%83", "a%5Cb", "C:a", "-%0A"],
)
def test_an_id_is_never_a_path(server: Running, folder: Path, name: str) -> None:
    before = set(folder.parent.parent.rglob("*"))
    assert server.http.put(f"/v1/projects/{name}", json=SONG).status_code in (400, 404, 405)
    assert server.http.get(f"/v1/projects/{name}").status_code in (400, 404)
    assert set(folder.parent.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400), (b"{", 400), (b'{"a": NaN}', 400), (b"", 400), (b"\xff", 400),
        (json.dumps({"title": "x" * projects.LARGEST}).encode(), 413), (b"[" * 50_000, 400),
    ],
)  # fmt: skip
def test_what_is_no_project_is_not_saved(server: Running, folder: Path, body: bytes, status: int) -> None:
    answer = server.http.put("/v1/projects/p", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert server.http.put("/v1/projects/p", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert not list(folder.glob("project-*"))


def test_files_of_others_are_not_served(server: Running, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"title": "secret"}')
    (folder / "project-link.json").symlink_to(secret)
    (folder / "project-bad.json").write_text("{")
    (folder / "project-list.json").write_text("[]")
    assert server.http.get("/v1/projects").json()["data"] == []
    for name in ("link", "bad", "list"):
        answer = server.http.get(f"/v1/projects/{name}")
        assert answer.status_code == 409
        assert "secret" not in answer.text
    server.http.put("/v1/projects/link", json=SONG)
    assert secret.read_text() == '{"title": "secret"}'
    assert server.http.get("/v1/projects/link").json() == SONG


def test_a_full_disk_keeps_the_saved_version(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    server.http.put("/v1/projects/p", json=SONG)

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(projects.os, "fsync", full)
    answer = server.http.put("/v1/projects/p", json={"title": "new"})
    assert answer.status_code == 507
    assert "No space left" in answer.json()["error"]["message"]
    assert server.http.get("/v1/projects/p").json() == SONG


def test_the_number_of_projects_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "MOST", 2)
    kept = projects.Projects.open(tmp_path)
    for name in ("a", "b"):
        kept.put(name, b"{}")
    with pytest.raises(projects.ApiError) as error:
        kept.put("c", b"{}")
    assert error.value.status == 409
    kept.put("a", b'{"title": "again"}')


def test_a_folder_that_is_none_is_one_sentence_and_leftovers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LyristError, match="--projects"):
        projects.Projects.open(tmp_path / "file")
    folder = tmp_path / "new" / "folder"
    folder.mkdir(parents=True)
    (folder / ".project-a.json.tmp").write_text("{")
    (folder / "notes.txt").write_text("")
    assert projects.Projects.open(folder).list() == []
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_without_a_folder_there_are_no_projects(models: ModelRegistry) -> None:
    with serving(ModelRegistry({"genres": models.items["genres"]})) as running:
        answers: list[Any] = [running.http.get("/v1/projects"), running.http.put("/v1/projects/p", json=SONG)]
    assert [answer.status_code for answer in answers] == [404, 404]
