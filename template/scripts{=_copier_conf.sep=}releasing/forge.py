"""The server's API behind one small interface: `Gitea`, and `GitHub` where it differs (for a mirror that releases there)."""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import stamina
from packaging.version import Version

from releasing import ReleaseError, fail, in_workflow, mask, one_line, secret
from releasing.project import settings

ATTEMPTS = 5
PAGE = 50
PAGES = 200  # nobody has ten thousand releases: a server that goes on has lost count
SETTLING = 15  # seconds that a busy server may take to see to a pushed tag
ANSWER_LIMIT = 20 << 20
TIMEOUT = httpx2.Timeout(60, connect=10, write=300, read=300)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]*")  # of a file: nothing that a path or a page reads otherwise
UUID = re.compile(r"[0-9a-f-]{36}")
T = TypeVar("T")


class ForgeError(ReleaseError):
    """The server refused; `status` tells how."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Asset:
    """A file of a release."""

    id: int
    name: str
    size: int
    uuid: str = ""  # Gitea's


@dataclass(frozen=True)
class Release:
    """A release as the server has it."""

    id: int
    tag: str
    name: str
    body: str
    draft: bool
    prerelease: bool
    page: str
    assets: tuple[Asset, ...] = field(default=())

    @property
    def version(self) -> Version | None:
        """Give the version that its tag means, if it means one."""
        try:
            return Version(self.tag)
        except ValueError:
            return None

    @property
    def edit_page(self) -> str:
        """Give the page with the button that publishes a draft; the page of the release itself need not have it."""
        return self.page.replace("/releases/tag/", "/releases/edit/")

    def named(self, name: str) -> list[Asset]:
        """Give every asset of that name: a server may have several."""
        return [asset for asset in self.assets if asset.name == name]


def read_release(data: object) -> Release:
    """Take a release from the server's JSON; what is not one is an error and no surprise later."""
    if not isinstance(data, dict):
        raise ForgeError("The server's answer is no release: is its address right, and is a proxy in between?")
    assets = data.get("assets") or []
    if not isinstance(assets, list):
        raise ForgeError("The server's answer has a release whose assets are no list.")
    return Release(
        id=_member(data, "id", int),
        tag=_member(data, "tag_name", str),
        name=str(data.get("name") or ""),
        body=str(data.get("body") or ""),
        draft=_member(data, "draft", bool),
        prerelease=_member(data, "prerelease", bool),
        page=str(data.get("html_url") or ""),
        assets=tuple(read_asset(asset) for asset in assets),
    )


def read_asset(data: object) -> Asset:
    if not isinstance(data, dict):
        raise ForgeError("The server's answer has a file that is none.")
    uuid = str(data.get("uuid") or "")
    return Asset(
        _member(data, "id", int),
        _member(data, "name", str),
        _member(data, "size", int),
        uuid if UUID.fullmatch(uuid) else "",
    )


