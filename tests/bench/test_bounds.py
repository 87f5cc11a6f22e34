"""Is the template as quick as it is meant to be? `make bench` shows the numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench import bundles, images, releases
from bench.copying import IN_ALL, committed, compare_combinations, compare_copies
from bench.measure import Table, Times, amount_row, commit, row, size_row
from bench.updates import compare_updates
from bench.windows import compare_dependencies, compare_sizes
from tests.answers import pairwise, sampled_combinations, subsets
from tests.conftest import GIT_ENVIRONMENT, git

BARE_TAKES = 0.54  # seconds of the processor of the machine for which the bounds are (docs/explanation/design.md)


@pytest.fixture(scope="module")
def packed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return committed(template, tmp_path_factory.mktemp("packed") / "template")


@pytest.mark.slow
def test_a_copy_takes_a_second_at_most_and_is_worth_it(packed: Path, tmp_path: Path) -> None:
    for attempt in range(3):  # what else the machine does only ever adds
        folder = tmp_path / str(attempt)
        folder.mkdir()
        table = compare_copies(packed, folder, runs=5)
        copy, _, bare, *_, all_targets, _, _ = table.rows
        assert copy.cpu and bare.cpu
        # A second of a machine on which Copier without our template takes BARE_TAKES: both are slower where it is.
        in_time = copy.cpu <= IN_ALL * max(1, bare.cpu / BARE_TAKES)
        if in_time:
            break
    assert in_time, table.markdown()
    assert all_targets.ratio is not None
    assert all_targets.ratio <= 1, table.markdown()


@pytest.mark.slow
def test_every_combination_is_rendered_in_time(packed: Path, tmp_path: Path) -> None:
    table = compare_combinations(packed, tmp_path, [*subsets(), *pairwise(), *sampled_combinations(12)])
    assert all(row.kept is not False for row in table.rows), table.markdown()


LONG: dict[str, Callable[[Path, Path], Table]] = {
    "an image is built again at once": partial(images.compare_builds, runs=1),
    "a Linux bundle starts sooner than what PyInstaller makes": partial(bundles.compare_starts, runs=9),
    "a Linux bundle is built again at once": partial(bundles.compare_builds, runs=1),
    "dependencies for Windows come at once": partial(compare_dependencies, runs=1),
    "setup.exe is small": compare_sizes,
    "an update costs little": partial(compare_updates, runs=9),
    "a release is public soon": partial(releases.measure_releases, runs=1),
    "an upload asks little": releases.measure_calls,
    "an upload takes little memory": releases.measure_memory,
}


@pytest.mark.usefixtures("long")
@pytest.mark.slow
@pytest.mark.parametrize("what", LONG)
def test_what_takes_minutes_to_measure(what: str, packed: Path, tmp_path: Path) -> None:
    table = LONG[what](packed, tmp_path)
    kept = [row.kept for row in table.rows if row.kept is not None]
    assert kept and all(kept), table.markdown()


def test_a_commit_needs_no_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GIT_ENVIRONMENT.keys() - {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    (tmp_path / "settings").write_text("[user]\n\tuseConfigOnly = true\n")  # git guesses none from the machine's name
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "ignored").touch()
    commit(folder)
    assert git(folder, "ls-files").split() == [".gitignore"]
    commit(folder, force=True)
    assert git(folder, "ls-tree", "--name-only", "HEAD").split() == [".gitignore", "ignored"]


def test_a_table_with_an_amount() -> None:
    rows = [amount_row("requests", 3, "", 2), amount_row("memory", 12.34, " MB", 30)]
    assert Table("Title", rows).markdown() == (
        "### Title\n\n| | median | CPU | ratio | bound |\n|---|--:|--:|--:|---|\n"
        "| requests | 3 |  |  | ≤ 2 **missed** |\n| memory | 12.3 MB |  |  | ≤ 30 MB kept |"
    )


def test_a_table_of_sizes() -> None:
    rows = [size_row("ours", 15_000_000, others=20_000_000, bound=0.7), size_row("other", 20_000_000)]
    assert Table("Title", rows).markdown() == (
        "### Title\n\n| | size | ratio | bound |\n|---|--:|--:|---|\n"
        "| ours | 15.0 MB | 0.75x | ≤ 0.7x **missed** |\n| other | 20.0 MB |  |  |"
    )


def test_a_table_says_what_is_compared_and_what_is_missed() -> None:
    ours, other = Times([0.3, 0.2, 0.1], [0.02, 0.01, 0.03]), Times([2.0], [0.1])
    rows = [row("ours", ours, others=other, bound=0.05), row("other", other, bound=1)]
    assert Table("Title", rows, ["A note."]).markdown() == (
        "### Title\n\n| | median | CPU | ratio | bound |\n|---|--:|--:|--:|---|\n"
        "| ours | 0.20 s | 10.0 ms | 0.10x | ≤ 0.05x **missed** |\n"
        "| other | 2.00 s | 0.10 s |  | ≤ 1 s kept |\n\nA note."
    )
