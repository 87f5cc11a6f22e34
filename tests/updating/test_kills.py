"""Does an app that is killed at any point of an update start as a whole version, and does it update then?"""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support.updates import unfinished
from tests.updating.bundles import VERSION, Supplied

pytestmark = pytest.mark.slow

SEED = 20261121
KILLS = 50  # of each way, where series run whole


@dataclass
class Way:
    """What an update loads, and how many are killed of a sample."""

    runtime: str
    sample: int


WAYS = {"only the app": Way("", sample=12), "whole": Way("%s", sample=8)}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_killed_at_any_point_it_starts_and_updates(way: Way, home: Supplied, pytestconfig: pytest.Config) -> None:
    """Kill all processes of the app at a point of an update: what starts then is whole, and it updates."""
    chance = random.Random(SEED)  # noqa: S311  (the same points each time)
    kills = KILLS if pytestconfig.getoption("series") == "all" else way.sample
    app, seen = home.app, Counter[str]()
    with ExitStack() as stack:
        launcher = stack.enter_context(home.start())
        app.wait(VERSION)
        home.release("1.1.0", way.runtime and "1.1.0")
        home.apply("1.1.0")
        until_there, until_proved = app.wait_for_current("1.1.0"), app.wait("1.1.0")
        for number in range(kills):
            before, version = app.current, f"1.2.{number}"
            home.release(version, way.runtime and version)
            home.apply(version)
            if number % 2:  # by turns before and after the new version is the current one
                app.wait_for_current(version)
            time.sleep((number + chance.random()) / kills * (until_proved if number % 2 else until_there))
            app.kill(launcher)
            launcher = stack.enter_context(home.start())
            seen[comes_back(home, before, version)] += 1
            app.until(lambda _: unfinished(app) == set())
            assert home.damaged() == set(), f"after kill {number}"
    print(f"killed {kills} times in {until_there:.2f} and {until_proved:.2f} s: {dict(seen)}")
    assert seen["before"], "the kills were all too late: choose other points"
    assert seen["on trial"] + seen["after"] >= kills // 2, "the kills were all too early: choose other points"


def comes_back(home: Supplied, before: str, version: str) -> str:
    """See that a killed app runs in a whole version and updates; tells when it was killed: before, on trial, after."""
    app = home.app
    running = app.settle()
    assert home.damaged(before, app.current) == set()
    failed = (app.root / "failed").read_text(encoding="utf-8").split() if (app.root / "failed").exists() else []
    if running == version:
        assert version not in failed
        assert app.outcome(version) == ("updated", before)
        kind = "after"
        version = f"{version}.1"
        home.release(version, home.runtimes[running])
    elif version not in failed:
        assert (running, app.current) == (before, before)
        kind = "before"
    else:
        # It had been started and had not proved itself: nobody knows that it was not to blame.
        assert (running, app.current) == (before, before)
        assert app.outcome(version) == ("rolled_back", before)
        kind = "on trial"
        version = f"{version}.1"
        home.release(version, home.runtimes.get(before, ""))
    home.update(version)
    return kind
