"""Releases on GitHub, or on a GitHub Enterprise server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from .http import AssetData, HttpProvider, ReleaseData


class GitHubReleaseProvider(HttpProvider):
    """A repository on GitHub; the address is that of its API."""

    page_size = "per_page"
    api_headers: Mapping[str, str] = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    @cached_property
    def web(self) -> str:
        """The address for people: https://api.github.com or https://github.example.com/api/v3 without what is the API's."""
        return self.base.removesuffix("/api/v3").replace("://api.", "://", 1)

    @property
    def api(self) -> str:
        return f"{self.base}/repos/{self.repository}"

    def get_releases_page_url(self) -> str:
        return f"{self.web}/{self.repository}/releases"

    def api_authorization(self) -> str:
        return f"Bearer {self._token}"

    def file_authorization(self) -> str:
        return self.api_authorization()

    def find_source(self, release: ReleaseData, asset: AssetData) -> str | None:  # noqa: ARG002
        # The API gives private files too, but without a token it soon refuses: its requests are counted.
        source, root = (asset.url, self.base) if self._token else (asset.browser_download_url, self.web)
        return source if source.startswith(f"{root}/") and ".." not in source.split("/") else None
