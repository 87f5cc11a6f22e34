"""The updates as one machine: it looks for releases and tells of them.

    IDLE -> CHECKING -> IDLE or UPDATE_AVAILABLE
    ERROR: from CHECKING; it says what can be done, and the next check leaves it

It knows neither HTTP nor the app: what it needs is handed to it. What depends on how the app is installed stands in classes of their own,
which inherit this one.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from packaging.version import Version

from .providers import ProviderError, ReleaseInfo, ReleaseProvider
from .status import Change, Event, EventName, InstallType, Problem, State, Status
from .store import HistoryEntry, Outcome, Store, StoredSettings, StoreError
from .versions import is_newer

START_DELAY = 30.0  # seconds after the start of the app until the first check
DEBOUNCE = 60.0  # seconds after a check in which a person cannot start another
JITTER = 0.1  # of the interval: not all apps ask at the same moment
KEPT_EVENTS = 20  # for a listener that is slow; each event holds all there is to know

log = structlog.stdlib.get_logger(__name__)


class RefusedError(Exception):
    """What was asked for cannot be done now; one line for people."""


@dataclass(kw_only=True, eq=False, repr=False)
class UpdateService:
    """The updates of one app. `run` is its life; everything else is asked of it meanwhile, in the same event loop."""

    store: Store
    provider: ReleaseProvider
    current: Version
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self._state = State.IDLE
        self._release: ReleaseInfo | None = None
        self._error: Problem | None = None
        self._logged = ""
        self._announced = ""
        self._outdated = False  # the check under way looks at another channel
        self._begun: float | None = None  # the last check, by the monotonic clock
        self._check_task: asyncio.Task[None] | None = None
        self._settings_changed = asyncio.Event()
        self._listeners: set[asyncio.Queue[Event]] = set()
        # What the store holds: the status is asked for often, and must not wait for a disk.
        self._stored = StoredSettings()
        self._dismissed: str | None = None
        self._checked_at: datetime | None = None
        self._last: HistoryEntry | None = None

    # What runs by itself

    async def run(self) -> None:
        """Look for releases from time to time, until it is cancelled. Whatever happens here, the app goes on."""
        try:
            await self._attempt(self._load)
            await self._attempt(self._settle)
            await self.sleep(START_DELAY)
            while True:
                if not await self._attempt(self._wait_and_check):
                    await self.sleep(DEBOUNCE)
        finally:
            await self._end()

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> bool:
        try:
            await step()
        except Exception as error:  # noqa: BLE001  (the app must not care)
            self._log_once(error)
            return False
        return True

    async def _end(self) -> None:
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.provider.aclose()

    def _tasks(self) -> list[asyncio.Task[None]]:
        """What may be under way."""
        return [self._check_task] if self._check_task else []

    async def _wait_and_check(self) -> None:
        """Wait until a check is due; one that is due already begins at once."""
        self._settings_changed.clear()
        if not self._stored.enabled:
            await self._settings_changed.wait()
            return
        due = 0.0
        if self._begun is not None:
            interval = self._stored.check_interval_hours * 3600
            due = self._begun + interval * random.uniform(1 - JITTER, 1 + JITTER) - self.monotonic()  # noqa: S311
        if due <= 0:
            if self.check(force=True) and self._check_task:
                await asyncio.wait([self._check_task])
            else:  # something else is under way
                await self.sleep(DEBOUNCE)
            return
        nap, change = asyncio.ensure_future(self.sleep(due)), asyncio.create_task(self._settings_changed.wait())
        try:
            await asyncio.wait([nap, change], return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            change.cancel()

    async def _load(self) -> None:
        await asyncio.to_thread(self._remember)
        self._tell("state_changed")

    def _remember(self) -> None:
        """Read what was remembered."""
        self._stored = self.store.settings()
        self._dismissed = self.store.dismissed()
        self._checked_at = self.store.checked_at()
        self._last = next(iter(self.store.history(1)), None)

    async def _settle(self) -> None:
        """Find out what has become of the update before this start."""
        self._tell("state_changed")

    # Checks

    def check(self, *, force: bool = False) -> bool:
        """Begin to look for releases. Not within a minute after the last time, and not during an update."""
        now = self.monotonic()
        recent = self._begun is not None and now - self._begun < DEBOUNCE
        if self._is_working() or (recent and not force):
            return False
        self._begun = now
        self._error = None
        self._set(State.CHECKING)
        self._check_task = asyncio.create_task(self._check())
        return True

    def _is_working(self) -> bool:
        return self._state is State.CHECKING

    async def _check(self) -> None:
        try:
            await self._look()
            while self._outdated:
                self._outdated = False
                await self._look()
        except (ProviderError, StoreError) as error:
            self._log_once(error)
            self._fail(str(error), f"The app tries again by itself. Releases are at {self._releases_url()}")
            return
        except Exception as error:  # noqa: BLE001  (the app must not care)
            self._log_once(error)
            self._fail("The check failed.", f"The log says why. Releases are at {self._releases_url()}")
            return
        self._logged = ""
        release = self._release
        self._set(State.UPDATE_AVAILABLE if release else State.IDLE)
        if release and str(release.version) not in {self._announced, self._dismissed}:
            self._announced = str(release.version)
            log.info("update available", version=self._announced)
            self._tell("update_available")

    async def _look(self) -> None:
        releases = await self.provider.get_releases()
        self._stored = await asyncio.to_thread(self.store.settings)
        await self._find(releases)
        self._checked_at = self.clock()
        await asyncio.to_thread(self.store.set_checked_at, self._checked_at)

    async def _find(self, releases: Sequence[ReleaseInfo]) -> None:
        """Choose a release."""
        self._release = choose(releases, self.current, include_prerelease=self._stored.include_prerelease)

    # What people do

    async def settings(self) -> StoredSettings:
        """What people have set."""
        return await asyncio.to_thread(self.store.settings)

    async def save_settings(self, settings: StoredSettings) -> None:
        """Set something else; another channel is looked at at once."""
        before = await self.settings()
        await asyncio.to_thread(self.store.save_settings, settings)
        self._stored = settings
        if settings.include_prerelease != before.include_prerelease:
            self._outdated = not self.check(force=True)
        self._settings_changed.set()

    async def dismiss(self, version: str) -> None:
        """Not to be told of this version again, nor after a restart."""
        if self._release is None or str(self._release.version) != version:
            raise RefusedError(f"Version {version} is not on offer.")
        await asyncio.to_thread(self.store.dismiss, version)
        self._dismissed = version
        self._tell("state_changed")

    async def history(self) -> list[Change]:
        """The changes of version, the last one first."""
        return [_change(entry) for entry in await asyncio.to_thread(self.store.history)]

    # What is told

    def status(self) -> Status:
        """How things are now."""
        return Status.model_validate(self._facts())

    def _facts(self) -> dict[str, Any]:
        """The fields of the status."""
        reason = self._why_not()
        return {
            "state": self._state,
            "current_version": str(self.current),
            "install_type": self._install_type(),
            "can_auto_update": reason is None,
            "reason": reason,
            "release": self._show(self._release) if self._release else None,
            "dismissed": self._is_dismissed(),
            "error": self._error,
            "checked_at": self._checked_at,
            "releases_url": self._releases_url(),
            "last": _change(self._last) if self._last else None,
        }

    def _show(self, release: ReleaseInfo) -> dict[str, Any]:
        return {
            "version": str(release.version),
            "tag": release.tag,
            "name": release.name,
            "notes": release.body,
            "prerelease": release.prerelease or release.version.is_prerelease,
            "published_at": release.published_at,
            "page_url": release.page_url,
        }

    async def subscribe(self) -> AsyncGenerator[Event, None]:
        """How things are, then all that happens."""
        queue = asyncio.Queue[Event](KEPT_EVENTS)
        self._listeners.add(queue)
        try:
            yield Event(event="state_changed", status=self.status())
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def _install_type(self) -> InstallType:
        return "dev"

    def _why_not(self) -> str | None:
        """Why the app cannot install a release itself."""
        return "The app runs from its source code: get the new version as you got this one."

    def _releases_url(self) -> str:
        return self.provider.get_releases_page_url()

    def _is_dismissed(self) -> bool:
        return self._release is not None and str(self._release.version) == self._dismissed

    async def _add_history(self, before: str, after: str, result: Outcome, message: str) -> None:
        self._last = HistoryEntry(self.clock(), before, after, result, message)
        await asyncio.to_thread(self.store.add_history, self._last)

    def _set(self, state: State) -> None:
        self._state = state
        self._tell("state_changed")

    def _fail(self, message: str, way_out: str) -> None:
        self._error = Problem(message=message, way_out=way_out)
        self._set(State.ERROR)

    def _tell(self, event: EventName) -> None:
        if not self._listeners:
            return
        content = Event(event=event, status=self.status())
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(content)

    def _log_once(self, error: Exception) -> None:
        """One line for people, or the whole story of what should not happen; what happens again is no news."""
        if self._logged == repr(error):
            return
        self._logged = repr(error)
        if isinstance(error, ProviderError | StoreError):
            log.warning("updates", reason=str(error))
        else:
            log.error("updates", exc_info=error)


def choose(releases: Iterable[ReleaseInfo], current: Version, *, include_prerelease: bool) -> ReleaseInfo | None:
    """The highest version that is newer and of the channel."""
    newer = [release for release in releases if is_newer(release.version, current)]
    return newest(newer, include_prerelease=include_prerelease)


def newest(releases: Iterable[ReleaseInfo], *, include_prerelease: bool) -> ReleaseInfo | None:
    """The highest version of the channel."""
    fitting = [
        release
        for release in releases
        if include_prerelease or not (release.prerelease or release.version.is_prerelease)
    ]
    return max(fitting, key=lambda release: release.version, default=None)


def _change(entry: HistoryEntry) -> Change:
    return Change(
        version=entry.to_version,
        from_version=entry.from_version,
        outcome=entry.outcome,
        at=entry.at,
        message=entry.message,
    )
