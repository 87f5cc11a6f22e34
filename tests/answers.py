"""The one list of answer sets: what tests, bench and CI render."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

from allpairspy import AllPairs

Answers = dict[str, Any]

TARGETS = ("docker", "desktop", "library")
SUBSETS: tuple[tuple[str, ...], ...] = tuple(
    subset for size in range(1, len(TARGETS) + 1) for subset in itertools.combinations(TARGETS, size)
)
PYTHON_VERSIONS = ("3.11", "3.12", "3.13", "3.14")

# Every question with a closed set of answers, in the order of copier.yml, and the targets that make Copier ask it.
CHOICES: dict[str, tuple[Any, ...]] = {
    "license": ("MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0-or-later", "Proprietary"),
    "python_version": PYTHON_VERSIONS,
    "source_dir": (".", "server"),
    "frontend": (False, True),
    "tkinter": (False, True),
    "auto_update": (False, True),
    "release_gate": ("automatic", "manual"),
    "index": ("gitea", "pypi", "both"),
}
ASKED_FOR: dict[str, set[str]] = {
    "port": {"docker", "desktop"},
    "frontend": {"docker", "desktop"},
    "tkinter": {"desktop"},
    "auto_update": {"docker", "desktop"},
    "index": {"library"},
}

# What breaks careless templates: quotes, code of each language in the project, other scripts, first and last in a sort.
AWKWARD: dict[str, Answers] = {
    "code": {
        "project_name": """$(touch pwned) `id` {{ 7*7 }} {% x %} "q" 'a' \\n <b>""",
        "description": """"; touch pwned; #${HOME} %PATH% !define $INSTDIR ''' \"\"\" {= 7*7 =} \\""",
        "author_name": """O'Neil "Bob" \\ & Sons, <ltd> #1 ${{ secrets.X }}""",
        "project_slug": "awkward-app",
    },
    "unicode": {"project_name": "Größe – Ελλάδα 🚀", "description": "日本語 🚀 ünïcödé", "author_name": "Zoë Ñandú 🙂"},
    "digits": {"project_name": "3D Printer 2"},
    "keyword": {"project_name": "Class"},
    "stdlib": {"project_name": "Email"},
    "dependency": {"project_name": "FastAPI"},
    "first": {"project_name": "A", "author_email": "a@b"},
    "last": {"project_name": "zz-" + "z" * 47, "repo_owner": "Upper.Case_Owner", "repo_name": "UPPER"},
    "server": {
        "gitea_url": "http://127.0.0.1:3000/sub-path",
        "default_branch": "release/1.x",
        "source_dir": "backend_2",
    },
}


def subset_id(targets: tuple[str, ...] | list[str]) -> str:
    return "-".join(targets)


def answers_for(targets: tuple[str, ...] | list[str], **others: Any) -> Answers:
    return {"project_name": f"Sample {subset_id(targets)}", "targets": list(targets), **others}


def is_asked(question: str, targets: tuple[str, ...] | list[str]) -> bool:
    return bool(ASKED_FOR.get(question, set(TARGETS)) & set(targets))


def answers_id(answers: Mapping[str, Any]) -> str:
    """Give a short, stable test id: the subset and each answer that was chosen, e.g. `docker-library,3.12,server`."""
    chosen = [str(answers[question]) for question in CHOICES if question in answers]
    return ",".join([subset_id(answers["targets"]), *chosen])


def subsets() -> Iterator[Answers]:
    """The seven subsets of the targets, everything else as it comes."""
    for targets in SUBSETS:
        yield answers_for(targets)


def pairwise() -> Iterator[Answers]:
    """Every pair of answers to two questions at least once, in some two dozen sets."""
    rows = AllPairs([SUBSETS, *CHOICES.values()])
    for targets, *others in rows:
        chosen = {q: answer for q, answer in zip(CHOICES, others, strict=True) if is_asked(q, targets)}
        yield answers_for(targets, **chosen)


def all_combinations() -> Iterator[Answers]:
    """Every set of answers that changes which files and lines are there; the licence turns with the count."""
    licenses = itertools.cycle(CHOICES["license"])
    for targets in SUBSETS:
        questions = [q for q in CHOICES if q != "license" and is_asked(q, targets)]
        for row in itertools.product(*(CHOICES[q] for q in questions)):
            yield answers_for(targets, license=next(licenses), **dict(zip(questions, row, strict=True)))


def sampled_combinations(count: int = 8, seed: int = 20261121) -> list[Answers]:
    """`count` of all combinations, the same ones each time."""
    return random.Random(seed).sample(list(all_combinations()), count)  # noqa: S311
