"""What goes on beside a test until its block ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseServer


@contextmanager
def served(server: BaseServer) -> Iterator[None]:
    """Let a server answer; closing it is its owner's."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def repeated(action: Callable[[], object], pause: float) -> Iterator[None]:
    """Do something again and again, with `pause` seconds between; once at least."""
    done = threading.Event()

    def repeat() -> None:
        while True:
            action()
            if done.wait(pause):
                return

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