def _member(data: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = data.get(name)
    if not isinstance(value, kind) or (kind is int and (isinstance(value, bool) or not 0 <= value < 1 << 63)):  # type: ignore[operator]
        raise ForgeError(f"The server's answer has {one_line(repr(value), 60)} where {name!r} belongs.")
    return value


def reason(error: httpx2.TransportError) -> str:
    """Say what is wrong with a connection, in one line with what to do."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {one_line(str(cause))}; for a CA of your own set SSL_CERT_FILE"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return one_line(str(error)) or type(error).__name__


def is_passing(error: Exception) -> bool:
    """Say whether it may go better in a moment: the network, and answers that mean so; never a certificate."""
    if isinstance(error, ForgeError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, httpx2.TransportError) and "TLS:" not in reason(error)


def patient(
    action: Callable[[], T],
    before_retry: Callable[[], None] = lambda: None,
    passes: Callable[[Exception], bool] = is_passing,
) -> T:
    """Do something, again with growing pauses where it failed for a passing reason."""
    for attempt in stamina.retry_context(on=passes, attempts=ATTEMPTS, timeout=120, wait_initial=0.5, wait_max=15):
        with attempt:
            if attempt.num > 1:
                before_retry()
            return action()
    raise AssertionError("not reached: the last attempt raises")


def reporting(action: Callable[[], None], program: str = "release", also: tuple[type[Exception], ...] = ()) -> int:
    """Do what a program is for, and give its status: an error, `also` one of these, is one line and the status 1."""
    logging.getLogger("stamina").setLevel(logging.ERROR)
    expected: tuple[type[Exception], ...] = (ReleaseError, *also)
    try:
        action()
    except expected as error:
        return fail(error, program)
    except httpx2.TransportError as error:
        server = os.environ.get("GITHUB_SERVER_URL") or "the server"
        return fail(f"{server} is not reached: {reason(error)}.", program)
    except (httpx2.InvalidURL, httpx2.RequestError, OSError, UnicodeError) as error:
        return fail(f"{type(error).__name__}: {error}", program)
    return 0


def refusal(response: httpx2.Response, body: bytes) -> ForgeError:
    """Make one line of an answer that is no success; an HTML page of a proxy says little, and is cut to its title."""
    text = body[:4000].decode("utf-8", "replace")
    if title := re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
        text = title[1]
    elif message := re.search(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"', text):
        text = message[1]
    hint = {
        401: "; the token is not valid",
        403: "; the token may not do that: see docs/releasing.md for the scopes",
        404: "; the address is wrong, or the token may not see it",
    }.get(response.status_code, "")
    if response.has_redirect_location:
        text, hint = f"to {response.headers['Location']}", "; give the address that it leads to"
    url = response.request.url.copy_with(query=None)
    said = one_line(mask(re.sub(r"<[^>]*>", " ", text))) or "no reason"
    return ForgeError(
        f"{response.request.method} {url} answered {response.status_code}: {said}{hint}", response.status_code
    )


class Forge(ABC):
    """A server that holds the repository."""

    page_size = "limit"

    def __init__(self, api: str, server: str, repository: str, token: str) -> None:
        self.server = server
        self.repository = repository
        self.path = f"/repos/{repository}"
        self.http = httpx2.Client(
            base_url=api, headers={"Accept": "application/json", **self.authorization(token)}, timeout=TIMEOUT
        )

    def authorization(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}"} if token else {}

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask the API, and give the JSON of its answer."""
        return patient(lambda: self.ask_once(method, path, **options))

    def ask_once(self, method: str, path: str, **options: Any) -> Any:
        with self.http.stream(method, path, **options) as response:
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > ANSWER_LIMIT:
                    raise ForgeError(f"{method} {response.request.url}: the answer does not end.")
            if not response.is_success:
                raise refusal(response, body)
        if not body:
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "no type")
            raise ForgeError(
                f"{method} {response.request.url} answered with {kind} and not with JSON: is a proxy in between?"
            ) from None

    def entries(self, path: str, kind: str, **filters: str) -> Iterator[Any]:
        """Give all entries of a list, page by page."""
        for page in range(1, PAGES):
            found = self.ask("GET", f"{self.path}/{path}", params={"page": page, self.page_size: PAGE, **filters})
            if not isinstance(found, list):
                raise ForgeError(f"The server's answer is no list of {kind}: is its address right?")
            yield from found
            if not found:
                return
        raise ForgeError(f"The server's list of {kind} does not end.")

    def releases(self) -> Iterator[Release]:
        """Give all releases, newest first; drafts as far as the token may see them."""
        return map(read_release, self.entries("releases", "releases"))

    def find_release(self, tag: str) -> Release | None:
        return next((release for release in self.releases() if release.tag == tag), None)

    def get(self, release: Release) -> Release:
        """Ask for a release again."""
        return read_release(self.ask("GET", f"{self.path}/releases/{release.id}"))

    def create_draft(self, tag: str, name: str, body: str, *, prerelease: bool) -> Release:
        content = {"tag_name": tag, "name": name, "body": body, "draft": True, "prerelease": prerelease}
        try:
            return read_release(self.ask("POST", f"{self.path}/releases", json=content))
        except ForgeError as error:
            # It was there, or an answer was lost and the second attempt met what the first one made.
            if error.status not in {409, 422} or not (found := self.find_release(tag)):
                raise
            return found

    def edit(self, release: Release, **changes: object) -> Release:
        return read_release(self.ask("PATCH", f"{self.path}/releases/{release.id}", json=changes))

    def highest_stable(self) -> Version | None:
        """Give the highest version that is public and no pre-release; the newest by date may be a lower one."""
        public = (release for release in self.releases() if not release.draft and not release.prerelease)
        versions = (version for release in public if (version := release.version))
        return max((version for version in versions if not version.is_prerelease), default=None)

    def upload(self, release: Release, path: Path) -> Asset:
        """Upload a file in place of every asset of its name."""
        for asset in release.named(path.name):
            self.delete(release, asset)

        def clear() -> None:  # what an attempt left whose answer was lost
            for asset in self.get(release).named(path.name):
                self.delete(release, asset)

        asset = patient(lambda: self.send(release, path), clear)
        if asset.size != path.stat().st_size:
            raise ForgeError(
                f"{path.name}: the server has {asset.size} bytes of {path.stat().st_size}; upload it again."
            )
        return asset

    def download(self, release: Release, asset: Asset, path: Path) -> None:
        """Save an asset as a file."""
        if not NAME.fullmatch(asset.name):
            raise ForgeError(f"The release has a file with the name {one_line(repr(asset.name), 80)}: delete it there.")
        self.save(asset, path, *self.source(release, asset))

    def save(self, asset: Asset, path: Path, url: str, headers: Mapping[str, str]) -> None:
        def fetch() -> None:
            with (
                # The bytes of the file: a server or a proxy may compress what it sends to whoever takes that.
                self.http.stream(
                    "GET", url, headers={**headers, "Accept-Encoding": "identity"}, follow_redirects=True
                ) as response,
                path.open("wb") as file,
            ):
                if not response.is_success:
                    raise refusal(response, response.read())
                for part in response.iter_raw():
                    file.write(part)

        patient(fetch)
        if path.stat().st_size != asset.size:
            raise ForgeError(f"{asset.name}: {path.stat().st_size} bytes came, and the server says {asset.size}.")

    def pull_requests(self) -> list[Mapping[str, Any]]:
        """Give the open pull requests."""
        found = list(self.entries("pulls", "pull requests", state="open"))
        if not all(isinstance(entry, dict) for entry in found):
            raise ForgeError("The server's answer is no list of pull requests.")
        return found

    def open_pull_request(self, head: str, base: str, title: str, body: str) -> str:
        """Open a pull request, and give the address of its page."""
        content = {"head": head, "base": base, "title": title, "body": body}
        return _member(self.ask("POST", f"{self.path}/pulls", json=content), "html_url", str)

    @abstractmethod
    def knows_tag(self, tag: str) -> bool:
        """Say whether the server has that tag."""

    def is_settled(self, tag: str) -> bool:  # noqa: ARG002
        """Wait until nothing that the server still does about a pushed tag can touch a draft on it; says whether that is sure."""
        return True

    @abstractmethod
    def delete(self, release: Release, asset: Asset) -> None:
        """Delete an asset; that it is gone already is good."""

    @abstractmethod
    def send(self, release: Release, path: Path) -> Asset:
        """Send a file, streaming."""

    @abstractmethod
    def source(self, release: Release, asset: Asset) -> tuple[str, dict[str, str]]:
        """Give the address of an asset's contents, a draft's as well, and the headers that it wants."""

    def exists(self, path: str) -> bool:
        try:
            self.ask("GET", path)
        except ForgeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def remove(self, path: str) -> None:
        try:
            self.ask("DELETE", path)
        except ForgeError as error:
            if error.status != 404:
                raise


