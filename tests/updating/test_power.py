"""Does an app start as a whole version whenever the power is cut while it is updated?"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Sequence

import pytest

from tests.support.power import Disk, Folder, Operation, record, recorded
from tests.support.updates import BAD, unfinished
from tests.updating.bundles import (
    PATIENCE,
    VERSION,
    Member,
    Supplied,
    member,
)

pytestmark = pytest.mark.slow

NEXT = "1.1.0"
SEED = 20261121
SAMPLE = 3  # of the kinds of states that are started


def crash(members: list[Member]) -> None:
    """Let the app end at once."""
    for number, (entry, content) in enumerate(members):
        if entry.name.endswith("/__main__.py"):
            content = content.replace(b"\n", f"\n{BAD['crash']}\n".encode(), 1)
            members[number] = member(entry.name, content=content, mode=entry.mode)


def test_a_power_cut_leaves_a_whole_version(home: Supplied, pytestconfig: pytest.Config) -> None:
    cut_the_power(home, "only the app", whole_series=pytestconfig.getoption("series") == "all")


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("way", ["a way back", "whole"])
def test_a_power_cut_on_other_ways_leaves_a_whole_version(way: str, home: Supplied) -> None:
    cut_the_power(home, way, whole_series=True)


def cut_the_power(home: Supplied, way: str, *, whole_series: bool) -> None:
    """Record an update, and what a power cut would leave after each of its operations on files: that starts."""
    app, trace = home.app, home.scratch.with_name("trace")
    home.release(NEXT, "another" if way == "whole" else "", crash if way == "a way back" else None)
    with home.start():
        app.wait(VERSION)
    before, again = Disk.read(app.root), Disk.read(app.root)
    app.recorder = record(trace)
    with home.start():
        app.wait(VERSION, PATIENCE)
        home.apply(NEXT)
        app.until(lambda status: status["last"], PATIENCE)
        outcome = app.outcome(NEXT)
        app.until(lambda _: unfinished(app) == set())
    app.recorder = []
    operations = list(recorded(trace, app.root))
    left = cut_after_each(before, operations, NEXT)
    assert changed_contents(before, Disk.read(app.root)) == set(), "not all was recorded"
    synced = before.after_a_cut(lambda: False, lambda: False)
    assert outcome == ("rolled_back" if way == "a way back" else "updated", VERSION)
    if way == "a way back":
        assert (synced.text("current"), synced.text("failed")) == (f"{VERSION}\n", f"{NEXT}\n")
    else:
        assert synced.text("current") == f"{NEXT}\n"
        assert synced.text("trial") is None, "it would be gone back from, though it has proved itself"
    started = left if whole_series else left[:: max(len(left) // SAMPLE, 1)]
    app_root = app.root
    for number, state in enumerate(started):
        app.root = app_root.with_name(f"cut {number}")
        state.write(app.root)
        with home.start():
            assert app.settle() in {VERSION, NEXT}
        shutil.rmtree(app.root)
    print(f"{len(operations)} operations, {len(started)} of {len(left)} kinds of states started")
    with pytest.raises(AssertionError, match="after"):  # else it would see nothing
        cut_after_each(again, [operation for operation in operations if operation.call != "fsync"], NEXT)


def cut_after_each(disk: Disk, operations: Sequence[Operation], version: str) -> list[Folder]:
    """See that `current` names a whole version whenever the power is cut, and that a new one is on trial.

    Gives one state of each kind.
    """
    chance = random.Random(SEED)  # noqa: S311  (the same states each time)
    keeps = {
        "names": (lambda: True, lambda: False),  # as a file system with a journal of names does
        "nothing": (lambda: False, lambda: False),
        "something": (lambda: chance.random() < 0.5, lambda: chance.random() < 0.5),
    }
    whole = {"1.0.0": disk.tree("versions/1.0.0")}
    kinds: dict[tuple[str | None, ...], Folder] = {}
    proved = False
    for operation in operations:
        disk.do(operation)
        changes = operation.paths[-1:] if operation.call.startswith("link") else operation.paths
        if all(re.match(r"versions/\.", path) for path in changes):
            continue  # no launcher looks there
        if disk.text("current") == f"{version}\n":
            whole.setdefault(version, disk.tree(f"versions/{version}"))
            proved |= disk.text("trial") is None
        for kept, (names, contents) in keeps.items():
            left = disk.after_a_cut(names, contents)
            current, trial = (left.text("current") or "").strip(), left.text("trial") or ""
            where = f"after {operation.call} {operation.paths} with {kept} kept: {current!r}, {trial!r}"
            assert current in whole, where
            assert left.tree(f"versions/{current}") == whole[current], where
            if current == version and not proved:
                assert trial.split()[:2] == [version, "1.0.0"], where
                assert left.tree("versions/1.0.0") == whole["1.0.0"], where
            kinds.setdefault((kept, current, trial, left.text("failed")), left)
    return list(kinds.values())


def changed_contents(one: Folder, other: Folder) -> set[str]:
    """Names that differ."""
    trees = one.tree(), other.tree()
    return {name for name in trees[0].keys() | trees[1].keys() if trees[0].get(name) != trees[1].get(name)}
