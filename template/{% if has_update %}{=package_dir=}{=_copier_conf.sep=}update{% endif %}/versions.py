"""Versions: what a tag says, and which of two is newer."""

from packaging.version import InvalidVersion, Version

LONGEST = 100  # characters; a tag that is longer names no version


def parse_tag(tag: str) -> Version:
    """Read the version that a tag names: `v0.3.0-alpha.1` is 0.3.0a1; raises InvalidVersion where it names none."""
    if len(tag) > LONGEST:
        raise InvalidVersion(f"Invalid version: {tag[:LONGEST]!r}...")
    return Version(tag)


def is_newer(candidate: Version, current: Version) -> bool:
    """Whether `candidate` comes after `current`, by PEP 440 and not by the date of its release."""
    return candidate > current
