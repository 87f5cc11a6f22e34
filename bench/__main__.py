"""Measure the template, side by side with what one would pick instead, and print the results as Markdown."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench import bundles, releases
from bench.copying import committed, compare_combinations, compare_copies
from bench.images import compare_builds
from bench.measure import Table, machine
from bench.updates import compare_updates
from bench.windows import compare_dependencies, compare_sizes
from tests.answers import Answers, all_combinations, pairwise, sampled_combinations, subsets

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = """# Measured

`make bench BENCH_ARGS="--markdown docs/reference/performance.md"` writes this page. A ratio is to the row without one.
It is of the processor's seconds where they are known: the rest of the machine hardly changes them."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help="copies, combinations, images, bundle-start, bundle-again, windows-dependencies, windows-installer, "
        "updates, "
        "release, release-calls, release-memory (default: all)",
    )
    parser.add_argument("--runs", type=int, default=9, help="runs of each program (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every combination of answers, not a sample: minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file, too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to a page, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        parts: dict[str, Callable[[Path], Table]] = {
            "copies": lambda template: compare_copies(template, scratch, arguments.runs),
            "combinations": lambda template: compare_combinations(template, scratch, combinations(arguments.all)),
            "images": lambda template: compare_builds(template, scratch, min(arguments.runs, 3)),
            "bundle-start": lambda template: bundles.compare_starts(template, scratch, arguments.runs),
            "bundle-again": lambda template: bundles.compare_builds(template, scratch, min(arguments.runs, 3)),
            "windows-dependencies": lambda template: compare_dependencies(template, scratch, min(arguments.runs, 3)),
            "windows-installer": lambda template: compare_sizes(template, scratch),
            "updates": lambda template: compare_updates(template, scratch, arguments.runs),
            "release": lambda template: releases.measure_releases(template, scratch, min(arguments.runs, 3)),
            "release-calls": lambda template: releases.measure_calls(template, scratch),
            "release-memory": lambda template: releases.measure_memory(template, scratch),
        }
        if unknown := set(arguments.parts) - set(parts):
            parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        if arguments.runs < 1:
            parser.error("--runs must be 1 or more")
        if changed():
            print("bench: what is not committed is not measured.", file=sys.stderr)
        print(f"Measured {machine()}.")
        tables = []
        template = committed(REPOSITORY, scratch / "template")
        for part in arguments.parts or parts:
            try:
                tables.append(parts[part](template))
            except (AssertionError, OSError, RuntimeError) as error:
                print(f"bench: {part}: {error}", file=sys.stderr)
                return 1
            print(f"\n{tables[-1].markdown()}", flush=True)
    if arguments.markdown:
        page = [PAGE, f"Measured {machine()}.", *(table.markdown().replace("###", "##", 1) for table in tables)]
        arguments.markdown.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    if arguments.json:
        content = {"machine": machine(), "tables": [asdict(table) for table in tables]}
        arguments.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def combinations(whole: bool) -> list[Answers]:
    return list(all_combinations()) if whole else [*subsets(), *pairwise(), *sampled_combinations(12)]


def changed() -> str:
    command = ["git", "-C", str(REPOSITORY), "status", "--porcelain"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
