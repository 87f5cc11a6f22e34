"""What providers share: patient and careful requests, all pages of a list, and the reading of files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import ssl
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

import structlog
from packaging.version import InvalidVersion
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from ... import __version__
from ..settings import UpdateSettings
from ..versions import parse_tag
from . import AssetInfo, Download, ProviderError, ReleaseInfo, ReleaseProvider, Sleep

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState

PAGE = 50
PAGES = 100  # a server whose list is longer has lost count
PAGE_LIMIT = 8 << 20  # bytes
LIST_LIMIT = 32 << 20  # of all pages together
NAME_LENGTH = 200
NOTES_LENGTH = 100_000
ATTEMPTS = 4
PATIENCE = 60  # seconds: who asks to come back later than that is not waited for
DEADLINE = 60  # seconds for a whole answer that is no download: also for one that trickles
REDIRECTS = 5
CHANGING = {"author", "uploader", "download_count", "reactions", "mentions_count"}  # what says nothing about a release
T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


class AssetData(BaseModel):
    """A file, as the servers describe it."""

    name: Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]{1,255}$")]
    size: Annotated[int, Field(ge=0)]
    browser_download_url: str
    url: str = ""


class ReleaseData(BaseModel):
    """A release, as the servers describe it."""

    tag_name: str
    name: str | None = None
    body: str | None = None
    prerelease: bool
    published_at: AwareDatetime
    html_url: str = ""
    assets: list[AssetData] | None = None


@dataclass(frozen=True)
class Page:
    """A part of the list; `total` and `goes_on` as far as the server tells."""

    entries: Sequence[Any]
    size: int
    total: int | None
    goes_on: bool
    etag: str

    @cached_property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(json.dumps([self.total, self.entries]).encode()).digest()


class PassingError(ProviderError):
    """It may go better in a moment, or after as many seconds as the server wants."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, passing=True)
        self.retry_after = retry_after


