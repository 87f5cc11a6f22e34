"""Does an installed app for Linux find a release, update itself, and come back whole whatever happens?"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.machine import Machine, machine
from tests.support.power import Disk, Folder, Operation, record, recorded
from tests.support.updates import BAD, Installed, Source, changed

pytestmark = pytest.mark.slow

APP_ONLY_BYTES = 100_000  # at most, for the default app
BACK_SECONDS = 30  # after which the version before runs again, whatever the new one does
SEED = 20261121
KILLS = 50  # of each way, where series run whole


@pytest.fixture(scope="module")
def second(source: Source, first: Path) -> Iterator[Path]:
    """1.1.0: other code, the same runtime."""
    yield source.publish("1.1.0")
    source.withdraw("1.1.0")


@pytest.fixture(scope="module")
def third(source: Source, first: Path) -> Iterator[Path]:
    """1.2.0rc1: another runtime, offered to those who want pre-releases."""
    yield source.publish("1.2.0rc1", lambda source: source.require("colorama"))
    source.withdraw("1.2.0rc1")


def fresh(source: Source, version: str, root: Path) -> Installed:
    """Unpack what was built."""
    slug = source.project.slug
    return Installed.unpack(source.project.root / f"build/released/{version}/{slug}-v{version}-linux-x64.tar.gz", root)


def offered(app: Installed, version: str) -> None:
    app.check()
    status = app.until(lambda status: status["state"] == "update_available")
    assert status["release"]["version"] == version
    assert status["can_auto_update"], status["reason"]


def apply(app: Installed, version: str, when: str = "now") -> None:
    offered(app, version)
    app.ask("/system/update/apply", {"version": version, "when": when})


@pytest.mark.usefixtures("second")
def test_only_the_app_is_downloaded_where_the_runtime_is_the_same(source: Source, installed: Installed) -> None:
    before = installed.digests("1.0.0")
    with installed.run():
        installed.wait("1.0.0")
        note = installed.root / "data" / "note.txt"
        note.write_text("mine", encoding="utf-8")
        offered(installed, "1.1.0")
        assert installed.status()["release"]["size"] <= APP_ONLY_BYTES
        assert installed.status()["install_type"] == "portable"
        installed.ask("/system/update/apply", {"version": "1.1.0", "when": "now"})
        installed.wait("1.1.0")
        assert installed.outcome("1.1.0") == ("updated", "1.0.0")
    assert installed.current == "1.1.0"
    assert note.read_text(encoding="utf-8") == "mine"
    assert installed.digests("1.0.0") == before, "the version to go back to is no longer as it was"
    built = fresh(source, "1.1.0", installed.root.parent / "fresh").digests("1.1.0")
    assert changed(installed.digests("1.1.0"), built) == set(), "not what a fresh one holds"
    assert not list(installed.root.glob("versions/.*partial"))


@pytest.mark.usefixtures("third")
def test_another_runtime_comes_as_a_whole(installed: Installed) -> None:
    with installed.run():
        installed.wait("1.0.0")
        installed.include_prereleases()
        apply(installed, "1.2.0rc1")
        installed.wait("1.2.0rc1", 90)
    assert list(installed.root.glob("versions/1.2.0rc1/python/lib/python3*/site-packages/colorama/__init__.py"))


@pytest.mark.usefixtures("second")
def test_on_the_next_start(installed: Installed) -> None:
    with installed.run():
        installed.wait("1.0.0")
        apply(installed, "1.1.0", "next_start")
        installed.until(lambda status: status["on_next_start"] == "1.1.0")
        assert installed.version() == "1.0.0"
    with installed.run():
        installed.wait("1.1.0")


@pytest.mark.parametrize("behaviour", [*BAD, "wrong"])
def test_a_version_that_does_not_prove_itself_is_gone_back_from(
    behaviour: str, source: Source, installed: Installed
) -> None:
    number = [*BAD, "wrong"].index(behaviour)
    bad = f"1.3.{number}"

    def spoil(source: Source) -> None:
        if behaviour == "wrong":
            dev = '__version__ = "0.0.0.dev0"\n'
            source.change("__init__.py", dev, f'{dev}\n__version__ = "9.9.9"\n')
        else:
            source.change("__main__.py", "\n", f"\n{BAD[behaviour]}\n")

    source.publish(bad, spoil)
    try:
        with installed.run():
            installed.wait("1.0.0")
            apply(installed, bad)
            installed.until(lambda status: status["state"] == "applying", 60)
            start = time.monotonic()
            while installed.version() == "1.0.0" and time.monotonic() < start + 5:
                time.sleep(0.05)
            installed.wait("1.0.0", BACK_SECONDS)
            assert installed.outcome(bad) == ("rolled_back", "1.0.0")
            offer = installed.check()["release"]
            assert offer is None or offer["version"] != bad, "it is offered again"
        assert bad in (installed.root / "failed").read_text(encoding="utf-8")
    finally:
        source.withdraw(bad)


class Service(Installed):
    """The app as a service of a machine with systemd, which has the network of this one."""

    PLACE = "/opt/my app"

    def __init__(self, app: Installed, debian: Machine) -> None:
        super().__init__(app.root, app.slug)
        self.debian = debian

    def install(self) -> None:
        self.debian.run(f"{self.PLACE}/install-service.sh", "--port", str(self.port))

    def show(self, *names: str) -> list[str]:
        """Tell what systemd knows of it."""
        properties = [f"--property={name}" for name in names]
        return self.debian.run("systemctl", "show", "--value", *properties, self.slug).stdout.split()

    def log(self) -> str:
        return self.debian.run("journalctl", "--no-pager", "--unit", self.slug).stdout


@pytest.mark.usefixtures("second")
def test_a_service_updates_itself_and_goes_back(source: Source, installed: Installed, docker: Docker) -> None:
    mount = f"--mount=type=bind,source={installed.root},target={Service.PLACE}"
    with machine(docker, "--network=host", mount) as debian:
        service = Service(installed, debian)
        service.install()
        service.wait("1.0.0")
        (main,) = service.show("MainPID")
        assert service.status()["install_type"] == "portable"
        apply(service, "1.1.0")
        service.wait("1.1.0")
        assert service.outcome("1.1.0") == ("updated", "1.0.0")
        source.publish("1.3.9", lambda source: source.change("__main__.py", "\n", f"\n{BAD['crash']}\n"))
        try:
            apply(service, "1.3.9")
            assert service.outcome("1.3.9") == ("rolled_back", "1.1.0")
            service.wait("1.1.0")
            assert service.check()["release"] is None, "it is offered again"
        finally:
            source.withdraw("1.3.9")
        # systemd has seen none of that: no restart was its own, and it may start the app as often as before.
        assert service.show("MainPID", "NRestarts", "ActiveState") == [main, "0", "active"]
        debian.restart()
        service.wait("1.1.0")
        assert service.outcome("1.3.9") == ("rolled_back", "1.1.0")


@dataclass
class Way:
    """An update that is killed, and another one, which is offered where the first was on trial then."""

    version: str
    other: str
    sample: int  # of the kills


@pytest.mark.usefixtures("second", "third")
@pytest.mark.parametrize(
    "way", [Way("1.1.0", "1.2.0rc1", sample=4), Way("1.2.0rc1", "1.1.0", sample=2)], ids=["only the app", "whole"]
)
def test_killed_at_any_point_it_starts_and_updates(
    way: Way, source: Source, installed: Installed, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Kill all processes of the app at a point of an update: what starts then is whole, and it updates."""
    chance = random.Random(SEED)  # noqa: S311  (the same points each time)
    whole = {"1.0.0": installed.digests("1.0.0")}
    for version in (way.version, way.other):
        whole[version] = fresh(source, version, tmp_path / version).digests(version)
    with installed.run():
        installed.wait("1.0.0")
        if way.version == "1.2.0rc1":
            installed.include_prereleases()
    slow = installed.copy(tmp_path / "measured")
    with slow.run():
        slow.wait("1.0.0")
        apply(slow, way.version)
        until_there, until_proved = slow.wait_for_current(way.version), slow.wait(way.version)

    kills = KILLS if pytestconfig.getoption("series") == "all" else way.sample
    seen = Counter[str]()
    for number in range(kills):
        app = installed.copy(tmp_path / f"app {number}")
        with app.run() as launcher:
            app.wait("1.0.0")
            apply(app, way.version)
            if number % 2:  # by turns before and after the new version is the current one
                app.wait_for_current(way.version)
            time.sleep((number + chance.random()) / kills * (until_proved if number % 2 else until_there))
            app.kill(launcher)
        with app.run():
            seen[comes_back(app, way, whole)] += 1
            app.until(lambda _: unfinished(app) == set())  # noqa: B023
        for folder in app.root.glob("versions/[!.]*"):
            version = (folder / "VERSION").read_text(encoding="utf-8").strip()
            assert changed(app.digests(folder.name), whole[version]) == set(), f"{folder.name} after kill {number}"
        shutil.rmtree(app.root)
    print(f"killed {kills} times in {until_there:.2f} and {until_proved:.2f} s: {dict(seen)}")
    assert seen["before"], "the kills were all too late: choose other points"
    assert seen["on trial"] + seen["after"] >= kills // 2, "the kills were all too early: choose other points"


