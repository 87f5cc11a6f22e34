"""What the updates remember: a small SQLite database in the data folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast, get_args

import structlog
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    import sqlite3  # imported when the file is opened: the app's start need not wait for it

Outcome = Literal["updated", "rolled_back", "failed"]
T = TypeVar("T")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS value (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS history (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, from_version TEXT NOT NULL, to_version TEXT NOT NULL,
        outcome TEXT NOT NULL, message TEXT NOT NULL
    )
    """,
)
SETTINGS = ("enabled", "check_interval_hours", "include_prerelease")
KEPT = 500  # entries of the history

log = structlog.stdlib.get_logger(__name__)


class StoreError(Exception):
    """The database cannot be read or written; one line for people."""


@dataclass(frozen=True)
class StoredSettings:
    """What people set on the page."""

    enabled: bool = True
    check_interval_hours: int = 24  # 1 to 720
    include_prerelease: bool = False


@dataclass(frozen=True)
class Pending:
    """An update whose outcome is not known yet."""

    from_version: str
    to_version: str
    at: datetime


@dataclass(frozen=True)
class HistoryEntry:
    """An update that ended."""

    at: datetime
    from_version: str
    to_version: str
    outcome: Outcome
    message: str


class DamagedError(Exception):
    """The file holds what no version of the app has written."""