class Gitea(Forge):
    """Gitea, and Forgejo."""

    def knows_tag(self, tag: str) -> bool:
        return self.exists(f"{self.path}/tags/{quote(tag, safe='')}")

    def is_settled(self, tag: str) -> bool:
        # Gitea takes note of a push a while after it, and then makes public what it has on the tag, drafts too. The API's list
        # of tags is git's and tells nothing of that, but the feed of tags is made of these notes.
        deadline = time.monotonic() + SETTLING
        while (noted := patient(lambda: self.feed_has(tag))) is False and time.monotonic() < deadline:
            time.sleep(0.2)
        if noted is None:
            # There is no feed: Gitea 1.23 has none of a private repository, and it can be switched off. What was done with the
            # repository is written down at the beginning of the same piece of work.
            while not self.saw_push(tag) and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(2)
        return noted is True

    def feed_has(self, tag: str) -> bool | None:
        """Say whether the feed of tags has that one; None where there is no feed to read."""
        authorization = self.http.headers.get("Authorization", "").removeprefix("token ")
        with self.http.stream(
            "GET", f"{self.server}/{self.repository}/tags.rss", auth=("token", authorization)
        ) as response:
            if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
                raise refusal(response, response.read())
            if response.status_code != httpx2.codes.OK:
                return None
            return f"/releases/tag/{quote(tag, safe='')}</link>" in response.read().decode("utf-8", "replace")

    def saw_push(self, tag: str) -> bool:
        """Say whether the server has begun to see to the push of a tag; one that does not tell has."""
        try:
            found = self.ask("GET", f"{self.path}/activities/feeds", params={"limit": PAGE})
        except ForgeError as error:
            if error.status not in {403, 404}:
                raise
            return True
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        return any(
            entry.get("op_type") == "push_tag" and entry.get("ref_name") == f"refs/tags/{tag}" for entry in entries
        )

    def delete(self, release: Release, asset: Asset) -> None:
        self.remove(f"{self.path}/releases/{release.id}/assets/{asset.id}")

    def send(self, release: Release, path: Path) -> Asset:
        # A form works on every version; a bare body only on newer ones.
        with path.open("rb") as file:
            answer = self.ask_once(
                "POST",
                f"{self.path}/releases/{release.id}/assets",
                params={"name": path.name},
                files={"attachment": (path.name, file, "application/octet-stream")},
            )
        return read_asset(answer)

    def download(self, release: Release, asset: Asset, path: Path) -> None:
        try:
            super().download(release, asset, path)
        except ForgeError as error:
            # Gitea 1.23 hides a draft's files from the workflow's own token, but not at the address of the file itself.
            if error.status != httpx2.codes.NOT_FOUND or not asset.uuid:
                raise
            self.save(asset, path, f"{self.server}/attachments/{asset.uuid}", {})

    def source(self, release: Release, asset: Asset) -> tuple[str, dict[str, str]]:
        # Not the address in the answer: that has the public host, which a runner need not reach.
        return (
            f"{self.server}/{self.repository}/releases/download/{quote(release.tag, safe='')}/{quote(asset.name)}",
            {},
        )