def comes_back(app: Installed, way: Way, whole: dict[str, dict[str, str]]) -> str:
    """See that a killed app runs in a whole version and updates; tells when it was killed: before, on trial, after."""
    version = app.settle()
    for name in ("1.0.0", app.current):
        assert changed(app.digests(name), whole["1.0.0" if name == "1.0.0" else way.version]) == set()
    failed = app.root / "failed"
    if version == way.version:
        assert not failed.exists()
        assert app.outcome(version) == ("updated", "1.0.0")
        return "after"
    assert (version, app.current) == ("1.0.0", "1.0.0")
    if not failed.exists():
        apply(app, way.version)
        app.wait(way.version)
        assert app.outcome(way.version) == ("updated", "1.0.0")
        return "before"
    # It had been started and had not proved itself: nobody knows that it was not to blame.
    assert failed.read_text(encoding="utf-8").split() == [way.version]
    assert app.outcome(way.version) == ("rolled_back", "1.0.0")
    if way.other == "1.2.0rc1":
        app.include_prereleases()
    apply(app, way.other)
    app.wait(way.other)
    assert app.outcome(way.other) == ("updated", "1.0.0")
    return "on trial"


def unfinished(app: Installed) -> set[str]:
    """Name what only an update that is under way has."""
    hidden = {path.name for path in (*app.root.glob(".*"), *app.root.glob("versions/.*"))}
    return {*hidden, *(name for name in ("trial",) if (app.root / name).exists())} - {".lock"}


