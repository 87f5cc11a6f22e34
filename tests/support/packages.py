"""Debian packages that tests need, installed on demand where that is allowed."""

from __future__ import annotations

import os
import shutil

from tests.support.tools import MissingError, lock, run


def require_apt(*packages: str) -> None:
    """Install the packages that are missing: as root or through sudo; otherwise MissingError names them."""
    with lock("apt"):
        missing = [package for package in packages if not _is_installed(package)]
        if not missing:
            return
        prefix = _become_root()
        if prefix is None or shutil.which("apt-get") is None:
            raise MissingError(f"{' '.join(missing)} (names of Debian's packages)", missing)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = [*prefix, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600"]
        install = [*apt, "install", "--no-install-recommends", "-y", *missing]
        if run(install, env=environment, returncode=None).returncode != 0:  # lists that are missing or old
            run([*apt, "update"], env=environment)
            run(install, env=environment)


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:  # not Debian: nobody can tell
        return False
    query = run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], returncode=None)
    return query.stdout == "installed"


def _become_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], returncode=None).returncode == 0:
        return ["sudo", "-n"]
    return None
