"""A proxy in front of Gitea that breaks what a test wants broken: for commands, and for a runner with all its jobs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from tests.support.background import served

# Of the connection to the client, or no longer true of a body that was unpacked.
NOT_HANDED_ON = {
    "host",
    "connection",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "date",
}

Planted = tuple[str, str, str | Callable[[], object]]


@dataclass
class Trouble:
    """The requests so far, and those to break, each once: `(method, pattern for the path, how)`.

    `how` is a status, "drop" (no answer), "lose the answer" (of what was done), or something to do before it goes on.
    """

    target: str
    planted: list[Planted]
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)  # what clients sent to be let in
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return self.url.partition("//")[2]

    def next_for(self, method: str, path: str) -> str | Callable[[], object]:
        with self.lock:
            self.requests.append((method, path))
            for entry in self.planted:
                if entry[0] == method and re.search(entry[1], path):
                    self.planted.remove(entry)
                    return entry[2]
        return ""


@contextmanager
def proxy(target: str, *planted: Planted) -> Iterator[Trouble]:
    trouble = Trouble(target, list(planted))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.read_body()
            if sent := self.headers.get("Authorization", ""):
                trouble.tokens.add(sent.rpartition(" ")[2])
            how = trouble.next_for(self.command, self.path)
            if callable(how):
                how()
                how = ""
            if how == "drop":
                self.break_off()
                return
            if how.isdigit():
                page = b"<html><title>Bad gateway</title></html>"
                self.reply(int(how), page, [("Content-Type", "text/html"), ("Content-Length", str(len(page)))])
                return
            kept = [(name, value) for name, value in self.headers.items() if name.lower() not in NOT_HANDED_ON]
            # Some clients look at the host in addresses that come back.
            headers = [*kept, ("Accept-Encoding", "identity"), ("Host", self.headers.get("Host", ""))]
            answer = client.request(self.command, f"{target}{self.path}", headers=headers, content=body)
            if how == "lose the answer":
                self.break_off()
                return
            others = [(name, value) for name, value in answer.headers.multi_items() if name not in NOT_HANDED_ON]
            length = answer.headers.get("Content-Length") if self.command == "HEAD" else str(len(answer.content))
            if length is not None and answer.status_code != 204:
                others.append(("Content-Length", length))
            self.reply(answer.status_code, answer.content, others)

        def read_body(self) -> bytes:
            size = self.headers.get("Content-Length")
            if size is not None or self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(size or 0))
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def break_off(self) -> None:
            self.close_connection = True
            self.connection.close()

        def reply(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        request_queue_size = 100
        daemon_threads = True  # connections that are kept open end with the test

        def handle_error(self, *arguments: Any) -> None:
            pass  # a client that turned away

    with (
        httpx2.Client(trust_env=False, timeout=300, limits=httpx2.Limits(max_connections=None)) as client,
        Quiet(("127.0.0.1", 0), Handler) as server,
    ):
        trouble.url = f"http://127.0.0.1:{server.server_address[1]}"
        with served(server):
            yield trouble
