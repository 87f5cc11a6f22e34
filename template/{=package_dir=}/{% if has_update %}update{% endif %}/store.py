"""What the updates remember: a small SQLite database in the data folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from packaging.version import Version

Outcome = Literal["updated", "rolled_back", "failed"]


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


class Store:
    """Every method opens the file, does one thing and closes it: call them in a thread (`asyncio.to_thread`).

    All may raise a StoreError. A damaged file is set aside, and the store begins anew with defaults.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def settings(self) -> StoredSettings:
        raise NotImplementedError

    def save_settings(self, settings: StoredSettings) -> None:
        """Raises a ValueError for an interval out of range."""
        raise NotImplementedError

    def dismissed(self) -> str | None:
        raise NotImplementedError

    def dismiss(self, version: str) -> None:
        raise NotImplementedError

    def highest_signed(self) -> Version | None:
        raise NotImplementedError

    def confirm(self, version: Version, at: datetime) -> None:
        """Remember that this version was seen signed; the highest one only ever rises."""
        raise NotImplementedError

    def confirmed_at(self) -> datetime | None:
        raise NotImplementedError

    def failed(self) -> frozenset[str]:
        raise NotImplementedError

    def add_failed(self, version: str) -> None:
        raise NotImplementedError

    def pending(self) -> Pending | None:
        raise NotImplementedError

    def set_pending(self, pending: Pending) -> None:
        raise NotImplementedError

    def clear_pending(self) -> None:
        raise NotImplementedError

    def history(self, limit: int = 50) -> Sequence[HistoryEntry]:
        """The newest first."""
        raise NotImplementedError

    def add_history(self, entry: HistoryEntry) -> None:
        raise NotImplementedError

    def checked_at(self) -> datetime | None:
        raise NotImplementedError

    def set_checked_at(self, at: datetime) -> None:
        raise NotImplementedError
