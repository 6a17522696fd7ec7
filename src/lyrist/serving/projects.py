"""Projects of the studio on the server: one JSON file each, in the folder of ``lyrist serve --projects DIR``.

A name of a client is never a path: an id has lower-case letters, digits, ``-`` and ``_`` only, and the file is
``project-ID.json``. Files are replaced atomically. A client that sends the ``ETag`` that it read as ``If-Match`` cannot
overwrite what another one saved since.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi import Path as InPath
from filelock import FileLock
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from lyrist.errors import LyristError
from lyrist.serving import schemas
from lyrist.serving.responses import ApiError, loads

LARGEST = 2**20
"""Maximum bytes of a project."""
MOST = 1_000
"""Maximum projects of a server."""
TITLE = 200

Id = Annotated[str, InPath(pattern=r"^[a-z0-9_-]{1,64}$", description="Lower-case letters, digits, - and _.")]


@dataclass(frozen=True)
class Projects:
    """A folder of projects."""

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Projects:
        """Open the folder, which is created if it does not exist.

        Raises
        ------
        LyristError
            It is no folder, or cannot be written.
        """
        path = Path(folder).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LyristError(
                f"--projects {folder} cannot be used as a folder ({error.strerror}); choose another."
            ) from None
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise LyristError(f"--projects {folder} cannot be read and written by this user; choose another folder.")
        for left in path.glob(".project-*.tmp"):  # of a server that was killed while it wrote
            left.unlink(missing_ok=True)
        return cls(path)

    def list(self) -> list[schemas.ProjectEntry]:
        """Return the projects, the last saved first."""
        found = []
        for path in self.folder.glob("project-*.json"):
            with contextlib.suppress(ApiError, OSError):  # removed meanwhile, or damaged by others
                data = self._read(path)
                title = json.loads(data).get("title")
                found.append(schemas.ProjectEntry(
                    id=path.stem.removeprefix("project-"), title=title[:TITLE] if isinstance(title, str) else "",
                    modified=path.stat().st_mtime, bytes=len(data), etag=_etag(data),
                ))  # fmt: skip
        return sorted(found, key=lambda each: (-each.modified, each.id))

    def get(self, name: str) -> bytes:
        """Return a project; raises an `ApiError` with the status 404 if there is none."""
        return self._read(self._path(name))

    def put(self, name: str, data: bytes, *, match: str | None = None, new: bool = False) -> tuple[str, bool]:
        """Save a project; return its ETag and whether it is new.

        Parameters
        ----------
        name
            Its id.
        data
            A JSON object.
        match
            The ETag that is replaced; None: any.
        new
            Fail if it exists.
        """
        if len(data) > LARGEST:
            raise ApiError(413, f"The project has {len(data):,} bytes; the maximum is {LARGEST:,}.")
        path = self._path(name)
        with self._locked():
            before = self._etag_of(path)
            if (match is not None and match != before) or (new and before is not None):
                raise _changed(before)
            if before is None and sum(1 for _ in self.folder.glob("project-*.json")) >= MOST:
                raise ApiError(
                    409, f"This server keeps at most {MOST:,} projects; delete one.", code="too_many_projects"
                )
            temporary = path.with_name(f".{path.name}.tmp")
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except OSError as error:
                temporary.unlink(missing_ok=True)
                raise ApiError(507, f"The project cannot be saved ({error.strerror}); keep a copy of it.") from None
        return _etag(data), before is None

    def delete(self, name: str, match: str | None = None) -> None:
        """Delete a project; raises an `ApiError` with the status 404 if there is none."""
        path = self._path(name)
        with self._locked():
            before = _etag(self._read(path))
            if match is not None and match != before:
                raise _changed(before)
            path.unlink(missing_ok=True)

    def _locked(self) -> FileLock:
        """Return the lock that is held while a project is compared and replaced, also by other servers."""
        return FileLock(self.folder / ".lock", timeout=30)

    def _path(self, name: str) -> Path:
        return self.folder / f"project-{name}.json"

    def _etag_of(self, path: Path) -> str | None:
        try:
            return _etag(self._read(path))
        except ApiError:
            return None

    def _read(self, path: Path) -> bytes:
        """Return the content of a file of this folder; a link is not followed."""
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
                data = file.read(LARGEST + 1)
            if len(data) > LARGEST or not isinstance(json.loads(data), dict):
                raise ValueError
        except FileNotFoundError:
            raise ApiError(404, "There is no project with this id; GET /v1/projects lists them.") from None
        except (OSError, ValueError, RecursionError):
            raise ApiError(409, "The file of this project is damaged; save the project again or delete it.") from None
        return data


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _changed(etag: str | None) -> ApiError:
    return ApiError(
        412, "The project was saved by another client since it was read; read it again before you save.",
        headers={"ETag": etag} if etag else None,
    )  # fmt: skip


def add_projects(app: FastAPI, projects: Projects) -> None:
    """Add the paths to an application."""

    @app.get("/v1/projects", operation_id="listProjects", tags=["projects"])
    async def listed() -> schemas.ProjectList:
        """List the projects, the last saved first."""
        return schemas.ProjectList(data=await run_in_threadpool(projects.list))

    @app.get("/v1/projects/{id}", operation_id="retrieveProject", tags=["projects"], response_model=dict[str, Any])
    async def project(id: Id) -> Any:  # noqa: A002 - the name in the address
        """Return a project as it was saved, with its `ETag`."""
        data = await run_in_threadpool(projects.get, id)
        return Response(data, media_type="application/json", headers={"ETag": _etag(data)})

    @app.put(
        "/v1/projects/{id}", operation_id="saveProject", tags=["projects"], response_model=schemas.ProjectSaved,
        responses={201: {"model": schemas.ProjectSaved, "description": "Created"}},
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
    )  # fmt: skip
    async def save(request: Request, id: Id) -> Any:  # noqa: A002
        """Save a project: any JSON object; its `title` is listed. `If-Match` and `If-None-Match: *` are followed."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError(415, "The body must be JSON; send it with 'Content-Type: application/json'.")
        found = await run_in_threadpool(loads, await request.body())
        if not isinstance(found, dict):
            raise ApiError(400, "A project is a JSON object.")
        data = await run_in_threadpool(lambda: json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        new = request.headers.get("if-none-match") == "*"
        etag, created = await run_in_threadpool(
            lambda: projects.put(id, data, match=request.headers.get("if-match"), new=new)
        )
        saved = schemas.ProjectSaved(id=id, etag=etag)
        return JSONResponse(saved.model_dump(), 201 if created else 200, {"ETag": etag})

    @app.delete("/v1/projects/{id}", operation_id="deleteProject", tags=["projects"], status_code=204)
    async def delete(request: Request, id: Id) -> None:  # noqa: A002
        """Delete a project."""
        await run_in_threadpool(projects.delete, id, request.headers.get("if-match"))
