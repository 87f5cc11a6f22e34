"""A server that answers as a Gitea does, or as somebody in its place: a list of releases, and their files."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.background import served
from tests.support.packages import require_apt
from tests.support.tools import run, sha256

Answer = Callable[[BaseHTTPRequestHandler], object]
Content = bytes | Path | Answer  # what a path holds, or what to do with who asks for it

MANIFEST, SIGNATURE = "update.json", "update.json.sig"


@dataclass
class Releases:
    """The releases of one repository, changed at any time by whoever holds the server."""

    repository: str
    url: str = ""
    listed: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, Content] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # path and headers of each

    @property
    def api(self) -> str:
        """The path of the list; without a file of that name, it is what is in `listed`."""
        return f"/api/v1/repos/{self.repository}/releases"

    def path(self, tag: str, name: str) -> str:
        return f"/{self.repository}/releases/download/{tag}/{name}"

    def add(self, tag: str, files: Mapping[str, bytes | Path], **changes: object) -> None:
        """Put a release on the list; `changes` are to its entry there."""
        assets = []
        for name, content in files.items():
            path = self.path(tag, name)
            self.files[path] = content
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            assets.append({"name": name, "size": size, "browser_download_url": f"{self.url}{path}"})
        release = {"tag_name": tag, "name": tag, "body": "", "prerelease": False, "draft": False, "assets": assets}
        page = f"{self.url}/{self.repository}/releases/tag/{tag}"
        self.listed.insert(0, {**release, "published_at": "2026-01-01T00:00:00Z", "html_url": page, **changes})

    def clear(self) -> None:
        """Delete all releases."""
        self.listed.clear()
        self.files.clear()

    @contextmanager
    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[None]:
        releases, connected = self, set[socket.socket]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # a short answer would wait for the one before

            def setup(self) -> None:
                super().setup()
                connected.add(self.connection)

            def finish(self) -> None:
                connected.discard(self.connection)
                super().finish()

            def do_GET(self) -> None:
                releases.requests.append((self.path, str(self.headers)))
                with suppress(ConnectionError):  # who asked has heard enough
                    releases.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False  # an answer may have no end

            def handle_error(self, request: object, client_address: object) -> None:
                if not isinstance(sys.exception(), ConnectionError):  # who asked was killed
                    super().handle_error(request, client_address)  # type: ignore[arg-type]

        with Server((host, port), Handler) as server, served(server):
            self.url = f"http://{host}:{server.server_port}"
            try:
                yield
            finally:
                for connection in list(connected):  # nobody is to be answered any more
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        content = self.files.get(path)
        if content is None and path == self.api:
            content = json.dumps(self.listed).encode()
        if callable(content):
            content(handler)
            return
        handler.send_response(HTTPStatus.OK if content is not None else HTTPStatus.NOT_FOUND)
        content = content or b""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        handler.send_header("Content-Length", str(size))
        handler.send_header("X-Total-Count", str(len(self.listed)))
        handler.end_headers()
        if isinstance(content, bytes):
            handler.wfile.write(content)
            return
        with content.open("rb") as file:
            shutil.copyfileobj(file, handler.wfile)


class Key:
    """A pair of keys, as `release.py keygen` makes them."""

    def __init__(self, folder: Path) -> None:
        """Make them in the folder, or take those that are there."""
        require_apt("openssl")
        self._file = folder / "key.pem"
        if not self._file.exists():
            folder.mkdir(parents=True)
            run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self._file])
        run(["openssl", "pkey", "-in", self._file, "-pubout", "-outform", "DER", "-out", folder / "public"])
        self.public = base64.b64encode((folder / "public").read_bytes()[-32:]).decode()

    def sign(self, content: bytes) -> bytes:
        """Give what a release has as update.json.sig."""
        with TemporaryDirectory() as folder:
            signed, signature = Path(folder, "signed"), Path(folder, "signature")
            signed.write_bytes(content)
            run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self._file, "-in", signed, "-out", signature])
            return base64.b64encode(signature.read_bytes()) + b"\n"


def describe(slug: str, version: str, archives: Mapping[str, Path]) -> dict[str, Any]:
    """Give what update.json says of a version for Linux; `archives` are "full" and "app"."""
    with tarfile.open(archives["app"]) as archive:
        member = archive.extractfile(f"{slug}/versions/{version}/runtime-id")
        assert member
        files: dict[str, Any] = {"runtime": member.read().decode().strip()}
    for kind, path in archives.items():
        files[kind] = {"name": path.name, "size": path.stat().st_size, "sha256": sha256(path)}
    return {
        "format": 1,
        "name": slug,
        "version": version,
        "tag": f"v{version}",
        "channel": "stable",
        "date": "2026-01-01T00:00:00Z",
        "platforms": {"linux-x64": files},
    }


def signed(manifest: Mapping[str, Any], key: Key) -> dict[str, bytes]:
    """Give the two files that say what may be installed."""
    content = json.dumps(manifest).encode()
    return {MANIFEST: content, SIGNATURE: key.sign(content)}
