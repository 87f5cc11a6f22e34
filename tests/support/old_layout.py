r"""Installations as they were before `versions/`: one version in app/, with python/ or venv/, beside data/.

What they hold is a stand-in; folders, launchers, shortcuts and entries are those that guides for such installers have.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PureWindowsPath

from tests.support import windows_pythons
from tests.support.packages import require_apt
from tests.support.tools import run
from tests.support.windows_app import NEEDED

NAME = "Old Tiny"  # which neither the new app's name nor its slug is
PACKAGE = "tiny"
PROGRAMS = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall"
KEY = rf"{PROGRAMS}\OldTiny"
HOME = PureWindowsPath(r"C:\users\root")
ROOT = HOME / r"AppData\Local" / NAME
MENU = HOME / r"AppData\Roaming\Microsoft\Windows\Start Menu\Programs"
SHORTCUTS = (MENU / NAME / f"{NAME}.lnk", MENU / NAME / "Uninstall.lnk", MENU / f"StartUp/{NAME}.lnk")
PATHS = "python313.zip\n.\nimport site\nLib\\site-packages\n../app/src\n"
# What is the user's. The settings were beside data/, too.
DATA = {
    "data/app.db": bytes(range(256)) * 300,
    "data/Fotos für Jö/ein Bild.jpg": b"\xff\xd8\xff",
    "data/leer": b"",
    "config.yaml": b"theme: dark\n",
}

# Answers until it is told to update itself: then it starts the installer and ends, as the guides' apps do.
APP = r'''
import http.server, json, os, subprocess, sys, threading, time
from pathlib import Path

data = Path("data")
data.mkdir(exist_ok=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        """It has no console under Wine, and would fail."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"old")

    def do_POST(self):
        self.send_response(204)
        self.end_headers()
        if self.path != "/stop":
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            setup = self.path[1:]
            subprocess.Popen([f"C:\\{setup}", "/S", f"/D={os.getcwd()}"], creationflags=flags)
        threading.Timer(2, server.shutdown).start()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Path("logs").mkdir(exist_ok=True)
Path("logs/address").write_text(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
'''
LAUNCHER = r"""
Set files = CreateObject("Scripting.FileSystemObject")
Set shell = CreateObject("WScript.Shell")
root = files.GetParentFolderName(files.GetParentFolderName(WScript.ScriptFullName))
shell.CurrentDirectory = root
shell.Run Chr(34) & root & "\python\python.exe" & Chr(34) & " -m PACKAGE.main", 0, False
"""
LINUX_LAUNCHER = """\
#!/usr/bin/env bash
set -euo pipefail
SCRIPT_DIR="$(cd "$(dirname "$0")" && pwd)"
export PYTHONPATH="$SCRIPT_DIR/app/src"
source "$SCRIPT_DIR/venv/bin/activate"
exec python -m SLUG.main
"""
INSTALLER = r"""
Unicode true
Target amd64-unicode
SetCompress off
RequestExecutionLevel user
Name "${NAME}"
OutFile "old-setup.exe"
InstallDir "$LOCALAPPDATA\${NAME}"
!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\OldTiny"
!macro Shortcut FILE
  CreateShortcut "${FILE}" "wscript.exe" '"$INSTDIR\scripts\start-hidden.vbs"'
!macroend
Section
  SetOutPath "$INSTDIR"
  File /r "tree/*.*"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateDirectory "$SMPROGRAMS\${NAME}"
  !insertmacro Shortcut "$SMPROGRAMS\${NAME}\${NAME}.lnk"
  CreateShortcut "$SMPROGRAMS\${NAME}\Uninstall.lnk" "$INSTDIR\uninstall.exe"
  !insertmacro Shortcut "$SMSTARTUP\${NAME}.lnk"
  WriteRegStr HKCU "${KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "0.9.0"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
SectionEnd
Section Uninstall
SectionEnd
"""


def windows_tree(folder: Path, package: str = PACKAGE) -> None:
    """Make the folder of an unpacked zip for Windows."""
    for name in ("python/Lib/site-packages/dependency", f"app/src/{package}", "scripts"):
        (folder / name).mkdir(parents=True)
    with zipfile.ZipFile(windows_pythons.embeddable_zip()) as archive:
        for name in NEEDED:
            archive.extract(name, folder / "python")
    (folder / "python/python313._pth").write_text(PATHS, encoding="ascii")
    (folder / "python/Lib/site-packages/dependency/__init__.py").write_text("", encoding="ascii")
    (folder / f"app/src/{package}/__init__.py").write_text("", encoding="ascii")
    (folder / f"app/src/{package}/main.py").write_text(APP, encoding="ascii")
    launcher = LAUNCHER.replace("PACKAGE", package).replace("\n", "\r\n")
    (folder / "scripts/start-hidden.vbs").write_text(launcher, encoding="ascii", newline="")
    (folder / "VERSION").write_text("0.9.0\n", encoding="ascii")
    (folder / "config.example.yaml").write_text("theme: light\n", encoding="ascii")


def make_setup(folder: Path) -> Path:
    """Make the installer for Windows."""
    require_apt("nsis")
    windows_tree(folder / "tree")
    (folder / "installer.nsi").write_text(f'!define NAME "{NAME}"\n{INSTALLER}', encoding="ascii")
    run(["makensis", "-WX", "-V1", "installer.nsi"], cwd=folder)
    return folder / "old-setup.exe"


def linux_tree(folder: Path, slug: str) -> None:
    """Make the folder of an unpacked archive for Linux; what would be the interpreter says that it runs, and waits."""
    files = {
        f"app/src/{slug}/__init__.py": "",
        f"app/src/{slug}/main.py": "",
        "venv/bin/activate": 'VIRTUAL_ENV="$SCRIPT_DIR/venv"\nPATH="$VIRTUAL_ENV/bin:$PATH"\n',
        "venv/bin/python": '#!/bin/sh\necho "$PYTHONPATH" >>data/started\nexec sleep 1000\n',
        "run.sh": LINUX_LAUNCHER.replace("SLUG", slug),
        "install-service.sh": "#!/bin/sh\n",
        "uninstall-service.sh": "#!/bin/sh\n",
        "VERSION": "0.9.0\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        if text.startswith("#!"):
            path.chmod(0o755)


def linux_service(folder: str) -> str:
    """Give the unit of a service, as the old installation made it."""
    runs = f"Type=simple\nWorkingDirectory={folder}\nExecStart={folder}/run.sh\nRestart=on-failure\nRestartSec=5\n"
    return f"[Unit]\nDescription=The old app\n[Service]\n{runs}[Install]\nWantedBy=multi-user.target\n"


def write_data(folder: Path) -> None:
    """Put in what the user has."""
    for name, content in DATA.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    os.utime(folder / "data/app.db", (1_000_000_000, 1_000_000_000))


def data_of(folder: Path) -> dict[str, bytes]:
    """Give what is left of that."""
    return {name: (folder / name).read_bytes() for name in DATA if (folder / name).is_file()}
