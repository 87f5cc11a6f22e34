"""The installed app as a service of systemd, and in the menu of a desktop, on a machine without Python."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.answers import AWKWARD, answers_for
from tests.conftest import Render
from tests.support.docker import Docker
from tests.support.installed import install
from tests.support.machine import Machine, machine
from tests.support.projects import Project, newcomer

pytestmark = pytest.mark.slow

NAME = AWKWARD["code"]["project_name"]
SLUG = AWKWARD["code"]["project_slug"]
UNIT = f"{SLUG}.service"
PARENT = """/opt/Größe, 100 % of $HOME 'q' "Q"`"""
ROOT = f"{PARENT}/app=1"
HOME = "/home/jo"
BUS = {"XDG_RUNTIME_DIR": "/run/user/1000"}
RESTART = '    app.add_api_route("/restart", lambda: app.state.instance.end(restart=True), methods=["POST"])\n'
# Runs in the machine: asks the app that instance.json names; given a version, until a process besides BESIDES has it.
ASK = """
import http.client, json, sys, time
from urllib.parse import urlsplit
file, method, path, version, besides = sys.argv[1:]
for attempt in range(300):
    try:
        running = json.load(open(file))
        connection = http.client.HTTPConnection(urlsplit(running["url"]).netloc, timeout=5)
        connection.request(method, path)
        answer = connection.getresponse().read().decode()
        if not version or json.loads(answer)["version"] == version and running["pid"] != int(besides):
            break
    except (OSError, ValueError):
        pass
    time.sleep(0.1)
else:
    sys.exit("the app does not answer with this version")
print(running["pid"])
"""


@pytest.fixture(scope="module")
def installation(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give an installed app, 1.0.0 with 1.1.0 beside it, that starts itself again when it is asked to."""
    folder = tmp_path_factory.mktemp("service")
    project = folder / "project"
    # The tests stand in for the app's updates, which would remove what they do not know.
    answers = answers_for(["desktop"], frontend=False, auto_update=False, package_name="sample", **AWKWARD["code"])
    shutil.copytree(render(answers), project)
    app = project / "src/sample/app.py"
    text = app.read_text(encoding="utf-8")
    app.write_text(text.replace("    page.add_page(app)\n", f"{RESTART}    page.add_page(app)\n"), encoding="utf-8")
    root = folder / "root"
    install(Project(project, newcomer(folder)), root, "1.1.0", "1.0.0")
    yield root
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def debian(docker: Docker, installation: Path) -> Iterator[Machine]:
    with machine(docker) as started:
        started.run("mkdir", PARENT)
        started.copy(installation, ROOT)
        started.run("cp", "-a", ROOT, f"{HOME}/app")
        started.run("chown", "-R", "jo:jo", f"{HOME}/app")
        started.run("systemctl", "start", "user@1000.service")
        yield started


@pytest.fixture(scope="module")
def bare(docker: Docker, installation: Path) -> Iterator[Machine]:
    """Give a machine without systemd."""
    with machine(docker, has_systemd=False) as started:
        started.copy(installation, "/opt/app")
        yield started


class Service:
    """The app at `root`, as a service of the system or of a user."""

    def __init__(self, machine: Machine, root: str, user: str = "root") -> None:
        self.machine = machine
        self.root = root
        self.user = user
        self.scope = [] if user == "root" else ["--user"]
        self.variables = {} if user == "root" else BUS

    def script(self, name: str, *arguments: str, returncode: int = 0) -> list[str]:
        """Run a script of the bundle; its lines, errors after the rest."""
        command = [f"{self.root}/{name}", *self.scope, *arguments]
        result = self.machine.run(*command, user=self.user, returncode=returncode, variables=self.variables)
        return (result.stdout + result.stderr).splitlines()

    def control(self, *arguments: str, returncode: int | None = 0) -> str:
        command = ["systemctl", *self.scope, "--no-pager", *arguments]
        return self.machine.run(
            *command, user=self.user, returncode=returncode, variables=self.variables
        ).stdout.strip()

    def show(self, name: str) -> str:
        return self.control("show", UNIT, "--property", name, "--value")

    def url(self) -> str:
        found: dict[str, str] = json.loads(self.machine.run("cat", f"{self.root}/data/instance.json").stdout)
        return found["url"]

    def ask(self, method: str, path: str, version: str = "", besides: int = 0) -> int:
        """Send a request to the app; gives its process."""
        python = f"{self.root}/versions/1.0.0/python/bin/python3"
        words = [f"{self.root}/data/instance.json", method, path, version, str(besides)]
        result = self.machine.run(python, "-c", ASK, *words, returncode=None)
        assert result.returncode == 0, result.stderr + self.log()
        return int(result.stdout)

    def serves(self, version: str = "1.0.0", besides: int = 0) -> int:
        """Wait until the app answers with this version, from another process than `besides`; gives the process."""
        return self.ask("GET", "/health", version, besides)

    def log(self) -> str:
        return self.machine.run("journalctl", "--no-pager", "--lines", "40").stdout

    def kill(self, pid: int) -> None:
        self.machine.run("kill", "-KILL", str(pid))

    def write(self, name: str, *lines: str) -> None:
        """Write a file into the installation, as the app itself does."""
        owner = self.machine.run("stat", "-c", "%U", self.root).stdout.strip()
        text = "".join(f"{line}\n" for line in lines)
        self.machine.run("sh", "-c", 'printf %s "$1" >"$2"', "sh", text, f"{self.root}/{name}", user=owner)

    def has(self, name: str) -> bool:
        return self.machine.run("test", "-e", f"{self.root}/{name}", returncode=None).returncode == 0


@pytest.fixture
def service(debian: Machine) -> Iterator[Service]:
    """Give the app, not yet a service."""
    service = Service(debian, ROOT)
    yield service
    service.script("uninstall-service.sh")
    service.write("current", "1.0.0")


@pytest.fixture
def own_service(debian: Machine) -> Iterator[Service]:
    """Give an app of the user jo, not yet a service."""
    service = Service(debian, f"{HOME}/app", "jo")
    yield service
    service.script("uninstall-service.sh")


def test_a_service_of_the_system(service: Service) -> None:
    made, runs = service.script("install-service.sh")
    assert made == f"Made the user app-{SLUG}."
    assert runs == f"{SLUG} runs as app-{SLUG}: {service.url()}"
    pid = service.serves()
    assert service.machine.run("ps", "-o", "user:40=", "-p", str(pid)).stdout.strip() == f"app-{SLUG}"
    assert (service.show("ActiveState"), service.show("UnitFileState")) == ("active", "enabled")
    assert service.has("data/settings.example.toml")
    assert not service.has("logs")  # its output is in the journal
    assert '"event": "ready"' in service.machine.run("journalctl", "--unit", UNIT, "--no-pager").stdout
    service.control("stop", UNIT)
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    assert not service.has("data/instance.json")


def test_it_is_well_locked_in(service: Service) -> None:
    service.script("install-service.sh")
    assert service.machine.run("systemd-analyze", "verify", f"/etc/systemd/system/{UNIT}").stderr == ""
    security = service.machine.run("systemd-analyze", "--no-pager", "security", UNIT).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", security)
    assert found, security
    assert found[2] in {"OK", "MEDIUM"}
    assert float(found[1]) < 4


def test_it_is_started_again_when_it_is_killed(service: Service) -> None:
    service.script("install-service.sh")
    pid = service.serves()
    service.kill(pid)
    second = service.serves(besides=pid)
    service.kill(int(service.show("MainPID")))
    service.serves(besides=second)
    assert service.show("NRestarts") == "2"


def test_it_starts_itself_again_and_updates(service: Service) -> None:
    service.script("install-service.sh")
    main = service.show("MainPID")
    pid = service.serves()
    service.ask("POST", "/restart")
    pid = service.serves(besides=pid)
    service.write("trial", "1.1.0", "1.0.0")
    service.write("current", "1.1.0")
    service.ask("POST", "/restart")
    pid = service.serves("1.1.0", besides=pid)
    wait_for(lambda: not service.has("trial"))
    service.write("trial", "1.0.0.r2", "1.1.0")  # a version that cannot start
    service.machine.run("mkdir", "-p", f"{ROOT}/versions/1.0.0.r2/python/bin")
    service.machine.run("ln", "-s", "/bin/false", f"{ROOT}/versions/1.0.0.r2/python/bin/python3")
    service.write("current", "1.0.0.r2")
    service.ask("POST", "/restart")
    service.serves("1.1.0", besides=pid)
    assert not service.has("trial")
    assert service.machine.run("cat", f"{ROOT}/current", f"{ROOT}/failed").stdout == "1.1.0\n1.0.0.r2\n"
    assert (service.show("MainPID"), service.show("NRestarts")) == (main, "0")


def test_it_can_be_installed_again_with_other_options(service: Service) -> None:
    service.script("install-service.sh")
    first = service.serves()
    (runs,) = service.script("install-service.sh", "--", "--port", "9123", "--host", "127.0.0.2")
    assert runs == f"{SLUG} runs as app-{SLUG}: http://127.0.0.2:9123"
    service.serves(besides=first)
    odd = """%n $HOME "x" \\ 'y' é"""
    service.script("install-service.sh", "--port", "0", "--data-dir", f"/srv/{odd}")
    assert service.has(f"../../../srv/{odd}/instance.json")


def test_it_runs_as_somebody(service: Service) -> None:
    service.script("install-service.sh", "--run-as", "jo")
    assert service.machine.run("ps", "-o", "user=", "-p", str(service.serves())).stdout.strip() == "jo"
    (again,) = service.script("install-service.sh")  # the folder is jo's now
    assert again.startswith(f"{SLUG} runs as jo: ")
    service.machine.run("chown", "-R", "root:root", ROOT)


def test_it_takes_over_from_an_app_that_runs(service: Service) -> None:
    service.machine.run("chown", "-R", "jo:jo", ROOT)
    by_hand = ["sh", "-c", '"$1/run.sh" >/dev/null 2>&1 &', "sh", ROOT]
    service.machine.run(*by_hand, user="jo")
    pid = service.serves()
    service.script("install-service.sh")
    assert service.serves(besides=pid)
    service.machine.run("chown", "-R", "root:root", ROOT)


def test_it_comes_back_with_the_computer(service: Service) -> None:
    service.script("install-service.sh")
    service.machine.restart()
    service.serves()
    service.machine.run("systemctl", "start", "user@1000.service")


def test_a_wrong_setting_stops_it(service: Service) -> None:
    lines = service.script("install-service.sh", "--port", "x", returncode=1)
    assert lines[-1] == f"install-service: {SLUG} does not start; its log: journalctl --unit {SLUG}"
    assert (service.show("NRestarts"), service.show("ExecMainStatus")) == ("0", "2")


def test_it_can_be_taken_away(service: Service) -> None:
    service.script("install-service.sh")
    service.serves()
    assert service.script("uninstall-service.sh") == [f"The service {SLUG} is gone; it ran as app-{SLUG}."]
    assert service.show("LoadState") == "not-found"
    assert not service.has("data/instance.json")
    assert service.has("data/settings.example.toml")
    assert service.script("uninstall-service.sh") == [f"There is no service {SLUG}."]


def test_a_service_of_a_user(own_service: Service) -> None:
    service = own_service
    runs, hint = service.script("install-service.sh")
    assert runs == f"{SLUG} runs as jo: {service.url()}"
    assert hint == "It runs while you are logged in. To have it always: loginctl enable-linger"
    pid = service.serves()
    main = service.show("MainPID")
    service.ask("POST", "/restart")
    pid = service.serves(besides=pid)
    assert service.show("MainPID") == main
    service.kill(pid)
    service.serves(besides=pid)
    assert service.show("NRestarts") == "1"
    service.control("stop", UNIT)
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    unit = f"{HOME}/.config/systemd/user/{UNIT}"
    assert service.machine.run("systemd-analyze", "--user", "verify", unit, user="jo", variables=BUS).stderr == ""
    assert service.script("uninstall-service.sh") == [f"The service {SLUG} is gone."]
    assert service.script("uninstall-service.sh") == [f"There is no service {SLUG} of yours."]


def test_in_the_menu_of_a_desktop(debian: Machine) -> None:
    root = f"{HOME}/{PARENT.rpartition('/')[2]} \\ `id` ;&|<>*?#()~ app=1"
    debian.run("cp", "-a", f"{HOME}/app", root)
    entries = [f"{HOME}/.local/share/applications/{SLUG}.desktop", f"{HOME}/.config/autostart/{SLUG}.desktop"]
    debian.run("sh", "-c", "printf '#!/bin/sh\\necho \"$1\" >~/opened' >~/browser; chmod +x ~/browser", user="jo")
    seen = {"HOME": HOME, "BROWSER": f"{HOME}/browser"}

    result = debian.run(f"{root}/install-desktop-entry.sh", "--autostart", user="jo")
    assert result.stdout.splitlines() == [f"Wrote {entry}" for entry in entries]
    for entry in entries:
        checked = debian.run("desktop-file-validate", entry, returncode=None)
        assert (checked.returncode, checked.stdout) == (0, "")
    assert debian.run("sed", "-n", "s/^Name=//p", entries[0]).stdout.strip() == NAME.replace("\\", "\\\\")

    app = Service(debian, root)
    debian.run("gio", "launch", entries[1], user="jo", variables=seen)
    pid = app.serves()
    assert debian.run("cat", f"{HOME}/opened", returncode=None).returncode != 0
    debian.run("gio", "launch", entries[0], user="jo", variables=seen)
    wait_for(lambda: debian.run("cat", f"{HOME}/opened", returncode=None).stdout.strip() == app.url())
    assert app.serves() == pid

    result = debian.run(f"{root}/uninstall-desktop-entry.sh", user="jo")
    assert result.stdout.splitlines() == [f"Removed {entry}" for entry in entries]
    assert debian.run(f"{root}/uninstall-desktop-entry.sh", user="jo").stdout == ""
    assert debian.run(f"{root}/run.sh", "--stop", user="jo").stdout == f"{NAME} has ended\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a service of the system needs root: run it with sudo, or make a service of yours with --user."),
        (["--user", "--run-as", "jo"], "a service of yours runs as you: --user or --run-as, not both."),
        (["--run-as"], "--run-as needs the name of a user."),
        (["--user"], "there is no systemd for this user here: log in as the user, not through su."),
        (["--user", "--", "a\nb"], "an option may not hold line ends."),
    ],
)
def test_what_stands_in_the_way(debian: Machine, arguments: list[str], message: str) -> None:
    result = debian.run(f"{HOME}/app/install-service.sh", *arguments, user="jo", returncode=1)
    assert (result.stdout, result.stderr) == ("", f"install-service: {message}\n")


def test_a_user_who_is_not_there_or_not_let_in(service: Service) -> None:
    assert service.script("install-service.sh", "--run-as", "nobody9", returncode=1) == [
        "install-service: there is no user nobody9."
    ]
    service.machine.run("cp", "-a", ROOT, "/root/app")
    (line,) = Service(service.machine, "/root/app").script("install-service.sh", "--run-as", "jo", returncode=1)
    assert line.startswith("install-service: the user jo cannot reach /root/app: move the folder")


def test_without_systemd(bare: Machine) -> None:
    result = bare.run("/opt/app/install-service.sh", returncode=1)
    assert result.stderr == "install-service: systemd does not run here; start /opt/app/run.sh by other means.\n"


def test_starts_on_a_machine_that_has_nothing(bare: Machine) -> None:
    assert bare.run("sh", "-c", "command -v python3", returncode=None).returncode != 0
    bare.run("sh", "-c", "/opt/app/run.sh --port 0 >/dev/null 2>&1 &")
    app = Service(bare, "/opt/app")
    app.serves()
    assert bare.run("/opt/app/run.sh", "--stop").stdout == f"{NAME} has ended\n"
    assert app.has(f"logs/{SLUG}.log")


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)
