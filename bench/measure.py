"""Stopwatch, table and the machine: what every comparison needs."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Times:
    """Measurements of one thing, in seconds: by the clock and of the processor.

    Where a machine has nothing else to do, both are the same for what is done one after the other. Where it has, the
    clock tells about the rest of it; the least time of the processor is what hardly changes. What a daemon does has
    only the time of the clock.
    """

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, other: Times) -> None:
        self.clock += other.clock
        self.processor += other.processor

    def divided(self, count: int) -> Times:
        """Give the times per part of what was made."""
        return Times([each / count for each in self.clock], [each / count for each in self.processor])

    @property
    def median(self) -> float:
        return statistics.median(self.clock)

    @property
    def cpu(self) -> float | None:
        return min(self.processor, default=None)

    @property
    def compared(self) -> float:
        """The seconds that ratios and bounds are about."""
        return self.median if self.cpu is None else self.cpu


_HEAD = ("| | median | CPU | ratio | bound |", "|---|--:|--:|--:|---|")


@dataclass(frozen=True)
class Row:
    """A line of a table: seconds, how they compare with another line's, and whether a bound is kept."""

    what: str
    median: float
    cpu: float | None
    ratio: float | None
    bound: str
    kept: bool | None
    size: int | None = None  # in bytes: then the row is about that, not about seconds
    amount: str = ""  # with its unit: then the row is about that


@dataclass(frozen=True)
class Table:
    """The rows of one comparison, and what is to know about them."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        sizes = any(each.size is not None for each in self.rows)
        head = ["| | size | ratio | bound |", "|---|--:|--:|---|"] if sizes else list(_HEAD)
        lines = [f"### {self.title}", "", *head]
        for each in self.rows:
            ratio = "" if each.ratio is None else f"{each.ratio:.2f}x"
            kept = "" if each.kept is None else " kept" if each.kept else " **missed**"
            measured = f"{duration(each.median)} | {'' if each.cpu is None else duration(each.cpu)}"
            if each.amount:
                measured = f"{each.amount} | "
            if each.size is not None:
                measured = f"{each.size / 1e6:.1f} MB"
            lines.append(f"| {each.what} | {measured} | {ratio} | {each.bound}{kept} |")
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


def row(what: str, times: Times, *, others: Times | None = None, bound: float | None = None) -> Row:
    """Make a row: `bound` is for the ratio to `others`, or else for the seconds."""
    ratio = times.compared / others.compared if others else None
    if bound is None:
        return Row(what, times.median, times.cpu, ratio, "", None)
    bounded, unit = (times.compared, " s") if ratio is None else (ratio, "x")
    return Row(what, times.median, times.cpu, ratio, f"≤ {bound:g}{unit}", bounded <= bound)


def size_row(what: str, size: int, *, others: int | None = None, bound: float | None = None) -> Row:
    """Make a row about bytes; `bound` is for the ratio to `others`."""
    ratio = size / others if others else None
    kept = None if bound is None or ratio is None else ratio <= bound
    return Row(what, 0.0, None, ratio, "" if bound is None else f"≤ {bound:g}x", kept, size)


def amount_row(what: str, amount: float, unit: str, bound: float) -> Row:
    """Make a row about something else than seconds among rows that are about them; `bound` is for the amount."""
    return Row(what, 0.0, None, None, f"≤ {bound:g}{unit}", amount <= bound, amount=f"{amount:.3g}{unit}")


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def timed(work: Callable[[], object]) -> Times:
    """Time a function of this process, with all the commands that it runs."""
    clock, processor = time.perf_counter(), _processor()
    work()
    return Times([time.perf_counter() - clock], [_processor() - processor])


def _processor() -> float:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Times:
    """Run and time a command with all it starts; one that fails stops the comparison with what it wrote."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(words)} returned {process.returncode}:\n{text[-2000:]}")
    return Times([clock], [usage.ru_utime + usage.ru_stime])


def commit(folder: Path, *, force: bool = False) -> None:
    """Make a repository of a folder, on a machine whose git knows nobody as well; `force` adds ignored files, too."""
    settings = {"user.name": "Bench", "user.email": "bench@example.com", "commit.gpgsign": "false"}
    git = ["git", *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]
    run([*git, "init", "--quiet"], cwd=folder)
    run([*git, "add", "--all", *(["--force"] if force else [])], cwd=folder)
    run([*git, "commit", "--quiet", "--message", "Bench"], cwd=folder)


def files(folder: Path) -> int:
    """Count the files below a folder, without a repository's own."""
    return sum(path.is_file() and ".git" not in path.relative_to(folder).parts for path in folder.rglob("*"))


def machine() -> str:
    """Name the machine and the day, since times mean little without."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        processor = models[0].partition(": ")[2] if models else processor
    return (
        f"{datetime.now(UTC).date()}, {os.cpu_count()} x {processor}, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