@pytest.mark.usefixtures("long", "second")
@pytest.mark.parametrize("behaviour", ["good", "crash"])
def test_a_power_cut_leaves_a_whole_version(
    behaviour: str, source: Source, installed: Installed, tmp_path: Path
) -> None:
    """Record an update, and what a power cut would leave after each of its operations on files: that starts."""
    version = "1.1.0"
    if behaviour == "crash":
        version = "1.3.8"
        source.publish(version, lambda source: source.change("__main__.py", "\n", f"\n{BAD['crash']}\n"))
    try:
        with installed.run():
            installed.wait("1.0.0")
        before, again = Disk.read(installed.root), Disk.read(installed.root)
        installed.recorder = record(tmp_path / "trace")
        with installed.run():
            installed.wait("1.0.0")
            apply(installed, version)
            outcome = installed.outcome(version)
            installed.until(lambda _: unfinished(installed) == set())
    finally:
        if behaviour == "crash":
            source.withdraw(version)
    operations = list(recorded(tmp_path / "trace", installed.root))
    left = cut_after_each(before, operations, version)
    assert changed_contents(before, Disk.read(installed.root)) == set(), "not all was recorded"
    synced = before.after_a_cut(lambda: False, lambda: False)
    assert outcome == ("updated" if behaviour == "good" else "rolled_back", "1.0.0")
    assert (synced.text("current") or "").strip() == (version if behaviour == "good" else "1.0.0")
    if behaviour == "good":
        assert synced.text("trial") is None, "it would be gone back from, though it has proved itself"
    else:
        assert synced.text("failed") == f"{version}\n"

    for number, state in enumerate(left):
        root = tmp_path / f"cut {number}"
        state.write(root)
        app = Installed(root, installed.slug)
        with app.run():
            assert app.settle() in {"1.0.0", "1.1.0"}
        shutil.rmtree(root)
    print(f"{len(operations)} operations, {len(left)} kinds of states started")
    with pytest.raises(AssertionError, match="after"):  # else it would see nothing
        cut_after_each(again, [operation for operation in operations if operation.call != "fsync"], version)


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