class GitHub(Forge):
    """GitHub, where it differs."""

    page_size = "per_page"

    def authorization(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"} if token else {}

    def edit(self, release: Release, **changes: object) -> Release:
        if changes.get("draft") is False:  # unless told, the newest by date is its latest
            highest = self.highest_stable()
            is_latest = not release.prerelease and (highest is None or Version(release.tag) >= highest)
            changes["make_latest"] = str(is_latest).lower()
        return super().edit(release, **changes)

    def knows_tag(self, tag: str) -> bool:
        return self.exists(f"{self.path}/git/ref/tags/{quote(tag, safe='')}")

    def delete(self, release: Release, asset: Asset) -> None:  # noqa: ARG002
        self.remove(f"{self.path}/releases/assets/{asset.id}")

    def send(self, release: Release, path: Path) -> Asset:
        api = str(self.http.base_url).rstrip("/")
        uploads = api.replace("//api.", "//uploads.") if "//api." in api else api.replace("/api/v3", "/api/uploads")
        with path.open("rb") as file:
            answer = self.ask_once(
                "POST",
                f"{uploads}{self.path}/releases/{release.id}/assets",
                params={"name": path.name},
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)},
                content=file,
            )
        return read_asset(answer)

    def source(self, release: Release, asset: Asset) -> tuple[str, dict[str, str]]:  # noqa: ARG002
        return f"{self.path}/releases/assets/{asset.id}", {"Accept": "application/octet-stream"}


def connect(*tokens: str) -> Forge:
    """Give the server that the workflow's runner knows, else the one of the answers; `tokens` are names, the first that is set counts."""
    content = settings()
    server = (os.environ.get("GITHUB_SERVER_URL") or str(content.get("server", ""))).strip().rstrip("/")
    repository = os.environ.get("GITHUB_REPOSITORY") or f"{content.get('owner')}/{content.get('repository')}"
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc):
        raise ReleaseError(f"{server!r} is no address of a server: it looks like https://gitea.example.com.")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ReleaseError(f"{repository!r} is no repository: it looks like owner/name.")
    names = tokens or ("GITEA_TOKEN", "GITHUB_TOKEN", "DEPLOY_TOKEN")
    token = next((value for name in names if is_for(name, parts.hostname) and (value := secret(name))), "")
    if not token:
        raise ReleaseError(
            f"No token is set: put one with write access to the repository into {names[0]} (docs/releasing.md, Secrets)."
        )
    if is_github(parts.hostname):
        default = "https://api.github.com" if parts.hostname == "github.com" else f"{server}/api/v3"
        return GitHub(os.environ.get("GITHUB_API_URL") or default, server, repository, token)
    return Gitea(f"{server}/api/v1", server, repository, token)


def is_for(name: str, host: str) -> bool:
    """Say whether a token is this server's: GITHUB_TOKEN is what the runner of any server sets, and at a desk GitHub's."""
    return name != "GITHUB_TOKEN" or in_workflow() or is_github(host)


def is_github(host: str) -> bool:
    if os.environ.get("GITEA_ACTIONS") == "true":
        return False
    return host == "github.com" or os.environ.get("GITHUB_ACTIONS") == "true"
