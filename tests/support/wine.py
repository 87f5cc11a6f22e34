"""Windows programs on this machine: Wine in a Debian of its own, and a Windows of its own for each test.

Wine 10 needs Debian trixie: a folder in the cache holds one, with Wine (64-bit only) and a Windows that was started
once. The first process of a session unpacks it, the last one removes it. A test gets a clone of that Windows, in
namespaces of its own: its mounts and processes go with it, even when the tests are killed. Only the network is shared:
a server in there answers on this machine's 127.0.0.1.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import uuid4

from tests.support import debian
from tests.support.packages import require_apt
from tests.support.tools import MissingError, cache, lock, made_once, program, remove, run

RECIPE = "1"  # of the archive; another one makes it anew
FIRST = PurePosixPath("/windows")  # the Windows that all others are clones of
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",  # otherwise names of files are ASCII
    "XDG_RUNTIME_DIR": "/tmp",
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml=",  # neither .NET nor a browser, which it would ask to download
}
# Processes that make a Windows: `cat` keeps its namespaces.
SYSTEM = {"cat", "wineserver64", "services.exe", "winedevice.exe", "plugplay.exe", "svchost.exe", "explorer.exe"}
SYSTEM |= {"rpcss.exe"}


@dataclass(frozen=True)
class Windows:
    """One Windows: `files` is its drive C, `run` runs a program of it."""

    root: Path
    prefix: PurePosixPath
    init: int
    display: str | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        """Drive C as its programs see it, with all that is mounted in there."""
        return Path(f"/proc/{self.init}/root{self.root}{self.prefix}/drive_c")

    def path(self, windows: str | PureWindowsPath) -> Path:
        r"""Give the path on this machine of `C:\a\b`."""
        drive, *parts = PureWindowsPath(windows).parts
        assert drive.upper() == "C:\\", windows
        return self.files.joinpath(*parts)

    def command(self, *words: str, env: dict[str, str] | None = None) -> list[str]:
        """Give the command that runs a Linux program in there."""
        variables = {**ENVIRONMENT, "WINEPREFIX": str(self.prefix), **self.environment, **(env or {})}
        if self.display:
            variables["DISPLAY"] = self.display
        enter = ["nsenter", f"--target={self.init}", "--mount", "--pid", "chroot", str(self.root)]
        return [*enter, "env", "-i", *(f"{name}={value}" for name, value in variables.items()), *words]

    def run(
        self,
        *words: str | PureWindowsPath,
        cwd: str | PureWindowsPath = "C:\\",
        env: dict[str, str] | None = None,
        timeout: float = 60,
        returncode: int | None = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end, and give what it said; not to the end of those that it started."""
        with tempfile.TemporaryFile() as output:  # a pipe would be open until the last of them ends
            try:
                result = subprocess.run(
                    self.wine_command(*words, cwd=cwd, env=env),
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                )
                ended = f"returned {result.returncode}"
            except subprocess.TimeoutExpired:
                result, ended = None, f"not done after {timeout} s"
            output.seek(0)
            said = output.read().decode(errors="replace")
        assert result and returncode in (None, result.returncode), f"{' '.join(map(str, words))}: {ended}\n{said}"
        return subprocess.CompletedProcess(result.args, result.returncode, said)

    def start(
        self,
        *words: str | PureWindowsPath,
        cwd: str | PureWindowsPath = "C:\\",
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a Windows program and leave it alone; it ends with this Windows."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            self.wine_command(*words, cwd=cwd, env=env), stdin=nowhere, stdout=nowhere, stderr=nowhere
        )

    def wine_command(
        self,
        *words: str | PureWindowsPath,
        cwd: str | PureWindowsPath = "C:\\",
        env: dict[str, str] | None = None,
    ) -> list[str]:
        """Give the command that runs a Windows program in there."""
        folder = self.prefix.joinpath("drive_c", *PureWindowsPath(cwd).parts[1:])
        script = 'cd "$0" && exec wine "$@"'
        return self.command("sh", "-c", script, str(folder), *map(str, words), env=env)

    def registry(self, key: str) -> dict[str, str]:
        """Give the values of a registry key; a key that is not there has none."""
        listed = self.run("reg", "query", key, returncode=None).stdout
        rows = (line.split(None, 2) for line in listed.splitlines() if line.startswith("    "))
        return {row[0]: row[2] if len(row) > 2 else "" for row in rows}

    def mount(self, *arguments: str, at: Path) -> None:
        """Mount something in there, with the arguments of `mount`; nobody else sees it."""
        inside = str(at).removeprefix(f"/proc/{self.init}/root")
        run(["nsenter", f"--target={self.init}", "--mount", "mount", *arguments, inside])

    def make_read_only(self, folder: Path) -> None:
        """Let nobody in there write into a folder, not even root."""
        self.mount("--bind", str(folder).removeprefix(f"/proc/{self.init}/root"), at=folder)
        self.mount("-o", "remount,bind,ro", at=folder)

    def kill_programs(self) -> None:
        """Kill all programs in there but those that make it a Windows, and wait until they are gone."""
        space = Path(f"/proc/{self.init}/ns/pid").readlink()
        while True:
            found = []
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # has just ended
                    state = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                    name = (process / "comm").read_text(encoding="utf-8").strip()
                    if (process / "ns/pid").readlink() == space and state != "Z" and name not in SYSTEM:
                        found.append(int(process.name))
            if not found:
                return
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def settle(self, timeout: float = 30) -> None:
        """Wait until all Windows programs have ended."""
        run(self.command("wineserver", "--wait"), timeout=timeout)


