"""Small Debian systems in a folder, made by debootstrap from the mirror that this machine uses."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.packages import require_apt
from tests.support.tools import run

SUITE = "trixie"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")  # of this machine, and of the systems made here


def bootstrap(root: Path, *packages: str) -> None:
    """Make a minimal Debian in `root`, with more packages, where apt can load more as it does on this machine."""
    require_apt("debootstrap")
    include = ",".join(["ca-certificates", *packages])
    run(["debootstrap", "--variant=minbase", f"--include={include}", SUITE, root, *_mirror()])
    # Where apt needs a proxy or other settings here, it needs them in there as well.
    settings = run(["apt-config", "dump", "Acquire"]).stdout
    (root / "etc/apt/apt.conf.d/90host").write_text(settings, encoding="utf-8")
    for name in ("/etc/resolv.conf", "/etc/hosts", str(CA_BUNDLE)):
        shutil.copy(name, root / name.lstrip("/"))


def clean(root: Path) -> None:
    """Remove what apt loaded and will not need again."""
    for leftover in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / leftover)
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)


def _mirror() -> list[str]:
    """Give the mirror of Debian that this machine uses; without one debootstrap has its own."""
    wanted = ["Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"]
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]).stdout.split()
    return found[:1]
