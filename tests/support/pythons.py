"""CPython for Linux from Maven Central, laid out and listed so that uv installs it as it does its own builds.

uv takes Python from a host that a company's network may not reach. Maven Central has relocatable builds of CPython
(org.bytedeco) for each minor that the template knows; here they become archives in the layout of
python-build-standalone, and a list for UV_PYTHON_DOWNLOADS_JSON_URL.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.support.packages import require_apt
from tests.support.tools import cache, check_sha256, made_once, run, sha256, uv

LAYOUT = 2  # of the archives; another number makes them anew
INSIDE = PurePosixPath("org/bytedeco/cpython/linux-x86_64")

# The build of 3.11 has no _sqlite3, which coverage needs; this is the same module, built for the same ABI, from PyPI.
SQLITE_MINOR = "3.11"
SQLITE = "pysqlite3-binary==0.5.4.post2 --hash=sha256:3060a56666ede382c9af3e4b086e30c9ffb65133b3fa606c2d1b9fbff512f241"


@dataclass(frozen=True)
class Build:
    """One build of CPython: the version of the artifact, and the SHA-256 of its jar."""

    artifact: str
    sha256: str

    @property
    def version(self) -> str:
        return self.artifact.partition("-")[0]

    @property
    def minor(self) -> str:
        return self.version.rpartition(".")[0]


BUILDS = (
    Build("3.11.3-1.5.9", "668b42f6a8b1a9789de7d3ca54a81fefb754cd8e885554b42858bbcbc0dd497c"),
    Build("3.12.1-1.5.10", "a135fcf4dc01adebf7ea439252276fc3196db80f7e0dd3da0b61f1ec489b68bd"),
    Build("3.13.5-1.5.12", "50ad91aa0baa57f0235bb666b87d8bf2a44e215d28c250de1030502906af143b"),
    Build("3.14.3-1.5.13", "eb5f1a6fe2dc498ac18927189a37f28a47b0ba06ae6bd85112eff023fe2eb46f"),
)


def uv_environment() -> dict[str, str]:
    """Give what makes uv use these builds only: neither the machine's Pythons nor those on GitHub."""
    archives = archives_folder()
    require_apt("libsqlite3-0")  # the one library beyond the usual that the builds take from the system
    return {
        "UV_PYTHON_BIN_DIR": str(cache("pythons", "bin")),  # not on anybody's PATH
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(archives / "downloads.json"),
        "UV_PYTHON_INSTALL_DIR": str(cache("pythons", f"installed-{archives.name}")),
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_DOWNLOADS": "automatic",
    }


def archive(minor: str) -> Path:
    """Give the archive of a minor version, for example "3.13": `python/bin/python3.13` and so on."""
    (build,) = (build for build in BUILDS if build.minor == minor)
    return archives_folder() / f"cpython-{build.version}.tar.gz"


def archives_folder() -> Path:
    """Make the archives `cpython-3.13.5.tar.gz` and so on, and `downloads.json`, uv's list of them."""
    fingerprint = hashlib.sha256(repr((LAYOUT, BUILDS, SQLITE)).encode()).hexdigest()[:12]
    folder = cache("pythons", fingerprint)

    def make(partial: Path) -> None:
        partial.mkdir()
        entries: dict[str, object] = {}
        for build in BUILDS:
            written = _write_archive(build, partial)
            entries[f"cpython-{build.version}-linux-x86_64-gnu"] = entry(build.version, written, folder / written.name)
        (partial / "downloads.json").write_text(json.dumps(entries, indent=2), encoding="utf-8")

    return made_once(folder, make)


def entry(version: str, written: Path, final: Path) -> dict[str, object]:
    """Describe a build for Linux in uv's list: the archive is `written`, and will be at `final`."""
    major, minor, patch = map(int, version.split("."))
    return {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": final.as_uri(),
        "sha256": sha256(written),
        "variant": None,
        "build": None,
    }


def _write_archive(build: Build, folder: Path) -> Path:
    written = folder / f"cpython-{build.version}.tar.gz"
    with tempfile.TemporaryDirectory() as loaded, tarfile.open(written, "w:gz", compresslevel=3) as target:
        for name, data in _files(build, Path(loaded)):
            member = tarfile.TarInfo(str("python" / name))
            member.size = len(data)
            member.mode = 0o755 if name.parent.name == "bin" else 0o644
            target.addfile(member, io.BytesIO(data))
        for link in ("python", "python3"):
            member = tarfile.TarInfo(f"python/bin/{link}")
            member.type = tarfile.SYMTYPE
            member.linkname = f"python{build.minor}"
            target.addfile(member)
    return written


def _files(build: Build, loaded: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Give the files of an installation; CPython's own tests and what only programs that embed it need stay out."""
    interpreter = PurePosixPath("bin") / f"python{build.minor}"
    library = PurePosixPath("lib") / f"python{build.minor}"
    unwanted = {library / name for name in ("test", "idlelib", f"config-{build.minor}-x86_64-linux-gnu")}
    with zipfile.ZipFile(load_jar(build, loaded)) as jar:
        for entry in jar.infolist():
            path = PurePosixPath(entry.filename)
            if entry.is_dir() or not path.is_relative_to(INSIDE):
                continue
            path = path.relative_to(INSIDE)
            if path.name.startswith("libpython") and len(path.parts) == 1:
                yield "lib" / path, jar.read(entry)
            elif path.name.startswith("libffi.so."):
                yield library / "lib-dynload" / path, jar.read(entry)  # beside _ctypes, which looks there first
            elif path == interpreter or (path.parts[0] in {"lib", "include"} and unwanted.isdisjoint(path.parents)):
                yield path, jar.read(entry)
    if build.minor == SQLITE_MINOR:
        module = _load_sqlite(loaded)
        yield library / "lib-dynload" / module.name, module.read_bytes()


def load_jar(build: Build, folder: Path, platform: str = "linux") -> Path:
    """Load the jar of a build, for linux or windows, into a folder."""
    if shutil.which("mvn") is None:
        require_apt("maven")
    artifact = f"org.bytedeco:cpython:{build.artifact}:jar:{platform}-x86_64"
    maven = ["mvn", "--batch-mode", "--quiet", f"-Dartifact={artifact}"]
    run([*maven, "dependency:get", "-Dtransitive=false"])
    run([*maven, "dependency:copy", f"-DoutputDirectory={folder}"])
    return check_sha256(folder / f"cpython-{build.artifact}-{platform}-x86_64.jar", build.sha256)


def _load_sqlite(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(SQLITE, encoding="utf-8")
    platform = ["--python-version", SQLITE_MINOR, "--python-platform", "x86_64-manylinux2014", "--only-binary", ":all:"]
    run([uv(), "pip", "install", "--no-deps", "--require-hashes", *platform, "--target", folder, "-r", requirements])
    (module,) = folder.glob("pysqlite3/_sqlite3.*.so")
    return module