@contextmanager
def wine() -> Iterator[Path]:
    """Unpack the Debian with Wine for this process and all others that want it at the same time."""
    if os.geteuid() != 0:
        raise MissingError("root (in a container or a VM: tests with Wine enter a Debian of their own)")
    require_apt("debootstrap", "zstd")
    archive = made_once(cache("wine", f"{debian.SUITE}-{RECIPE}.tar.zst"), _make)
    root = cache("wine", "root")
    with (root.parent / "users").open("w") as users:  # locked by each process that needs it, even if it is killed
        with lock("wine"):
            if _is_alone(users):
                remove(root)  # of a session that was killed
                root.mkdir()
                run(["tar", "-I", "zstd", "-C", root, "-xf", archive])
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield root
        finally:
            with lock("wine"):
                if _is_alone(users):
                    remove(root)


def _is_alone(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True


@contextmanager
def windows(root: Path, *, display: str | None = None) -> Iterator[Windows]:
    """Start a Windows of one's own; at the end all its programs are killed, and it is removed."""
    prefix = PurePosixPath("/windows-of", uuid4().hex[:12])
    new, old = (root / str(path).lstrip("/") for path in (prefix, FIRST))
    new.parent.mkdir(exist_ok=True)
    try:
        run(["cp", "-al", old, new])
        run(["cp", "--remove-destination", *old.glob("*.reg"), new])  # those that Wine writes in place
        with _namespaces(root) as init:
            yield Windows(root, prefix, init, display)
    finally:
        remove(new)


@contextmanager
def _namespaces(root: Path) -> Iterator[int]:
    """Give the process that keeps namespaces of mounts and processes alive; all in there end with it, or with us."""
    mounts = " && ".join(
        [
            'mount -t proc proc "$0/proc"',
            'mount --rbind /sys "$0/sys"',  # without it Python counts no processors
            'mount --rbind /dev "$0/dev"',
        ]
    )
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    keeper = subprocess.Popen(
        [*unshare, "sh", "-c", f"{mounts} && echo up && exec cat", root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for pytest, which then ends it in order
    )
    assert keeper.stdin and keeper.stdout
    try:
        assert keeper.stdout.readline() == b"up\n", "no namespaces: see above for the reason"
        (child,) = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()
        yield int(child)
    finally:
        keeper.stdin.close()  # ends cat, and with the first process of the namespace all others
        keeper.stdout.close()
        keeper.wait(timeout=30)


def wait_until(condition: Callable[[], object], what: str, timeout: float = 30) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not after {timeout} s: {what}"
        time.sleep(0.05)


def _make(archive: Path) -> None:
    root = archive.with_name(f".{archive.name}.root")
    remove(root)
    debian.bootstrap(root)
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq"
    install = f"{apt} update && {apt} install --no-install-recommends -y wine wine64"
    run(["chroot", root, "sh", "-c", install])
    debian.clean(root)
    with _namespaces(root) as init:
        first = Windows(root, FIRST, init)
        run(first.command("wine", "wineboot", "--init"), timeout=300)
        first.settle(timeout=120)
    run(["tar", "-I", "zstd -T0", "-C", root, "--numeric-owner", "--one-file-system", "-cf", archive, "."])
    remove(root)


@contextmanager
def screen() -> Iterator[str]:
    """Start an X server without a monitor and give its DISPLAY."""
    require_apt("xvfb")
    reading, writing = os.pipe()
    with os.fdopen(reading) as numbers:
        server = subprocess.Popen(
            [program("Xvfb", "apt install xvfb"), "-displayfd", str(writing), "-screen", "0", "1280x1024x24"],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(writing)
        try:
            number = numbers.readline().strip()
            assert number, "Xvfb does not start"
            yield f":{number}"
        finally:
            server.terminate()
            server.wait(timeout=30)
