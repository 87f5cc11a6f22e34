"""Draw all pictures of README and docs/ again: the questions, a session, the page in both themes, the installer.

Run it as `python -m scripts.every_picture`, on a machine that does nothing else, as root (for Wine). It takes minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = ("prompts_picture", "session_picture", "page_picture", "installer_picture")


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    failed = [
        name
        for name in SCRIPTS
        if subprocess.run([sys.executable, "-m", f"scripts.{name}"], check=False, cwd=REPOSITORY).returncode
    ]
    if failed:
        print(f"every_picture: not drawn: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