class HttpProvider(ReleaseProvider):
    """Everything but what differs between the servers."""

    page_size = "limit"  # the parameter's name
    api_headers: Mapping[str, str] = {"Accept": "application/json"}
    file_headers: Mapping[str, str] = {"Accept": "application/octet-stream"}

    def __init__(self, settings: UpdateSettings, transport: httpx2.AsyncBaseTransport | None, sleep: Sleep) -> None:
        self.base = settings.update_url.rstrip("/")
        self.repository = settings.update_repository
        self._token = settings.update_token.get_secret_value() if settings.update_token else ""
        self._ca_file = settings.update_ca_file
        self._transport = transport
        self._sleep = sleep
        self._releases: Sequence[ReleaseInfo] = ()
        self._known: tuple[bytes, str] | None = None  # fingerprint and ETag of the first page
        self._skipped: set[str] = set()
        self._etags: dict[str, str] = {}

    @property
    @abstractmethod
    def api(self) -> str:
        """The address of the repository in the API."""

    @abstractmethod
    def api_authorization(self) -> str:
        """The header with the token for requests to the API."""

    @abstractmethod
    def file_authorization(self) -> str:
        """The header with the token for files."""

    @abstractmethod
    def find_source(self, release: ReleaseData, asset: AssetData) -> str | None:
        """The address to read a file from; None for one that is not on this server."""

    # Releases

    async def get_releases(self) -> Sequence[ReleaseInfo]:
        page = await self._read_page(1, LIST_LIMIT, self._known[1] if self._known else "")
        if page is None or (self._known and page.fingerprint == self._known[0]):
            return self._releases
        first, entries, left, steady = page, list(page.entries), LIST_LIMIT - page.size, True
        for number in range(2, PAGES + 1):
            if not page.entries or not (page.goes_on or page.total is None or len(entries) < page.total):
                break
            following = await self._read_page(number, left)
            if following is None:
                raise self._refusal("gave no list of releases")
            page = following
            entries += page.entries
            left -= page.size
            steady = steady and page.total == first.total
        else:
            raise self._refusal("has a list of releases that does not end")
        found: dict[str, ReleaseInfo] = {}  # a release that came while the pages were read is on two of them
        for entry in entries:
            if release := self._read_release(entry):
                found.setdefault(release.tag, release)
        self._releases = tuple(sorted(found.values(), key=lambda release: release.version, reverse=True))
        self._known = (first.fingerprint, first.etag) if steady else None
        return self._releases

    async def _read_page(self, number: int, limit: int, etag: str = "") -> Page | None:
        """A page of the list; None where it is still the one of that ETag."""
        url = f"{self.api}/releases?page={number}&{self.page_size}={PAGE}"
        headers = {**self.api_headers, **({"If-None-Match": etag} if etag else {})}

        async def read() -> Page | None:
            async with asyncio.timeout(DEADLINE), self._open(url, headers, self.api_authorization()) as response:
                if response.status_code == 304 and etag:
                    return None
                body = await self._read_body(response, min(limit, PAGE_LIMIT))
                return self._parse_page(response, body)

        return await self._patiently(read)

    def _parse_page(self, response: httpx2.Response, body: bytes) -> Page:
        try:
            entries = json.loads(body, object_hook=_without_changing)
        except (ValueError, RecursionError):
            entries = None
        if not isinstance(entries, list):
            raise self._refusal("gave no list of releases: is update_url right, and is a proxy in between?")
        total = response.headers.get("X-Total-Count", "")
        return Page(
            entries=entries,
            size=len(body),
            total=int(total) if total.isascii() and total.isdigit() and len(total) < 10 else _last(response),
            goes_on="next" in response.links,
            etag=response.headers.get("ETag", ""),
        )

    def _read_release(self, entry: Any) -> ReleaseInfo | None:
        if isinstance(entry, dict) and entry.get("draft"):
            return None
        try:
            data = ReleaseData.model_validate_json(json.dumps(entry))  # as text: it sees half characters
            version = parse_tag(data.tag_name)
        except ValidationError as error:
            problem = error.errors()[0]
            self._skip(entry, ": ".join([*map(str, problem["loc"]), problem["msg"]]))
            return None
        except InvalidVersion:
            self._skip(entry, "its tag names no version")
            return None
        sources = [(asset, self.find_source(data, asset)) for asset in data.assets or []]
        return ReleaseInfo(
            tag=data.tag_name,
            version=version,
            name=(data.name or data.tag_name)[:NAME_LENGTH],
            body=(data.body or "")[:NOTES_LENGTH],
            prerelease=data.prerelease or version.is_prerelease,
            published_at=data.published_at,
            assets=tuple(AssetInfo(asset.name, asset.size, source) for asset, source in sources if source),
            page_url=f"{self.get_releases_page_url()}/tag/{quote(data.tag_name, safe='')}",
        )

    def _skip(self, entry: Any, reason: str) -> None:
        tag = ascii(entry.get("tag_name") if isinstance(entry, dict) else entry)[:100]
        if tag not in self._skipped and len(self._skipped) < PAGE * PAGES:
            self._skipped.add(tag)
            log.warning("release skipped", tag=tag, reason=reason)

    # Files

    async def read(self, asset: AssetInfo, limit: int) -> bytes:
        if asset.size > limit:
            raise ProviderError(f"{asset.name} is larger than {limit} bytes.")

        async def read() -> bytes:
            async with (
                asyncio.timeout(DEADLINE),
                self._open(asset.download_url, self.file_headers, self.file_authorization(), files=True) as response,
            ):
                return await self._read_body(response, limit)

        return await self._patiently(read)

    @asynccontextmanager
    async def stream(self, asset: AssetInfo, start: int) -> AsyncIterator[Download]:
        async with AsyncExitStack() as stack:

            async def open_from(start: int) -> httpx2.Response:
                headers = dict(self.file_headers)
                if start:
                    headers["Range"] = f"bytes={start}-"
                    if etag := self._etags.get(asset.download_url):
                        headers["If-Range"] = etag
                opening = self._open(asset.download_url, headers, self.file_authorization(), files=True)
                async with asyncio.timeout(DEADLINE):
                    return await stack.enter_async_context(opening)

            response = await self._patiently(lambda: open_from(start))
            if response.status_code == 416:  # the file is shorter than what is there
                response = await self._patiently(lambda: open_from(0))
            if response.status_code not in {200, 206}:
                raise self._refusal(f"answered {response.status_code} for {asset.name}")
            if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            ):
                raise self._refusal(f"gave another part of {asset.name} than was asked for")
            etag = response.headers.get("ETag", "")
            if etag.startswith('"'):  # a weak one does not say that the bytes are the same
                self._etags[asset.download_url] = etag
            yield Download(start if response.status_code == 206 else 0, self._chunks(response))

    # Requests

    async def aclose(self) -> None:
        if "_client" in self.__dict__:
            await self._client.aclose()
            del self._client

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        # It logs whole addresses, and those of files may hold a key.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        try:
            verify = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else True
        except OSError as error:  # an SSLError is one
            raise ProviderError(f"update_ca_file: {self._ca_file} cannot be used ({error.strerror}).") from None
        return httpx2.AsyncClient(
            headers={"User-Agent": f"{__name__.partition('.')[0]}/{__version__}", "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(30, connect=10),
            verify=verify,
            transport=self._transport,
        )

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do it, again with growing pauses where it failed for a passing reason."""
        import tenacity

        pause = tenacity.wait_exponential_jitter(initial=1, max=20)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            wanted = error.retry_after if isinstance(error, PassingError) else None
            return pause(state) if wanted is None else wanted

        async def attempt() -> T:
            try:
                return await action()
            except TimeoutError:
                raise PassingError(f"{self._host}: no answer in time.") from None

        retrying = tenacity.AsyncRetrying(
            sleep=self._sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=wait,
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, PassingError) and (error.retry_after or 0) <= PATIENCE
            ),
            reraise=True,
        )
        return await retrying(attempt)

    @asynccontextmanager
    async def _open(
        self, address: str, headers: Mapping[str, str], authorization: str, *, files: bool = False
    ) -> AsyncIterator[httpx2.Response]:
        """Ask for an address, and for where it leads to: another server only for files, and never with the token."""
        import httpx2

        client = self._client
        url, home = httpx2.URL(address), _origin(httpx2.URL(self.base))
        for _ in range(REDIRECTS + 1):
            is_home = _origin(url) == home
            sent = {**headers, **({"Authorization": authorization} if self._token and is_home else {})}
            try:
                response = await client.send(client.build_request("GET", url, headers=sent), stream=True)
            except httpx2.TransportError as error:
                raise self._failure(error, url) from None
            try:
                if not response.has_redirect_location:
                    self._check(response)
                    yield response
                    return
                url = self._find_target(response, files=files)
            finally:
                await response.aclose()
        raise self._refusal("leads in a circle")

    def _find_target(self, response: httpx2.Response, *, files: bool) -> httpx2.URL:
        import httpx2

        url = response.request.url
        try:
            target = url.join(response.headers["Location"])
        except httpx2.InvalidURL:
            raise self._refusal("leads to an address that is none") from None
        if target.path.endswith("/user/login"):
            raise self._refusal("wants a login: set update_token to a token that may read the repository")
        if target.scheme not in {"http", "https"} or (url.scheme == "https" and target.scheme == "http"):
            raise self._refusal("leads to an address without TLS")
        if not files and _origin(target) != _origin(url):
            raise self._refusal(f"leads to {target.scheme}://{target.netloc.decode()}: set update_url to that")
        return target

    def _check(self, response: httpx2.Response) -> None:
        """Raise an error for an answer that is none."""
        status = response.status_code
        if status in {200, 206, 304, 416}:
            return
        host = response.request.url.host
        is_too_much = status == 429 or (
            status == 403
            and ("Retry-After" in response.headers or response.headers.get("X-RateLimit-Remaining") == "0")
        )
        if is_too_much or status >= 500:
            wanted = response.headers.get("Retry-After", "")
            seconds = float(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else None
            if seconds is None and status == 403:  # until the hour is over
                seconds = PATIENCE + 1
            hint = ": too many requests" if is_too_much else ""
            raise PassingError(f"{host} answered {status}{hint}; it may go better later.", seconds)
        hint = {
            401: "update_token is not valid",
            403: "update_token may not read the repository",
            404: f"{self.repository} is not there; for a private repository, set update_token",
        }.get(status, "is update_url right?")
        raise ProviderError(f"{host} answered {status}: {hint}.")

    async def _read_body(self, response: httpx2.Response, limit: int) -> bytes:
        if response.status_code != 200:
            raise self._refusal(f"answered {response.status_code}")
        body = bytearray()
        async for chunk in self._chunks(response):
            body += chunk
            if len(body) > limit:
                raise self._refusal(f"gave an answer of more than {limit} bytes")
        return bytes(body)

    async def _chunks(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        import httpx2

        # What the server calls compressed although nobody asked for that is the file itself.
        is_coded = response.headers.get("Content-Encoding", "identity") != "identity"
        try:
            async for chunk in response.aiter_raw() if is_coded else response.aiter_bytes():
                yield chunk
        except httpx2.TransportError as error:
            raise self._failure(error, response.request.url) from None

    @property
    def _host(self) -> str:
        return self.base.split("/")[2]

    def _refusal(self, what: str) -> ProviderError:
        return ProviderError(f"{self._host} {what}.")

    def _failure(self, error: httpx2.TransportError, url: httpx2.URL) -> ProviderError:
        """One line about a connection that failed: neither a path nor a header, they may hold a secret."""
        import httpx2

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                hint = "for an authority of your own, set update_ca_file"
                return ProviderError(f"{url.host}: its certificate is not trusted ({cause.verify_message}); {hint}.")
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx2.TimeoutException):
            return PassingError(f"{url.host}: no answer in time.")
        if isinstance(error, httpx2.ProxyError):
            return PassingError(f"{url.host} cannot be reached through the proxy.")
        if isinstance(error, httpx2.ConnectError):
            return PassingError(f"{url.host} cannot be reached: is this computer online?")
        return PassingError(f"{url.host}: the connection broke ({type(error).__name__}).")


def _without_changing(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in CHANGING}


def _last(response: httpx2.Response) -> int | None:
    """Where the list has links between its pages and no next one, it ends here."""
    return 0 if response.links and "next" not in response.links else None


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
