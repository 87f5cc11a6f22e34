"""Where releases come from: one interface, `ReleaseProvider`, for Gitea and for GitHub."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from packaging.version import Version

from ..settings import UpdateSettings

if TYPE_CHECKING:
    import httpx2

Sleep = Callable[[float], Awaitable[None]]


class ProviderError(Exception):
    """Releases cannot be read; the message is one line for people. `passing`: it may go better in a while."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class AssetInfo:
    """A file of a release."""

    name: str
    size: int
    download_url: str


@dataclass(frozen=True)
class ReleaseInfo:
    """A release that everybody may see."""

    tag: str
    version: Version
    name: str
    body: str
    prerelease: bool
    published_at: datetime
    assets: tuple[AssetInfo, ...]
    page_url: str

    def asset(self, name: str) -> AssetInfo | None:
        """The file of that name, if the release has it."""
        return next((asset for asset in self.assets if asset.name == name), None)


@dataclass(frozen=True)
class Download:
    """The contents of a file from `start` on: 0 where the server does not go on in the middle.

    `chunks` raises a ProviderError when the connection breaks.
    """

    start: int
    chunks: AsyncIterator[bytes]


class ReleaseProvider(ABC):
    """A server that has releases of this app."""

    @abstractmethod
    async def get_releases(self) -> Sequence[ReleaseInfo]:
        """All releases, highest version first; as long as nothing changes, the same object for one request."""

    @abstractmethod
    def get_releases_page_url(self) -> str:
        """The page for people."""

    @abstractmethod
    async def read(self, asset: AssetInfo, limit: int) -> bytes:
        """The whole contents of a small file; an error where it is larger than `limit` bytes."""

    @abstractmethod
    def stream(self, asset: AssetInfo, start: int) -> AbstractAsyncContextManager[Download]:
        """Open a file for reading, from byte `start` where the server can do that and still has the same file."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""


def make_provider(
    settings: UpdateSettings, *, transport: httpx2.AsyncBaseTransport | None = None, sleep: Sleep = asyncio.sleep
) -> ReleaseProvider:
    """The provider that the settings name. `transport` and `sleep` are the network and the time of tests."""
    if settings.update_provider == "github":
        from .github import GitHubReleaseProvider

        return GitHubReleaseProvider(settings, transport, sleep)
    from .gitea import GiteaReleaseProvider

    return GiteaReleaseProvider(settings, transport, sleep)
