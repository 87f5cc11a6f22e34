"""The Linux bundle of a desktop app: built by its own scripts, moved, started, built again, refused with a reason."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.answers import answers_for
from tests.conftest import Render, git
from tests.support.docker import Docker
from tests.support.projects import App, free_port, newcomer
from tests.support.pythons import archive
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow

VERSION = "1.2.3rc1"
SLUG = "sample-desktop"
HEAVY = ["numpy", "pillow", "pynacl", "colorama; sys_platform == 'win32'"]
NO_MIRROR = {
    "UV_PYTHON_DOWNLOADS_JSON_URL": "",
    "UV_PYTHON_INSTALL_MIRROR": "http://127.0.0.1:9",
    "UV_PYTHON_PREFERENCE": "managed",
    "UV_HTTP_RETRIES": "0",
}
TRIM = """
drop_sources = true
[remove]
"*" = ["*.pyi"]
pillow = ["PIL/FliImagePlugin.py", "PIL/FpxImagePlugin.py", "PIL/MicImagePlugin.py", "PIL/_avif.*", "PIL/AvifIm*.py"]
opencv-python-headless = ["cv2/data/*"]
pynacl = ["nacl/no-such-file"]
"""


class Bundled:
    """A project with its lock in a repository of its own, and the build of its Linux bundle."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment

    def change(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def require(self, *requirements: str) -> None:
        listed = "".join(f'    "{line}",\n' for line in requirements)
        self.change("pyproject.toml", '    "fastapi', f'{listed}    "fastapi')

    def lock(self) -> None:
        run([uv(), "lock", "--quiet"], cwd=self.root, env=self.environment)

    def commit(self) -> None:
        if not (self.root / ".git").exists():
            git(self.root, "init", "-q", "-b", "main")
        git(self.root, "add", "--all")
        git(self.root, "commit", "-q", "-m", "Ready")

    def clone(self, folder: Path) -> Bundled:
        git(self.root, "clone", "-q", str(self.root), str(folder))
        return Bundled(folder, self.environment)

    def build(
        self, *options: str | Path, returncode: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        command = [self.root / "scripts/build-dist.sh", *options]
        return run(command, cwd=self.root, env=self.environment | environment, returncode=returncode)

    def refusal(self, *options: str | Path, output: Path, **environment: str) -> str:
        """Build, and give the one line that says why there is nothing."""
        result = self.build("--output", output, *options, returncode=1, **environment)
        assert not list(output.glob("*")) if output.exists() else True
        assert not list(self.root.glob("build/work-*"))
        assert "Traceback" not in result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith(("bundle: ", "build-dist: "))]
        assert len(lines) == 1, result.stderr
        assert lines[0] == result.stderr.splitlines()[-1]
        return lines[0]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return newcomer(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture(scope="session")
def app(render: Render, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """The app as the template makes it, locked, committed and built."""
    root = tmp_path_factory.mktemp("app") / "project"
    shutil.copytree(render(answers_for(["desktop"], frontend=False)), root)
    made = Bundled(root, environment)
    made.lock()
    made.commit()
    made.build("--version", "v1.2.3-rc.1")
    return made


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob(f"{SLUG}-*"))}


def unpack(archive: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    run(["tar", "-xzf", archive, "-C", folder])
    return folder / SLUG


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextlib.contextmanager
def started(root: Path, *options: str) -> Iterator[App]:
    port = free_port()
    command = [str(root / "run.sh"), "--port", str(port), *options]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    ) as process:
        try:
            yield App(process, port)
        finally:
            process.terminate()


def members(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return {member.name: member for member in tar}


# What is in it ########################################################################################################


def test_the_archives(app: Bundled, tmp_path: Path) -> None:
    dist = app.root / "dist"
    assert sorted(path.name for path in dist.iterdir()) == [
        f"{SLUG}-v{VERSION}-linux-x64-app.tar.gz",
        f"{SLUG}-v{VERSION}-linux-x64.cdx.json",
        f"{SLUG}-v{VERSION}-linux-x64.tar.gz",
    ]
    assert git(app.root, "status", "--porcelain") == "", "the build writes into the work tree"
    whole = members(dist / f"{SLUG}-v{VERSION}-linux-x64.tar.gz")
    version = f"{SLUG}/versions/{VERSION}"
    beside = {name.partition("/")[2] for name in whole if "/versions/" not in name}
    assert beside >= {"run.sh", "current", "icon.png", "install-service.sh"}
    files = {"start.py", "VERSION", "THIRD_PARTY_LICENSES.txt", "LICENSE", "runtime-id"}
    assert {f"{version}/{name}" for name in files} <= whole.keys()
    assert all((each.uid, each.gid, each.uname) == (0, 0, "") for each in whole.values())
    assert len({each.mtime for each in whole.values()}) == 1
    only_app = members(dist / f"{SLUG}-v{VERSION}-linux-x64-app.tar.gz")
    left_out = {f"{SLUG}/current", f"{SLUG}/icon.png", f"{version}/THIRD_PARTY_LICENSES.txt"}
    assert only_app.keys() == {
        name
        for name in whole.keys() - left_out
        if not name.startswith(f"{version}/python/") and "__pycache__" not in name
    }

    root = unpack(dist / f"{SLUG}-v{VERSION}-linux-x64.tar.gz", tmp_path / "whole")
    folder = root / "versions" / VERSION
    assert (root / "current").read_text() == f"{VERSION}\n"
    assert (folder / "VERSION").read_text() == f"{VERSION}\n"
    site = folder / "python/lib/python3.13/site-packages"
    licenses = (folder / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    for package in ("fastapi", "pydantic-core", "uvicorn"):
        assert re.search(rf"^{package.replace('-', '[-_]')} \d", licenses, re.MULTILINE), package
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in licenses
    check_files(app, folder, site)
    check_bill(dist / f"{SLUG}-v{VERSION}-linux-x64.cdx.json", site)


def check_files(app: Bundled, folder: Path, site: Path) -> None:
    place = str(app.root).encode()
    for path in folder.rglob("*"):
        assert path.name not in {"direct_url.json", "uv_cache.json", ".lock", "ensurepip", "idlelib", "tkinter"}
        assert not path.name.endswith((".js.map", ".css.map"))
        if path.is_file():
            assert place not in path.read_bytes(), f"{path} holds the place where it was built"
        if path.suffix == ".py" and "site-packages" in path.parts:
            assert list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-313.pyc")), f"{path} is not compiled"
    for record in [*site.glob("*.dist-info/RECORD"), *folder.glob("app/*.dist-info/RECORD")]:
        for line in record.read_text(encoding="utf-8").splitlines():
            name = line.rsplit(",", 2)[0].strip('"')
            assert (record.parents[1] / name).is_file(), f"{record.parent.name} lists {name}"


def check_bill(path: Path, site: Path) -> None:
    bill: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == (SLUG, VERSION)
    listed = {f"{each['name']}-{each['version']}" for each in bill["components"]}
    there = {
        re.sub("[-_.]+", "-", name) + f"-{version}"
        for name, _, version in (
            entry.name.removesuffix(".dist-info").partition("-") for entry in site.glob("*.dist-info")
        )
    }
    assert listed == {name.lower() for name in there} | {"python-3.13.5"}
    needed = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    (fastapi,) = (ref for ref in needed if ref.startswith("fastapi@"))
    assert any(ref.startswith("starlette@") for ref in needed[fastapi])


def test_moved_and_started_it_writes_nothing_below_versions(app: Bundled, tmp_path: Path) -> None:
    first = unpack(app.root / f"dist/{SLUG}-v{VERSION}-linux-x64.tar.gz", tmp_path / "first")
    before = contents(first / "versions")
    with started(first) as server:
        assert server.wait()["version"] == VERSION
        assert server.stop()[0] == 0
    moved = tmp_path / "Größe 1 – 日本語" / "$HOME 'x'"
    moved.parent.mkdir()
    first.rename(moved)
    with started(moved) as server:
        assert server.wait()["version"] == VERSION
        assert "3.13" in server.json("/system/info")["python"]
        run([moved / "run.sh", "--stop"])
        assert server.process.wait(timeout=15) == 0
    after = contents(moved / "versions")
    after.pop(".lock", None)  # against two updates at once: the app tidies up under it
    assert after == before
    assert (moved / "data").is_dir()


def test_from_a_folder_that_cannot_be_written(app: Bundled, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 100) as disk:
        run(["tar", "-xzf", app.root / f"dist/{SLUG}-v{VERSION}-linux-x64.tar.gz", "-C", disk])
        run(["mount", "-o", "remount,ro", disk])
        root = disk / SLUG
        result = run([root / "run.sh", "--port", "0"], returncode=1)
        assert result.stderr == (
            f"{SLUG}: cannot write to the data folder {root}/data (Read-only file system): choose one with --data-dir\n"
        )
        with started(root, "--data-dir", str(tmp_path / "data")) as server:
            assert server.wait()["version"] == VERSION
            assert server.stop()[0] == 0


def test_in_a_container_without_python(app: Bundled, docker: Docker, tmp_path: Path) -> None:
    root = unpack(app.root / f"dist/{SLUG}-v{VERSION}-linux-x64.tar.gz", tmp_path / "unpacked")
    image = docker.run("images", "--format", "{{.Repository}}:{{.Tag}}", "gitea-py-template/debian").split()[0]
    script = """
    if command -v python3; then exit 9; fi
    /app/run.sh --port 8765 &
    for _ in $(seq 200); do
      if [ -e /app/data/instance.json ] && exec 3<>/dev/tcp/127.0.0.1/8765; then
        printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3
        cat <&3
        /app/run.sh --stop
        wait
        exit 0
      fi
      sleep 0.1
    done 2>/dev/null
    cat /app/logs/*; exit 8
    """
    volume = f"--volume={root}:/app"
    said = docker.run("run", "--rm", "--network=none", volume, image, "bash", "-c", script)
    assert f'"version":"{VERSION}"' in said


def test_heavy_dependencies_trimmed_and_without_sources(
    app: Bundled, environment: dict[str, str], tmp_path: Path
) -> None:
    heavy = app.clone(tmp_path / "heavy")
    heavy.require(*HEAVY)
    (heavy.root / "scripts/trim.toml").write_text(TRIM, encoding="utf-8")
    (heavy.root / "scripts/build-local.sh").write_text(
        'before_archives() { echo "$2" >"$1/added.txt"; cp "$1/added.txt" "$1"/versions/*/; }\n', encoding="utf-8"
    )
    heavy.lock()
    said = heavy.build("--version", "2.0", "--output", tmp_path / "out").stderr
    assert "opencv-python-headless is not in this bundle" in said
    assert "'nacl/no-such-file' of pynacl matches no file" in said
    assert not list(heavy.root.glob("dist"))
    root = unpack(tmp_path / f"out/{SLUG}-v2.0-linux-x64.tar.gz", tmp_path / "unpacked")
    folder = root / "versions/2.0"
    assert (root / "added.txt").read_text() == (folder / "added.txt").read_text() == "linux\n"
    site = folder / "python/lib/python3.13/site-packages"
    assert (site / "numpy/linalg").is_dir()
    assert not list(site.glob("colorama*")), "a dependency of Windows only"
    assert not [*site.rglob("*.pyi"), *site.rglob("*.py"), *folder.glob("app/**/*.py"), *site.glob("PIL/*vif*")]
    code = """
import io, numpy, nacl.secret, nacl.utils, pydantic, importlib.metadata
from PIL import Image
assert numpy.linalg.det(numpy.eye(3)) == 1
Image.new("RGB", (8, 8)).save(file := io.BytesIO(), "PNG"); Image.open(io.BytesIO(file.getvalue())).load()
box = nacl.secret.SecretBox(nacl.utils.random(32)); assert box.decrypt(box.encrypt(b"x")) == b"x"
assert importlib.metadata.version("pillow")
"""
    run([folder / "python/bin/python3", "-I", "-B", "-c", code])


@pytest.mark.usefixtures("long")
def test_a_python_that_is_given(app: Bundled, tmp_path: Path) -> None:
    own = app.clone(tmp_path / "own")
    run(["tar", "-xzf", archive("3.13"), "-C", tmp_path])
    own.build("--version", VERSION, "--python", tmp_path / "python")
    shutil.rmtree(tmp_path / "python")
    root = unpack(own.root / f"dist/{SLUG}-v{VERSION}-linux-x64.tar.gz", tmp_path / "unpacked")
    with started(root) as server:
        assert server.wait()["version"] == VERSION


@pytest.mark.usefixtures("long")
def test_with_this_machines_python_it_says_that_it_stays_here(app: Bundled, tmp_path: Path) -> None:
    said = app.build("--version", "1.0", "--python", "this-machine", "--output", tmp_path / "out").stderr
    (remark,) = (line for line in said.splitlines() if line.startswith("bundle: "))
    assert "of this machine and stays on it: it is for a look, not for others" in remark
    root = unpack(tmp_path / f"out/{SLUG}-v1.0-linux-x64.tar.gz", tmp_path / "unpacked")
    python = root / "versions/1.0/python/bin/python3"
    assert python.is_symlink()
    assert str(python.readlink()) in remark
    with started(root) as server:
        assert server.wait()["version"] == "1.0"


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("minor", ["3.11", "3.12", "3.14"])
def test_the_other_pythons(minor: str, render: Render, environment: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(render(answers_for(["desktop"], frontend=False, python_version=minor)), project)
    other = Bundled(project, environment)
    other.lock()
    other.commit()
    other.build("--version", "1.0")
    root = unpack(project / f"dist/{SLUG}-v1.0-linux-x64.tar.gz", tmp_path / "unpacked")
    site = root / f"versions/1.0/python/lib/python{minor}/site-packages"
    assert list(site.glob(f"fastapi/__pycache__/__init__.cpython-{minor.replace('.', '')}.pyc"))
    with started(root) as server:
        assert server.wait()["version"] == "1.0"
        assert server.json("/system/info")["python"].startswith(f"{minor}.")


# Again, elsewhere, side by side, interrupted ##########################################################################


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_same_to_the_last_bit_elsewhere_and_quick_again(app: Bundled, tmp_path: Path) -> None:
    other = app.clone(tmp_path / "a longer path, with a blank ü")
    start = processor_seconds()
    other.build("--version", VERSION)
    first = processor_seconds() - start
    assert digests(other.root / "dist") == digests(app.root / "dist")
    start = processor_seconds()
    other.build("--version", VERSION)
    again = processor_seconds() - start
    assert digests(other.root / "dist") == digests(app.root / "dist")
    assert again <= 0.5 * first, f"{again:.1f} s of processors, {first:.1f} s the first time"


def test_two_side_by_side(app: Bundled, tmp_path: Path) -> None:
    command: list[str | Path] = [app.root / "scripts/build-dist.sh", "--version", VERSION, "--no-self-test", "--output"]
    outputs = [tmp_path / "one", tmp_path / "two"]
    builds = [
        subprocess.Popen([*command, output], env=app.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for output in outputs
    ]
    for each in builds:
        _, errors = each.communicate(timeout=300)
        assert each.returncode == 0, errors.decode()
    assert digests(outputs[0]) == digests(outputs[1]) == digests(app.root / "dist")


def test_a_changed_file_in_the_cache_does_not_get_into_the_next_bundle(app: Bundled, tmp_path: Path) -> None:
    path = app.root / f"build/linux/{SLUG}/versions/{VERSION}/python/lib/python3.13/site-packages/fastapi/__init__.py"
    path.write_text("print('changed')\n", encoding="utf-8")
    app.build("--version", VERSION, "--no-self-test", "--output", tmp_path / "out")
    assert digests(tmp_path / "out") == digests(app.root / "dist")


def test_stopped_at_any_point_the_next_one_works(app: Bundled, tmp_path: Path) -> None:
    other = app.clone(tmp_path / "stopped")
    command: list[str | Path] = [other.root / "scripts/build-dist.sh", "--version", VERSION]
    for seconds, number in ((1.0, signal.SIGKILL), (3.0, signal.SIGTERM), (5.0, signal.SIGKILL), (8.0, signal.SIGKILL)):
        with subprocess.Popen(
            command, env=app.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            os.killpg(process.pid, number) if process.poll() is None else None
        made = digests(other.root / "dist")
        assert made.items() <= digests(app.root / "dist").items(), "half a file in the output"
    other.build("--version", VERSION)
    assert digests(other.root / "dist") == digests(app.root / "dist")
    assert not list(other.root.glob("build/work-*")), "left by a build that was killed"


# What cannot be built #################################################################################################


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder])
    try:
        yield folder
    finally:
        run(["umount", folder])


def test_no_space_is_left(app: Bundled, tmp_path: Path) -> None:
    with small_disk(tmp_path / "out", 1) as output:
        assert "No space is left" in app.refusal("--version", VERSION, output=output)
        assert not list(output.rglob("*.partial"))
    other = app.clone(tmp_path / "other")
    with small_disk(other.root / "build", 40):
        assert re.search("[Nn]o space", other.refusal("--version", VERSION, output=tmp_path / "nothing"))


def break_lock(project: Bundled) -> None:
    project.require("cowsay")


def remove_lock(project: Bundled) -> None:
    (project.root / "uv.lock").unlink()


def without_wheels(project: Bundled) -> None:
    project.require("docopt")
    project.lock()


def other_python(project: Bundled) -> None:
    project.require("pywin32==306")
    project.lock()


def wants_tkinter(project: Bundled) -> None:
    project.change("pyproject.toml", "tkinter = false", "tkinter = true")


def from_a_folder(project: Bundled) -> None:
    (project.root / "vendor/local").mkdir(parents=True)
    (project.root / "vendor/local/pyproject.toml").write_text('[project]\nname = "local-thing"\nversion = "1"\n')
    project.require("local-thing")
    with (project.root / "pyproject.toml").open("a") as file:
        file.write('\n[tool.uv.sources]\nlocal-thing = { path = "vendor/local" }\n')
    project.lock()


def no_icon(project: Bundled) -> None:
    (project.root / "scripts/icon.ico").write_bytes(b"\x89PNG\r\n\x1a\n")


def unknown_word(project: Bundled) -> None:
    (project.root / "scripts/trim.toml").write_text("drop-sources = true\n")


def too_much(project: Bundled) -> None:
    (project.root / "scripts/trim.toml").write_text('[remove]\npydantic = ["pydantic/main.py"]\n')


def failing_hook(project: Bundled) -> None:
    (project.root / "scripts/build-local.sh").write_text("before_archives() { echo 'no cake left' >&2; return 3; }\n")


def folder_beside_the_versions(project: Bundled) -> None:
    hook = 'before_archives() { mkdir "$1/examples"; echo one >"$1/examples/one.txt"; }\n'
    (project.root / "scripts/build-local.sh").write_text(hook)


def silent_app(project: Bundled) -> None:
    with (project.root / "src/sample_desktop/server.py").open("a") as file:
        file.write("\nraise SystemExit('nobody is here')\n")


def nothing(_project: Bundled) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "options", "environ", "expected"),
    [
        (break_lock, [], {}, "uv.lock does not fit pyproject.toml: run 'make setup'"),
        (remove_lock, [], {}, "uv.lock is missing: run 'make setup'"),
        (without_wheels, [], {}, "docopt 0.6.2 has no usable wheels"),
        (other_python, [], {}, "pywin32 306 has no wheels with a matching Python ABI tag"),
        (from_a_folder, [], {}, "comes from a folder, a repository or an address"),
        (no_icon, [], {}, "scripts/icon.ico is no icon file"),
        (unknown_word, [], {}, "drop-sources is not known"),
        (too_much, [], {}, "cannot be imported: ModuleNotFoundError: No module named 'pydantic.main'"),
        (failing_hook, [], {}, "build-local.sh failed: no cake left"),
        (folder_beside_the_versions, [], {}, "examples/one.txt would be in no installer and no update: put it into"),
        (silent_app, [], {}, "The bundle does not start: the app ended with"),
        (nothing, ["--python", "."], {}, "there is no Python 3.13 with bin/python3.13"),
        (
            wants_tkinter,
            [],
            {},
            "has no tkinter, which pyproject.toml asks for ([tool.*.desktop]): name one that has it",
        ),
        (nothing, ["--wat"], {}, "'--wat' is not known (see --help)"),
        (nothing, ["--python"], {}, "--python needs a value"),
        (nothing, [], {"SOURCE_DATE_EPOCH": "today"}, "seconds since 1970 are expected"),
        (nothing, [], NO_MIRROR, "cannot be fetched"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_built_is_one_clear_line(
    spoil: Callable[[Bundled], None],
    options: list[str],
    environ: dict[str, str],
    expected: str,
    app: Bundled,
    tmp_path: Path,
) -> None:
    project = app.clone(tmp_path / "project")
    (project.root / "build").mkdir()  # with what a build before has left there
    shutil.copytree(app.root / "build/cache", project.root / "build/cache", symlinks=True, copy_function=os.link)
    if environ.get("UV_PYTHON_INSTALL_MIRROR"):
        shutil.rmtree(project.root / "build/cache")
    spoil(project)
    assert expected in project.refusal("--version", "1.0", *options, output=tmp_path / "out", **environ)


def test_a_person_finds_what_there_is(app: Bundled) -> None:
    said = app.build("--help").stdout
    for option in ("--version", "--output", "--python", "--no-self-test"):
        assert option in said
