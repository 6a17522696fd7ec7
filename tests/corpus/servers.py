"""Servers on this machine that behave well or badly: files over HTTP, and as much of S3 as reading takes.

The S3 server checks the signature of each request (version 4) against the one secret that it knows, as real ones do.
"""

import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import psutil

KEY, SECRET = "TESTKEYID", "test/secret+key"


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(program: str, *options: str, port: int, **environment: str) -> Iterator[None]:
    """Run a server in a process of its own, until the block ends; it and its children are ended then."""
    process = subprocess.Popen(
        [program, *options], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None, f"{program} ended"
            assert time.monotonic() < end, f"{program} does not listen"
            time.sleep(0.1)
        yield
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait()
        for child in psutil.wait_procs(children, timeout=3)[1]:
            child.kill()


def answers(port: int) -> bool:
    """Return whether something listens there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass
class Shelf:
    """What a server holds, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path: ``/songs.csv``, in S3 ``/bucket/key``."""
    ranges: bool = True
    lengths: bool = True
    cuts: list[int] = field(default_factory=list)
    """Each takes one answer and ends its connection after so many bytes of it."""
    answers: list[int] = field(default_factory=list)
    """Status codes that come in place of the next answers."""
    password: str = ""
    token: bytes = b""
    """What ``/token`` answers."""
    shown: list[str] = field(default_factory=list)
    """The credentials that came with each request."""
    signed: bool = False
    """Whether it is S3 and checks signatures."""
    version: int = 1
    requests: list[str] = field(default_factory=list)
    """Method, path and range of each request."""
    sent: int = 0
    """Bytes of files that were sent."""
    url: str = ""


@contextmanager
def served(shelf: Shelf) -> Iterator[Shelf]:
    """Serve until the block ends."""
    handler = type("Handler", (Handler,), {"shelf": shelf})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield shelf
        finally:
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    shelf: Shelf
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients go when they have seen enough
            super().handle()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answer(self.shelf.token, "application/json")

    def do_GET(self) -> None:
        shelf, path = self.shelf, unquote(urlsplit(self.path).path)
        shelf.shown.append(self.headers["Authorization"] or "")
        wanted = self.headers["Range"] or ""
        shelf.requests.append(f"{self.command} {path} {wanted}".strip())
        if shelf.answers:
            return self.refuse(shelf.answers.pop(0), "Refused")
        if shelf.signed and not self.signature_is_right():
            return self.refuse(403, "SignatureDoesNotMatch")
        if shelf.password and self.headers["Authorization"] != shelf.password:
            return self.refuse(401, "Unauthorized")
        if (shelf.signed and path.count("/") == 1) or path.endswith("/"):
            return self.bucket(path.strip("/"))
        if path.startswith("/api/"):
            return self.hub(path)
        if path not in shelf.files:
            bucket = path.split("/")[1]
            known = any(name.startswith(f"/{bucket}/") for name in shelf.files)
            return self.refuse(404, "NoSuchKey" if known else "NoSuchBucket")
        return self.file(shelf.files[path], wanted)

    def file(self, data: bytes, wanted: str) -> None:
        shelf, start, end = self.shelf, 0, len(data)
        part = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted) if shelf.ranges else None
        if part:
            start = int(part[1]) if part[1] else max(0, end - int(part[2]))
            end = min(end, int(part[2]) + 1) if part[1] and part[2] else end
            if start >= len(data):
                return self.refuse(416, "InvalidRange")
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}-{shelf.version}"')  # noqa: S324 - as S3 does
        self.send_header("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
        if shelf.lengths:
            self.send_header("Content-Length", str(end - start))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "HEAD":
            return None
        cut = shelf.cuts.pop(0) if shelf.cuts else end - start
        body = data[start : min(end, start + cut)]
        whole = len(body) == end - start
        try:
            for place in range(0, len(body), 1 << 16):
                piece = body[place : place + (1 << 16)]
                self.wfile.write(piece if shelf.lengths else b"%x\r\n%b\r\n" % (len(piece), piece))
                shelf.sent += len(piece)
            if not shelf.lengths and whole:
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            whole = False
        self.close_connection = not whole
        return None

    def refuse(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hub(self, path: str) -> None:
        """Answer a request to the Hugging Face hub about the data set me/songs."""
        start = "/datasets/me/songs/resolve/main/"
        names = {name.removeprefix(start): data for name, data in self.shelf.files.items() if name.startswith(start)}
        if not names or not path.startswith("/api/datasets/me/songs"):
            return self.refuse(404, "RepoNotFound")
        answer: Any = {"id": "me/songs", "sha": "0" * 40, "private": False, "siblings": []}
        if "/tree/" in path:
            answer = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in names.items()
            ]
        return self.answer(json.dumps(answer).encode(), "application/json")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def bucket(self, bucket: str) -> None:
        """Answer whether a bucket exists, and what is in it."""
        names = [
            name.removeprefix(f"/{bucket}/") for name in sorted(self.shelf.files) if name.startswith(f"/{bucket}/")
        ]
        if not names:
            return self.refuse(404, "NoSuchBucket")
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        inside = [name for name in names if name.startswith(prefix)]
        folders = {
            prefix + name[len(prefix) :].split(delimiter)[0] + delimiter
            for name in inside
            if delimiter and delimiter in name[len(prefix) :]
        }
        keys = [name for name in inside if not any(name.startswith(folder) for folder in folders)]
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2000-01-01T00:00:00.000Z</LastModified>"
            f"<Size>{len(self.shelf.files[f'/{bucket}/{key}'])}</Size></Contents>"
            for key in keys[: int(query.get("max-keys", 1000))]
        )
        listed += "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        body = (
            f"<?xml version='1.0'?><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Name>{bucket}</Name>"
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{listed}"
            "</ListBucketResult>"
        ).encode()
        return self.answer(body, "application/xml")

    def signature_is_right(self) -> bool:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\w+)/([\w-]+)/s3/aws4_request,\s*SignedHeaders=([\w;-]+),\s*Signature=(\w+)",
            self.headers["Authorization"] or "",
        )
        if not found or found[1] != KEY:
            return False
        _, day, region, names, signature = found.groups()
        parts = urlsplit(self.path)
        query = "&".join(
            f"{quote(k, '-_.~')}={quote(v, '-_.~')}" for k, v in sorted(parse_qsl(parts.query, keep_blank_values=True))
        )
        headers = "".join(f"{name}:{' '.join((self.headers[name] or '').split())}\n" for name in names.split(";"))
        canonical = "\n".join([self.command, parts.path, query, headers, names, self.headers["x-amz-content-sha256"]])
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(
            ["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        key = f"AWS4{SECRET}".encode()
        for part in (day, region, "s3", "aws4_request", text):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(key.hex(), signature)
