"""A machine of its own for tests: Debian with systemd as its first process, in a container. It has no Python."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.docker import Docker, debian_image
from tests.support.tools import run

IMAGE = "gitea-py-template/machine"
# gio starts what a menu's entry says; the rest is what a desktop or a server has.
PACKAGES = "systemd systemd-sysv libpam-systemd dbus dbus-user-session libglib2.0-bin desktop-file-utils procps"
DOCKERFILE = f"""
FROM {{base}}
RUN apt-get update -qq && apt-get install -qq --no-install-recommends {PACKAGES} >/dev/null \\
 && rm -rf /var/lib/apt/lists/*
RUN systemctl mask --quiet systemd-udevd.service systemd-networkd-wait-online.service systemd-firstboot.service \\
 && useradd --create-home --shell /bin/bash jo
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
"""


class Machine:
    """A container in which systemd runs."""

    def __init__(self, docker: Docker, name: str) -> None:
        self.docker = docker
        self.name = name

    def run(
        self, *command: str, user: str = "root", returncode: int | None = 0, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        settings = [f"--env={name}={value}" for name, value in (variables or {}).items()]
        return run(
            ["docker", "exec", "--user", user, *settings, self.name, *command],
            env=self.docker.environment,
            returncode=returncode,
            timeout=120,
        )

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder there; the target's parent must exist."""
        self.docker.run("cp", "--archive", source, f"{self.name}:{target}")

    def wait_until_up(self) -> None:
        end = time.monotonic() + 60
        while (state := self.run("systemctl", "is-system-running", returncode=None).stdout.strip()) != "running":
            if state == "degraded":
                raise AssertionError(self.run("systemctl", "--failed", "--no-pager").stdout)
            assert time.monotonic() < end, f"systemd is {state or 'not there'}"
            time.sleep(0.1)

    def restart(self) -> None:
        self.docker.run("restart", self.name)
        self.wait_until_up()


@contextmanager
def machine(docker: Docker, *options: str, has_systemd: bool = True) -> Iterator[Machine]:
    """Start a machine, with options of `docker run`; without systemd nothing runs in it but what a test starts."""
    with tempfile.TemporaryDirectory() as context:
        Path(context, "Dockerfile").write_text(DOCKERFILE.format(base=debian_image()), encoding="utf-8")
        docker.run("build", "--quiet", "--tag", IMAGE, context)
    rights = ["--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--cgroupns=private"]
    places = ["--tmpfs=/run", "--tmpfs=/run/lock"]
    start = [*rights, *places, IMAGE] if has_systemd else [IMAGE, "sleep", "infinity"]
    name = docker.run("run", "--detach", "--tty", *options, *start).strip()
    try:
        started = Machine(docker, name)
        if has_systemd:
            started.wait_until_up()
        yield started
    finally:
        docker.run("rm", "--force", "--volumes", name)
