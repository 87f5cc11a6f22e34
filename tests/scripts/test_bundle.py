"""Do the parts of a desktop build keep their word, without a build?"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "template" / "scripts"
CONDITION = "{% if has_desktop %}"
Part = Callable[[str], ModuleType]


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Part]:
    """Import a script as a project has it, where its neighbours are found."""
    folder = tmp_path / "project" / "scripts"
    folder.mkdir(parents=True)
    for path in SCRIPTS.iterdir():
        name = path.name.removeprefix(CONDITION).removesuffix("{% endif %}")
        if path.suffix == ".py" or name.endswith((".py", ".ico", ".toml")):
            (folder / name).write_bytes(path.read_bytes())
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def distribution(site: Path, name: str, files: dict[str, str]) -> None:
    write(site, files)
    record = "".join(f"{file},sha256=x,1\n" for file in files)
    info = f"{name}-1.0.dist-info"
    write(
        site,
        {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/RECORD": f"{record}{info}/METADATA,,\n{info}/RECORD,,\n../../bin/tool,,\n",
        },
    )


# Names ################################################################################################################


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("setup", "1.2.3", "my-app-v1.2.3-setup.exe"),
        ("windows", "0.2.0a1", "my-app-v0.2.0a1-win-x64.zip"),
        ("windows-app", "1.0", "my-app-v1.0-win-x64-app.zip"),
        ("linux", "1.0.post1", "my-app-v1.0.post1-linux-x64.tar.gz"),
        ("linux-app", "0.0.0.dev0+g1234", "my-app-v0.0.0.dev0+g1234-linux-x64-app.tar.gz"),
        ("linux-sbom", "1!2.0", "my-app-v1_2.0-linux-x64.cdx.json"),
    ],
)
def test_names(kind: str, number: str, name: str, part: Part) -> None:
    assert part("artifacts").artifact_name("my-app", number, kind) == name


# Clean-up #############################################################################################################


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("import os", False),
        ("import pkg.tests", True),
        ("from pkg import tests", True),
        ("from pkg.tests.helper import x", True),
        ("from . import tests", True),
        ("def f():\n    from .tests import helper", True),
        ("import importlib\nimportlib.import_module('pkg.tests.runner')", True),
        ("import importlib\nimportlib.import_module('.tests', __name__)", True),
        ("'all the tests are in other.tests'", False),
        ("def tests(): ...", False),
        ("print 'tests', pkg.tests", False),  # of an old Python: nobody imports it
    ],
)
def test_tests_stay_where_something_imports_them(source: str, kept: bool, part: Part, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "pkg", {"pkg/__init__.py": source, "pkg/tests/__init__.py": "", "pkg/tests/data/x.txt": ""})
    part("bundle_trim").clean(site, set())
    assert (site / "pkg/tests").exists() == kept


def test_tests_that_kept_tests_need_stay(part: Part, tmp_path: Path) -> None:
    files = {
        "a/__init__.py": "import a.tests",
        "a/tests/__init__.py": "from b.tests import x",
        "b/__init__.py": "",
        "b/tests/__init__.py": "import a",
        "c/__init__.py": "",
        "c/tests/__init__.py": "import b.tests",
        "d/__init__.py": "",
        "d/tests/__init__.py": "",
        "e/__init__.py": "",
        "e/fast.so": "\0\0e.tests\0",
        "e/tests/__init__.py": "",
    }
    site = write(tmp_path / "site", files)
    part("bundle_trim").clean(site, {"d.tests.helper"})  # the app imports it
    assert {path.parent.name for path in site.glob("*/tests")} == {"a", "b", "d", "e"}


def test_what_belongs_to_no_package_goes_and_metadata_stays(part: Part, tmp_path: Path) -> None:
    site = tmp_path / "site"
    code = {"pkg/__init__.py": "", "pkg/page.js": "", "pkg/page.js.map": "", "pkg/__pycache__/old.pyc": ""}
    distribution(site, "pkg", code)
    info = "pkg-1.0.dist-info"
    write(site, {"bin/tool": "", ".lock": "", f"{info}/direct_url.json": "{}", f"{info}/licenses/LICENSE": "text"})
    trim = part("bundle_trim")
    trim.clean(site, set())
    trim.rewrite_records(site)
    left = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    kept = {f"{info}/METADATA", f"{info}/RECORD", f"{info}/licenses/LICENSE"}
    assert left == {"pkg/__init__.py", "pkg/page.js", *kept}
    listed = [line.partition(",")[0] for line in (site / info / "RECORD").read_text().splitlines()]
    assert listed == ["pkg/__init__.py", "pkg/page.js", f"{info}/METADATA", f"{info}/RECORD"]


def test_trimming_touches_the_named_package_only(part: Part, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "Big_Pkg", {"big/__init__.py": "", "big/data/a.xml": "", "big/data/b.xml": "", "big/x.pyi": ""})
    distribution(site, "other", {"other/__init__.py": "", "other/data/a.xml": "", "other/x.pyi": ""})
    removed = {"big-pkg": ["*/data/*", "*METADATA", "nothing"], "*": ["*.pyi"], "absent": ["*"]}
    notes = part("bundle_trim").Trim(removed).apply(site)
    assert [note.partition(": ")[2] for note in notes] == [
        "'*METADATA' of big-pkg matches no file of this bundle.",
        "'nothing' of big-pkg matches no file of this bundle.",
        "absent is not in this bundle.",
    ]
    left = {str(path.relative_to(site)) for path in site.rglob("*") if ".dist-info" not in str(path)}
    assert left == {"big", "big/__init__.py", "other", "other/__init__.py", "other/data", "other/data/a.xml"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("drop_sources = 1", "true or false"),
        ("[remove]\nnumpy = 'x'", "lists of patterns"),
        ("[remove]\nnumpy = [1]", "lists of patterns"),
        ("remov = 1", "remov is not known"),
        ("[[", "trim.toml: "),
    ],
)
def test_trim_toml_that_is_wrong(text: str, reason: str, part: Part, tmp_path: Path) -> None:
    (tmp_path / "trim.toml").write_text(text)
    with pytest.raises(part("bundle_common").BuildError, match=reason):
        part("bundle_trim").read_trim(tmp_path / "trim.toml")


def test_the_trim_toml_of_a_new_project_and_its_recipes(part: Part, tmp_path: Path) -> None:
    shipped = SCRIPTS / f"{CONDITION}trim.toml{{% endif %}}"
    assert part("bundle_trim").read_trim(shipped) == part("bundle_trim").Trim({}, drop_sources=False)
    lines = shipped.read_text(encoding="utf-8").splitlines()
    recipes = [
        line.removeprefix("# ") for line in lines if line.startswith("# ") and "= [" in line and "..." not in line
    ]
    (tmp_path / "trim.toml").write_text("\n".join(["[remove]", *recipes]))
    assert set(part("bundle_trim").read_trim(tmp_path / "trim.toml").remove) == {
        "*",
        "opencv-python-headless",
        "pillow",
    }


# Archives #############################################################################################################


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_an_archive_depends_on_its_contents_only(ending: str, part: Part, tmp_path: Path) -> None:
    archives = part("bundle_archives")
    made = []
    for number, names in enumerate((["b.txt", "a/ü.sh", "c"], ["c", "a/ü.sh", "b.txt"])):
        top = tmp_path / str(number)
        write(top, {f"app/{name}": name * 1_500_000 for name in names})
        (top / "app/a/ü.sh").chmod(0o700 if number else 0o755)
        target = tmp_path / f"made{number}{ending}"
        archives.write_archive(target, top, archives.list_files(top), 1_700_000_000, tmp_path / f"known{number}")
        made.append(target.read_bytes())
    assert made[0] == made[1]
    if ending == ".zip":
        with zipfile.ZipFile(tmp_path / "made0.zip") as archive:
            assert [entry.filename for entry in archive.infolist()] == ["app/a/ü.sh", "app/b.txt", "app/c"]
            assert archive.infolist()[0].external_attr >> 16 == 0o100755
            assert archive.read("app/c") == b"c" * 1_500_000
    else:
        with tarfile.open(tmp_path / "made0.tar.gz") as tar:
            assert [(entry.name, entry.mode) for entry in tar] == [
                ("app/a/ü.sh", 0o755),
                ("app/b.txt", 0o644),
                ("app/c", 0o644),
            ]
            read = tar.extractfile("app/b.txt")
            assert read and read.read() == b"b.txt" * 1_500_000


@pytest.mark.parametrize(
    ("names", "clash"),
    [
        (["app/a.py", "app/B.py", "app/b/a.py", "python/a.py", "app/c", "app/C.txt"], ""),
        (["app/A.py", "app/a.py", "app/__pycache__/A.pyc", "app/__pycache__/a.pyc"], "app/A.py and app/a.py are"),
        (["app/Views/one.py", "app/views/two.py"], "app/Views and app/views are"),
        (["app/readme", "app/README/x"], "app/README and app/readme are"),
        (["app/straße.txt", "app/STRASSE.txt"], "app/STRASSE.txt and app/straße.txt are"),
    ],
)
def test_names_that_are_the_same_on_windows(names: list[str], clash: str, part: Part, tmp_path: Path) -> None:
    archives, error = part("bundle_archives"), part("bundle_common").BuildError
    top = write(tmp_path / "top", dict.fromkeys(names, ""))
    if not clash:
        archives.check_names(top, archives.list_files(top))
        return
    with pytest.raises(error, match=f"^{clash} the same where case is ignored, as on Windows: rename one") as raised:
        archives.check_names(top, archives.list_files(top))
    assert "\n" not in str(raised.value)


def test_an_archive_that_is_known_is_not_packed_again(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = part("bundle_archives")
    top = write(tmp_path / "top", {"app/x": "x"})
    known = tmp_path / "known"
    archives.write_archive(tmp_path / "a.zip", top, archives.list_files(top), 0, known)
    monkeypatch.setattr(archives, "write_zip", None)
    again = tmp_path / "again" / "a.zip"
    again.parent.mkdir()
    archives.write_archive(again, top, archives.list_files(top), 0, known)
    assert again.read_bytes() == (tmp_path / "a.zip").read_bytes()
    with pytest.raises(TypeError):  # packed anew
        archives.write_archive(again, top, archives.list_files(top), 86400, known)


def test_the_runtime_id_is_about_names_contents_and_modes(part: Part, tmp_path: Path) -> None:
    number = part("bundle_archives").runtime_id
    one, two = (write(tmp_path / name, {"bin/python3": "x", "lib/a": "a"}) for name in ("one", "two"))
    assert number(one) == number(two)
    assert len(number(one)) == 64
    (two / "bin/python3").chmod(0o755)
    assert number(one) != number(two)
    (two / "bin/python3").chmod(0o644)
    (two / "lib/a").rename(two / "lib/b")
    assert number(one) != number(two)


# Windows ##############################################################################################################


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("from .names import *", None),
        ("from .newer import part", None),  # Python cannot be read by an older one: nobody can tell
        ("from .names import here, other", None),
        ("from .names import nowhere", "No module named 'one.names.nowhere'"),
        ("from .nowhere import *", "No module named 'one.nowhere'"),
        ("import nowhere", "No module named 'nowhere'"),
        ("def later():\n    import nowhere", None),
    ],
)
def test_imports_are_followed_without_a_windows(source: str, missing: str | None, part: Part, tmp_path: Path) -> None:
    files = {"one/__init__.py": source, "one/names/__init__.py": "here = 1", "one/names/other.py": ""}
    files["one/newer/__init__.py"] = "a statement of a later Python\n"
    write(tmp_path / "tree/python/Lib/site-packages", files)
    (tmp_path / "tree/app").mkdir()
    failures = part("windows_imports").Follower(tmp_path / "tree").failures(["one"])
    assert failures == ({"one": missing} if missing else {})


def test_the_app_under_wine_is_asked_without_a_proxy(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = part("bundle_windows")
    monkeypatch.setattr(windows, "STARTS_IN", 2)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    app = partial(SimpleHTTPRequestHandler, directory=write(tmp_path, {"health": '{"version": "1.0"}'}))
    with (
        HTTPServer(("127.0.0.1", 0), app) as server,
        (tmp_path / "log").open("w+b") as log,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert windows.wait_for(url, process, log) == {"version": "1.0"}
        finally:
            server.shutdown()
            process.kill()


# Messages, icon #######################################################################################################


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("warning: x\nerror: Failed to fetch: `h/p`\n  cause: dns error\n", "Failed to fetch: `h/p` dns error"),
        ("  × No solution:\n  ╰─▶ Because a==1 has no\n      wheels\n", "No solution: Because a==1 has no wheels"),
        ("one\ntwo\n\nthree\nfour\n", "two three four"),
        ("", ""),
    ],
)
def test_what_a_program_says_becomes_one_line(output: str, line: str, part: Part) -> None:
    assert part("bundle_common").explain(output) == line


def test_the_icon_for_linux_is_the_largest_image(part: Part) -> None:
    data = part("bundle_linux").icon()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == int.from_bytes(data[20:24], "big") == 256


@pytest.mark.parametrize("data", [b"", b"\0\0\1\0", b"\0\0\1\0\xff\xff", b"GIF89a", b"\0\0\1\0\1\0" + b"\xff" * 16])
def test_an_icon_that_is_none(data: bytes, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    linux = part("bundle_linux")
    (linux.SCRIPTS / "icon.ico").write_bytes(data)
    with pytest.raises(part("bundle_common").BuildError, match=r"scripts/icon\.ico"):
        linux.icon()
