"""Draw docs/images/installer-*.png: pages of the Windows installer of a generated app, under Wine.

Run it as `python -m scripts.installer_picture`. A test walks through the installer and saves what it sees. It needs
root, for Wine in a Debian of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
IMAGES = REPOSITORY / "docs/images"
TEST = "tests/build/test_windows_instance.py::test_a_person_installs_it"
SHOWN = (
    "installer-components.png",
    "installer-finish.png",
)  # of the pages that the test saves, those of the documentation


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--quiet", TEST]
        result = subprocess.run(command, check=False, cwd=REPOSITORY, env={**os.environ, "SCREENSHOTS": name})
        if result.returncode:
            print("installer_picture: the test did not come through; the pictures stay as they are.", file=sys.stderr)
            return 1
        for picture in SHOWN:
            shutil.copy(Path(name, picture), IMAGES / picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