class Store:
    """Every method opens the file, does one thing and closes it: call them in a thread (`asyncio.to_thread`).

    All may raise a StoreError. A damaged file is set aside, and the store begins anew with defaults.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()

    def settings(self) -> StoredSettings:
        def read(database: sqlite3.Connection) -> StoredSettings:
            value = _get(database, "settings", dict)
            if value is None:
                return StoredSettings()
            try:
                return _checked(StoredSettings(**{name: value[name] for name in SETTINGS if name in value}))
            except (TypeError, ValueError):
                raise DamagedError("settings") from None

        return self._do(read)

    def save_settings(self, settings: StoredSettings) -> None:
        """Raises a ValueError for an interval out of range."""
        _checked(settings)
        self._do(lambda database: _set(database, "settings", asdict(settings)))

    def dismissed(self) -> str | None:
        return self._do(lambda database: _get(database, "dismissed", str))

    def dismiss(self, version: str) -> None:
        self._do(lambda database: _set(database, "dismissed", version))

    def highest_signed(self) -> Version | None:
        return self._do(_highest_signed)

    def confirm(self, version: Version, at: datetime) -> None:
        """Remember that this version was seen signed; the highest one only ever rises."""

        def write(database: sqlite3.Connection) -> None:
            highest = _highest_signed(database)
            if highest is None or version > highest:
                _set(database, "highest_signed", str(version))
            _set(database, "confirmed_at", _text(at))

        self._do(write)

    def confirmed_at(self) -> datetime | None:
        return self._do(lambda database: _get_time(database, "confirmed_at"))

    def failed(self) -> frozenset[str]:
        return self._do(_failed)

    def add_failed(self, version: str) -> None:
        self._do(lambda database: _set(database, "failed", sorted({*_failed(database), version})))

    def pending(self) -> Pending | None:
        def read(database: sqlite3.Connection) -> Pending | None:
            value = _get(database, "pending", dict)
            if value is None:
                return None
            try:
                return Pending(str(value["from_version"]), str(value["to_version"]), _time(value["at"]))
            except KeyError:
                raise DamagedError("pending") from None

        return self._do(read)

    def set_pending(self, pending: Pending) -> None:
        value = {"from_version": pending.from_version, "to_version": pending.to_version, "at": _text(pending.at)}
        self._do(lambda database: _set(database, "pending", value))

    def clear_pending(self) -> None:
        self._do(lambda database: _set(database, "pending", None))

    def history(self, limit: int = 50) -> Sequence[HistoryEntry]:
        """The newest first."""

        def read(database: sqlite3.Connection) -> Sequence[HistoryEntry]:
            rows = database.execute(
                "SELECT at, from_version, to_version, outcome, message FROM history ORDER BY id DESC LIMIT ?",
                (max(limit, 0),),
            )
            return [_entry(row) for row in rows]

        return self._do(read)

    def add_history(self, entry: HistoryEntry) -> None:
        values = (_text(entry.at), entry.from_version, entry.to_version, entry.outcome, entry.message)

        def write(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO history (at, from_version, to_version, outcome, message) VALUES (?, ?, ?, ?, ?)", values
            )
            database.execute("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", (KEPT,))

        self._do(write)

    def checked_at(self) -> datetime | None:
        return self._do(lambda database: _get_time(database, "checked_at"))

    def set_checked_at(self, at: datetime) -> None:
        self._do(lambda database: _set(database, "checked_at", _text(at)))

    def _do(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do it in one transaction; once more, in a new file, where this one is damaged."""
        import sqlite3

        with self._lock:
            try:
                try:
                    return self._try(action)
                except DamagedError as damage:
                    aside = self._set_aside()
                    log.warning("damaged file set aside", file=str(aside), reason=str(damage))
                    return self._try(action)
            except (DamagedError, sqlite3.Error, OSError) as error:
                raise StoreError(f"{self.file} cannot be used: {error}") from error

    def _try(self, action: Callable[[sqlite3.Connection], T]) -> T:
        import sqlite3

        with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                for statement in SCHEMA:
                    database.execute(statement)
                result = action(database)
                database.execute("COMMIT")
            except sqlite3.OperationalError as error:  # locked, full, not writable: the contents are good
                if "no such column" in str(error) or "has no column" in str(error):
                    raise DamagedError(str(error)) from None
                raise
            except sqlite3.DatabaseError as error:
                raise DamagedError(str(error)) from None
            return result

    def _set_aside(self) -> Path:
        """Move the file away, and the journal with it: it would be played into the new one."""
        aside = self.file.with_name(f"{self.file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
        for ending in ("", "-journal", "-wal", "-shm"):
            part = self.file.with_name(self.file.name + ending)
            if part.exists():
                part.replace(aside.with_name(aside.name + ending))
        return aside


def _checked(settings: StoredSettings) -> StoredSettings:
    hours = settings.check_interval_hours
    if type(hours) is not int or not 1 <= hours <= 720:
        raise ValueError("the interval is 1 to 720 hours")
    if not isinstance(settings.enabled, bool) or not isinstance(settings.include_prerelease, bool):
        raise TypeError("a switch is on or off")
    return settings


def _get(database: sqlite3.Connection, name: str, kind: type[T]) -> T | None:
    row = database.execute("SELECT value FROM value WHERE name = ?", (name,)).fetchone()
    try:
        value = json.loads(row[0]) if row else None
    except (TypeError, ValueError):
        raise DamagedError(name) from None
    if value is not None and not isinstance(value, kind):
        raise DamagedError(name)
    return value


def _set(database: sqlite3.Connection, name: str, value: object) -> None:
    database.execute("INSERT OR REPLACE INTO value (name, value) VALUES (?, ?)", (name, json.dumps(value)))


def _highest_signed(database: sqlite3.Connection) -> Version | None:
    text = _get(database, "highest_signed", str)
    try:
        return None if text is None else Version(text)
    except InvalidVersion:
        raise DamagedError("highest_signed") from None


def _failed(database: sqlite3.Connection) -> frozenset[str]:
    return frozenset(map(str, _get(database, "failed", list) or []))


def _get_time(database: sqlite3.Connection, name: str) -> datetime | None:
    text = _get(database, name, str)
    return None if text is None else _time(text)


def _time(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise DamagedError("time") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _entry(row: tuple[str, str, str, str, str]) -> HistoryEntry:
    at, from_version, to_version, outcome, message = row
    if outcome not in get_args(Outcome):
        raise DamagedError("history")
    return HistoryEntry(_time(at), from_version, to_version, cast(Outcome, outcome), message)
