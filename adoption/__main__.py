"""The command adopt-project, and the same as `python -m adoption`."""

import sys


def main() -> int:
    try:
        from adoption.cli import main as adopt
    except ModuleNotFoundError as error:
        print(f"adopt-project: {error.name} is not there: install gitea-py-template[adopt], with it.", file=sys.stderr)
        return 1
    return adopt()


if __name__ == "__main__":
    sys.exit(main())
