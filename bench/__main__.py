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

Part = Callable[[Path, Path, argparse.Namespace], Table]
PARTS: dict[str, Part] = {
    "copies": lambda template, scratch, options: compare_copies(template, scratch, options.runs),
    "combinations": lambda template, scratch, options: compare_combinations(
        template, scratch, combinations(options.all)
    ),
    "images": lambda template, scratch, options: compare_builds(template, scratch, min(options.runs, 3)),
    "bundle-start": lambda template, scratch, options: bundles.compare_starts(template, scratch, options.runs),
    "bundle-again": lambda template, scratch, options: bundles.compare_builds(template, scratch, min(options.runs, 3)),
    "windows-dependencies": lambda template, scratch, options: compare_dependencies(
        template, scratch, min(options.runs, 3)
    ),
    "windows-installer": lambda template, scratch, _: compare_sizes(template, scratch),
    "updates": lambda template, scratch, options: compare_updates(template, scratch, options.runs),
    "release": lambda template, scratch, options: releases.measure_releases(template, scratch, min(options.runs, 3)),
    "release-calls": lambda template, scratch, _: releases.measure_calls(template, scratch),
    "release-memory": lambda template, scratch, _: releases.measure_memory(template, scratch),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"{', '.join(PARTS)} (default: all)",
    )
    parser.add_argument("--runs", type=int, default=9, help="runs of each program (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every combination of answers, not a sample: minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file, too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to a page, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if unknown := set(arguments.parts) - set(PARTS):
            parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        if arguments.runs < 1:
            parser.error("--runs must be 1 or more")
        if changed():
            print("bench: what is not committed is not measured.", file=sys.stderr)
        print(f"Measured {machine()}.")
        tables = []
        template = committed(REPOSITORY, scratch / "template")
        for part in arguments.parts or PARTS:
            try:
                tables.append(PARTS[part](template, scratch, arguments))
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
