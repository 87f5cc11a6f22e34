"""Releases on Gitea, or on Forgejo."""

from __future__ import annotations

import base64
import re

from .http import AssetData, HttpProvider, ReleaseData

PAGE_OF_RELEASE = re.compile(r"(?P<root>https?://[^?#]+)/[^/?#]+/[^/?#]+/releases/tag/[^?#]*")
FILE = re.compile(r"(?:[\w.-]+/[\w.-]+/releases/download|attachments)/[^?#\\]+")


class GiteaReleaseProvider(HttpProvider):
    """A repository on a Gitea server, also one below a path."""

    @property
    def api(self) -> str:
        return f"{self.base}/api/v1/repos/{self.repository}"

    def get_releases_page_url(self) -> str:
        return f"{self.base}/{self.repository}/releases"

    def api_authorization(self) -> str:
        return f"token {self._token}"

    def file_authorization(self) -> str:
        # Files are not behind the API, and there a token counts only in place of a user.
        return "Basic " + base64.b64encode(f"{self._token}:x-oauth-basic".encode()).decode()

    def find_source(self, release: ReleaseData, asset: AssetData) -> str | None:
        # The server calls itself by its public name, and the app may reach it by another one. A file that somebody
        # linked to from elsewhere is none of the server's.
        page = PAGE_OF_RELEASE.fullmatch(release.html_url)
        root = page["root"] if page else self.base
        path = asset.browser_download_url.removeprefix(f"{root}/")
        if path == asset.browser_download_url or not FILE.fullmatch(path) or ".." in path.split("/"):
            return None
        return f"{self.base}/{path}"
