#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["pyyaml>=6"]
# ///
"""Find what Gitea ignores, breaks on or reads otherwise than GitHub in Actions workflows."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Version = tuple[int, int]

# --------------------------------------------------------------------------------------------------------------------
# The rules


@dataclass(frozen=True)
class Rule:
    """What is wrong, why, and what to do instead; `since` and `until` are the first and last Gitea concerned."""

    id: str
    severity: str
    title: str
    reason: str
    instead: str
    since: Version | None = None
    until: Version | None = None

    @property
    def versions(self) -> str:
        """The Gitea versions concerned, in words."""
        if self.since and self.until:
            return f"{_dotted(self.since)} to {_dotted(self.until)}"
        if self.until:
            return f"up to {_dotted(self.until)}"
        return f"{_dotted(self.since)} and later" if self.since else "all"


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


GROUPS = {
    "GW0": "The file itself",
    "GW1": "Keys",
    "GW2": "Events",
    "GW3": "Runners",
    "GW4": "Actions",
    "GW5": "Contexts, variables and secrets",
    "GW6": "Commands",
    "GW7": "Conditions",
}

RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "GW001",
            "error",
            "the file is no workflow",
            "Gitea skips a file that it cannot parse: nothing runs, and nobody is told.",
            "make it one YAML document in UTF-8, a mapping with `on` and `jobs`",
        ),
        Rule(
            "GW002",
            "error",
            "key is there twice",
            "Gitea refuses the file, or takes one of the two without a word.",
            "keep one of them",
        ),
        Rule(
            "GW003",
            "warning",
            "opt-out names a rule that does not exist",
            "The comment does nothing, and what it was to silence may come back unseen.",
            "correct the id or delete it",
        ),
        Rule(
            "GW101",
            "error",
            "`environment` is ignored",
            "Gitea has no deployment environments: no approval is asked for, no branch rule is checked, and secrets of "
            "an environment do not exist. The job simply runs.",
            "start such a job by hand (`workflow_dispatch`), or let a person publish a draft release",
        ),
        Rule(
            "GW102",
            "warning",
            "`concurrency` is ignored",
            "Two runs go on at the same time, and a newer one does not cancel an older one.",
            "make the job safe to run twice at once",
            until=(1, 25),
        ),
        Rule(
            "GW103",
            "warning",
            "`permissions` are not limited",
            "Gitea enforces `permissions` since 1.26; without it (or with `write-all`) the job's token may write to "
            "the repository. Older versions ignore the key, so it costs nothing there.",
            "state the least that is needed, such as `permissions: {contents: read}`",
            since=(1, 26),
        ),
        Rule(
            "GW104",
            "warning",
            "`timeout-minutes` of a job is ignored",
            "A job that hangs blocks its runner until the runner's own limit (three hours by default).",
            "set `timeout-minutes` on the steps, or use `timeout` in the command",
            until=(1, 26),
        ),
        Rule(
            "GW105",
            "warning",
            "`continue-on-error` of a job is ignored",
            "The job's failure makes the whole run fail.",
            "set `continue-on-error` on the steps",
            until=(1, 26),
        ),
        Rule(
            "GW106",
            "warning",
            "`run-name` is ignored",
            "The list of runs shows the commit's message instead.",
            "do not rely on it",
            until=(1, 24),
        ),
        Rule(
            "GW107",
            "warning",
            "`max-parallel` is ignored",
            "Every job of the matrix is offered to the runners at once.",
            "limit the capacity of the runner, or order the jobs with `needs`",
            until=(1, 27),
        ),
        Rule(
            "GW108",
            "error",
            "matrix depends on another job's outputs",
            "The server lays out the matrix before any job has run, so the outputs are empty: one job or none.",
            "list the values in the file, or loop inside one job",
            until=(1, 27),
        ),
        Rule(
            "GW109",
            "warning",
            "`id-token` is not a permission here",
            "Gitea issues no OpenID tokens to jobs: keyless signing, trusted publishing and cloud logins fail.",
            "use a secret",
        ),
        Rule(
            "GW201",
            "error",
            "reusable workflow",
            "`workflow_call` changed incompatibly in Gitea 1.27: a file that runs before it may fail after it.",
            "share the logic as a script or a composite action",
        ),
        Rule(
            "GW202",
            "error",
            "event in flow style has an empty value",
            "Official runners crash on `on: {workflow_dispatch: }` while they read the job.",
            "write it in block style (`on:`, next line `workflow_dispatch:`)",
        ),
        Rule(
            "GW203",
            "warning",
            "release event without `edited`",
            "When a draft on a tag that exists is published, Gitea sends `edited`, not `published`.",
            "listen to both, ask whether the release is still a draft, and make the job safe to run again",
        ),
        Rule(
            "GW204",
            "warning",
            "Gitea never sends this event",
            "The workflow waits for something that does not happen.",
            "use an event of Gitea's, or `workflow_dispatch`",
        ),
        Rule(
            "GW301",
            "warning",
            "only GitHub has runners with this label by itself",
            "A Gitea runner has the labels it was registered with (`ubuntu-latest` by default). A job that no runner "
            "matches waits and is then cancelled.",
            "use a label of your runners, or declare it with --labels",
        ),
        Rule(
            "GW302",
            "error",
            "`runs-on` is a mapping",
            "Gitea knows only `runs-on: label` and `runs-on: [label, label]`; runner groups do not exist.",
            "name the labels",
        ),
        Rule(
            "GW401",
            "error",
            "artifact action refuses servers other than github.com",
            "Since v4 these actions stop with GHESNotSupportedError; only Gitea runners from 3.0.0 on work around it.",
            "use v3, or a fork made for Gitea",
        ),
        Rule(
            "GW402",
            "warning",
            "artifacts are written and read by different major versions",
            "Up to v3 and from v4 on they are two separate stores: the download finds nothing.",
            "use the same major version for both",
        ),
        Rule(
            "GW403",
            "warning",
            "action needs a service of github.com",
            "It talks to an interface that Gitea does not have (attestations, pages, code scanning, release uploads).",
            "call Gitea's own API from a script",
        ),
        Rule(
            "GW501",
            "error",
            "no such variable",
            "Jobs have GITHUB_… variables; of GITEA_… there is hardly more than GITEA_ACTIONS. The value is empty.",
            "use the variable of the same name that begins with GITHUB_",
        ),
        Rule(
            "GW502",
            "warning",
            "context property is empty",
            "GitHub fills it, Gitea's runners do not know it.",
            "use another property, or ask the API",
        ),
        Rule(
            "GW503",
            "error",
            "no secret or variable can have this name",
            "Names are letters, digits and `_`, do not begin with a digit, GITEA_ or GITHUB_, and are not CI. "
            "Only the automatic GITEA_TOKEN and GITHUB_TOKEN exist.",
            "choose a name such as DEPLOY_TOKEN",
        ),
        Rule(
            "GW504",
            "error",
            "the automatic token cannot push packages",
            "GITEA_TOKEN and GITHUB_TOKEN may not write to the container, PyPI, npm or generic registry.",
            "use a personal token with the scope write:package, kept as a secret",
            until=(1, 27),
        ),
        Rule(
            "GW505",
            "warning",
            "the token is not in the environment",
            "Runners do not set it; without `env` the variable is empty.",
            "set it in the step's `env` from `secrets.GITEA_TOKEN`",
        ),
        Rule(
            "GW506",
            "warning",
            "the value differs between runners",
            "On GitHub and in containers it is Linux and X64, on host runners linux and amd64.",
            "use `uname`, or compare without regard to case and with both spellings",
        ),
        Rule(
            "GW507",
            "warning",
            "job summaries are not shown",
            "The file can be written, but no page displays it.",
            "print to the log",
        ),
        Rule(
            "GW601",
            "error",
            "expression becomes program text",
            "The value is pasted into the script before the shell reads it: a branch called `x$(command)` runs the "
            "command, a quote breaks the script, a secret is seen in the list of processes.",
            "hand it over in `env` and use the variable, in double quotes",
        ),
        Rule(
            "GW602",
            "warning",
            "expression inside a script",
            "This value is harmless, but shell checkers cannot read such a script and people copy the habit.",
            "hand it over in `env` and use the variable",
        ),
        Rule(
            "GW603",
            "warning",
            "ref name is used as a version",
            "On a branch or a manual run it is the branch's name, on a pull request something like `12/merge`.",
            "use it only where GITHUB_REF_TYPE is `tag`",
        ),
        Rule(
            "GW604",
            "warning",
            "no shell is chosen",
            "In a job with `container` the steps run under `sh -e`, elsewhere under bash: arrays, `[[` and pipefail "
            "come and go.",
            "set `defaults: {run: {shell: bash}}`",
        ),
        Rule(
            "GW605",
            "error",
            "backslash before `$`",
            "YAML passes the backslash on, so the shell uses the text `$NAME` and not the value.",
            "delete the backslash",
        ),
        Rule(
            "GW606",
            "error",
            "pushes every tag on the machine",
            "Jobs share the docker daemon of their host: the tags of other runs and projects go along.",
            "push the tags by name",
        ),
        Rule(
            "GW701",
            "warning",
            "step does not run after a cancel",
            "Gitea's engine stops at a cancel or a job's time-out: no further step starts, whatever its condition.",
            "write `success() || failure()` and clean up where the next run begins",
        ),
        Rule(
            "GW702",
            "warning",
            "condition of a job uses a function other than `always()`",
            "Gitea documents only `always()` there; status functions depend on the version, and no file is checked out "
            "that `hashFiles` could read.",
            "use `always()` and look at `needs.<job>.result`",
        ),
        Rule(
            "GW703",
            "warning",
            "boolean input is compared in one way only",
            "Older runners pass the strings 'true' and 'false' (and 'false' counts as true), newer ones booleans.",
            "write `inputs.x == true || inputs.x == 'true'`",
        ),
    )
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENTS = _names(
    "create delete fork gollum issue_comment issues pull_request pull_request_comment pull_request_review "
    "pull_request_review_comment pull_request_target push registry_package release schedule workflow_call "
    "workflow_dispatch workflow_run"
)
ACTIVITIES_NOT_SENT = {
    "issues": _names("deleted transferred pinned unpinned locked unlocked"),
    "pull_request": _names(
        "converted_to_draft ready_for_review locked unlocked auto_merge_enabled auto_merge_disabled enqueued dequeued"
    ),
    "pull_request_review": _names("dismissed"),
    "pull_request_review_comment": _names("deleted"),
    "registry_package": _names("updated"),
    "release": _names("unpublished created deleted prereleased released"),
}
ACTIVITIES_NOT_SENT["pull_request_target"] = ACTIVITIES_NOT_SENT["pull_request"]

GITHUB_LABEL = re.compile(
    r"(?:windows|macos)-\S+|ubuntu-slim|ubuntu-\d\d\.\d\d-arm|\S+-(?:large|xlarge|\d+-cores)|self-hosted"
)

ACTION = re.compile(r"(?:https?://github\.com/)?(?P<name>[^/\s@]+/[^/\s@]+)(?:/[^\s@]*)?@(?P<ref>\S+)")
ARTIFACT_ACTION = re.compile(r"(?:.*/)?(?:gitea-)?(?P<verb>upload|download)-artifact")
FIRST_NUMBER = re.compile(r"v?(\d+)(?:\.|$)")
GITHUB_ONLY_ACTIONS = _names(
    "actions/attest actions/attest-build-provenance actions/attest-sbom actions/configure-pages actions/create-release "
    "actions/delete-package-versions actions/dependency-review-action actions/deploy-pages "
    "actions/upload-pages-artifact actions/upload-release-asset ncipollo/release-action "
    "softprops/action-gh-release"
)

CONTEXT_PROPERTIES = _names(
    "action action_path action_ref action_repository actor api_url base_ref event event_name event_path graphql_url "
    "head_ref job job_name ref ref_name ref_type repository repository_owner retention_days run_attempt run_id "
    "run_number runner_perflog runner_tracking_id server_url sha token workflow workspace"
)
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STRING_LITERAL = re.compile(r"'(?:[^']|'')*'")
CONTEXT_PROPERTY = re.compile(r"(?<![\w.-])(?:github|gitea)\.(\w+)")  # not the name of a step: steps.github.outputs
SETTING = re.compile(r"\b(secrets|vars)(?:\.([\w-]+)|\['([^']*)'\])")
AUTOMATIC_TOKEN = re.compile(r"\b(?:secrets\.(?:GITEA|GITHUB)_TOKEN|(?:gitea|github)\.token)\b", re.IGNORECASE)
# Values that someone else can choose, or that must not be seen.
FOREIGN_VALUE = re.compile(
    r"\b(?:inputs|secrets|vars|env|steps|needs)\b|\b(?:github|gitea)(?:\s*\[|\.(?:ref|ref_name|head_ref|base_ref|event|"
    r"actor|token|workflow)\b)"
)
STATUS_FUNCTION = re.compile(r"\b(success|failure|cancelled|hashFiles)\s*\(")

MISSING_VARIABLE = re.compile(
    r"(?:\$\{?|\$env:|\benv\.)GITEA_(ACTION|ACTION_PATH|ACTION_REF|ACTION_REPOSITORY|ACTOR|API_URL|BASE_REF|EVENT_NAME|"
    r"EVENT_PATH|HEAD_REF|JOB|REF|REF_NAME|REF_TYPE|REPOSITORY|REPOSITORY_OWNER|RUN_ATTEMPT|RUN_ID|RUN_NUMBER|"
    r"SERVER_URL|SHA|WORKFLOW|WORKSPACE)\b"
)
TOKEN_VARIABLE = re.compile(r"\$(?:\{(GIT(?:HUB|EA)_TOKEN)\}|(?:env:)?(GIT(?:HUB|EA)_TOKEN)\b)")
RUNNER_VALUE = re.compile(
    r"\bRUNNER_(?:OS|ARCH)\}?\"?\s*(?:==?|!=|-eq|-ne|-c?eq)\s*[\"']?(?:Linux|X64|X86|ARM64|ARM)\b"
    r"|\bcase\s+\"?\$\{?RUNNER_(?:OS|ARCH)\b"
)
RUNNER_ARCH_EXPRESSION = re.compile(r"\brunner\.arch\s*[!=]=\s*'", re.IGNORECASE)
SUMMARY = re.compile(r"\bGIT(?:HUB|EA)_STEP_SUMMARY\b")
PUBLISH = re.compile(
    r"\b(?:(?:docker|podman|buildah|nerdctl)\s+(?:login|push|image\s+push)|skopeo\s+(?:login|copy)|helm\s+(?:push|"
    r"registry\s+login)|twine\s+upload|(?:uv|poetry|npm|pnpm|yarn|cargo)\s+publish)\b|/api/packages/"
)
PUBLISH_VARIABLES = frozenset({"TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"})
POSIX_SHELL = re.compile(r"(?:\S*/)?(?:ba|da)?sh\b")
PUSH_ALL = re.compile(r"\bdocker\s+(?:image\s+)?push\b[^|;&]*\s(?:--all-tags|-a)\b")
ESCAPED_VARIABLE = re.compile(r"(?<!\\)\\\$(?:\{?[A-Z_][A-Z0-9_]*\}?|\()")
# Programs that want the dollar themselves, or hand the text to another shell.
TAKES_DOLLAR = re.compile(r"\b(?:(?:ba|da|z|k)?sh\s+-\w*c|ssh|eval|trap|su|awk|sed|perl|[ef]?grep|docker\s+exec)\b")
HERE_DOCUMENT = re.compile(r"<<-?\s*[\"'\\]?(\w+)")
REF_ASSIGNMENT = re.compile(r"\b(\w+)=[\"']?v?\$\{?GITHUB_REF(?:_NAME)?\b")
REF_ARGUMENT = re.compile(r"(?:--?(?:version|tag)[= ][\"']?|[\w}/]:)v?\$\{?GITHUB_REF_NAME\b")
REF_NAME_EXPRESSION = re.compile(r"\b(?:github|gitea)\.ref_name\b")
VERSION_NAME = re.compile(r"version|(?:^|[_-])tags?(?:$|[_-])", re.IGNORECASE)
TAG_CHECK = re.compile(r"ref_type\b|(?<!#)\brefs/tags/", re.IGNORECASE)

# Other linters' ids may stand among ours, and a reason behind them.
IDS = r"([A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)"
NOQA = re.compile(rf"#\s*noqa\b(:)?\s*{IDS}?", re.IGNORECASE)
IGNORE_IN_FILE = re.compile(rf"^\s*#\s*gitea-workflows:\s*ignore\s+{IDS}", re.IGNORECASE)

# --------------------------------------------------------------------------------------------------------------------
# A workflow with line numbers


@dataclass(frozen=True)
class Hit:
    """A place where a rule is broken; `subject` says what stands there."""

    rule: str
    line: int
    subject: str


@dataclass(frozen=True)
class Text:
    """The text of a scalar as it stands in the file, so that offsets lead to lines."""

    line: int
    content: str
    flat: bool = False

    def line_at(self, offset: int) -> int:
        """Return the file's line of a place in the text."""
        return self.line if self.flat else self.line + self.content.count("\n", 0, offset)

    def search(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Yield every match with its line."""
        for match in pattern.finditer(self.content):
            yield self.line_at(match.start()), match

    def commands(self) -> Iterator["Text"]:
        """Yield the shell's commands, each with its continuation lines, without comments and here-documents."""
        command: list[str] = []
        start, offset, delimiter = self.line, 0, ""
        for line in self.content.split("\n"):
            number, offset = self.line_at(offset), offset + len(line) + 1
            if delimiter:
                delimiter = "" if line.strip() == delimiter else delimiter
                continue
            if not command and (not line.strip() or line.lstrip().startswith("#")):
                continue
            start = start if command else number
            stripped = line.rstrip()
            command.append(stripped.removesuffix("\\"))
            if stripped.endswith(("\\", "|", "&&")):
                continue
            yield Text(start, "\n".join(command), self.flat)
            here = HERE_DOCUMENT.search(line)
            command, delimiter = [], here[1] if here else ""
        if command:
            yield Text(start, "\n".join(command), self.flat)


@dataclass(frozen=True)
class Expression:
    """The inside of an expression; `code` has no string literals; `condition` is "job" or "step" for an `if`."""

    line: int
    text: str
    condition: str = ""
    in_script: bool = False

    @property
    def code(self) -> str:
        """The expression with empty string literals."""
        return STRING_LITERAL.sub("''", self.text)


@dataclass(frozen=True)
class Step:
    """One step of a job."""

    node: Node
    job: "Job"

    @property
    def script(self) -> ScalarNode | None:
        """The value of `run`."""
        return scalar(self.node, "run")


@dataclass(frozen=True)
class Job:
    """One job and its place."""

    name: str
    key: Node
    node: Node

    @property
    def steps(self) -> list[Step]:
        """All steps of the job."""
        steps = get(self.node, "steps")
        return [Step(node, self) for node in steps.value] if isinstance(steps, SequenceNode) else []


class NotAWorkflowError(Exception):
    """The file is broken at `line`."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class Workflow:
    """A parsed workflow file."""

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            root = yaml.compose(source, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join((error.problem or error.context or "not YAML").split())
            raise NotAWorkflowError(mark.line + 1 if mark else 1, problem) from error
        except yaml.YAMLError as error:
            raise NotAWorkflowError(1, " ".join(str(error).split())) from error
        except RecursionError as error:
            raise NotAWorkflowError(1, "nested too deeply") from error
        if not isinstance(root, MappingNode):
            raise NotAWorkflowError(1, "empty" if root is None else "not a mapping")
        self.root: MappingNode = root
        jobs = get(root, "jobs")
        if get(root, "on") is None or not isinstance(jobs, MappingNode):
            raise NotAWorkflowError(1, "`on` or `jobs` is missing")
        self.jobs = [Job(name, key, value) for name, key, value in items(jobs)]

    @cached_property
    def events(self) -> dict[str, tuple[Node, Node | None]]:
        """Every event with its own node and the node of its settings."""
        on = get(self.root, "on")
        if isinstance(on, MappingNode):
            return {name: (key, value) for name, key, value in items(on)}
        nodes = on.value if isinstance(on, SequenceNode) else [on]
        return {node.value: (node, None) for node in nodes if isinstance(node, ScalarNode)}

    @cached_property
    def steps(self) -> list[Step]:
        """The steps of all jobs."""
        return [step for job in self.jobs for step in job.steps]

    @cached_property
    def scripts(self) -> list[tuple[Step, Text]]:
        """Every step that runs commands, with the commands."""
        return [(step, self.text(step.script)) for step in self.steps if step.script is not None]

    @cached_property
    def expressions(self) -> list[Expression]:
        """All expressions, with or without braces."""
        conditions = {id(get(job.node, "if")): "job" for job in self.jobs}
        conditions |= {id(get(step.node, "if")): "step" for step in self.steps}
        scripts = {id(step.script) for step in self.steps}
        found = []
        for node in walk(self.root):
            if not isinstance(node, ScalarNode):
                continue
            if id(node) in conditions:
                inside = EXPRESSION.sub(r"\1", node.value)
                found.append(Expression(line_of(node), inside, condition=conditions[id(node)]))
                continue
            for line, match in self.text(node).search(EXPRESSION):
                found.append(Expression(line, match[1], in_script=id(node) in scripts))
        return found

    def text(self, node: ScalarNode) -> Text:
        """Return a scalar's text as it stands in the file."""
        if node.style in ("'", '"'):
            return Text(line_of(node), node.value, flat=True)
        content = self.source[node.start_mark.index : node.end_mark.index]
        if node.style in ("|", ">"):
            # The header (`|-`, a comment) gives way to an empty line, so that the numbers stay right.
            content = content[content.find("\n") :]
        return Text(line_of(node), content)

    def env(self, step: Step) -> dict[str, Node]:
        """Return the variables that a step sees."""
        levels = (self.root, step.job.node, step.node)
        return {name: value for level in levels for name, _, value in items(get(level, "env"))}

    def shell(self, step: Step) -> str:
        """Return the shell that was chosen for a step, or an empty string."""
        default = ("defaults", "run", "shell")
        chosen = (scalar(step.node, "shell"), scalar(step.job.node, *default), scalar(self.root, *default))
        return next((node.value for node in chosen if node is not None), "")


def line_of(node: Node) -> int:
    """Return the line a node begins on, counted from 1."""
    return int(node.start_mark.line) + 1


def items(node: Node | None, seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, Node, Node]]:
    """Yield name, key and value of a mapping's entries; those that `<<` brings come first, so that later ones win."""
    if not isinstance(node, MappingNode) or id(node) in seen:
        return
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.tag == "tag:yaml.org,2002:merge":
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from items(merged, seen | {id(node)})
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            yield key.value, key, value


def get(node: Node | None, *path: str) -> Node | None:
    """Return the node at the end of a path of keys."""
    for name in path:
        node = {key: value for key, _, value in items(node)}.get(name)
    return node


def scalar(node: Node | None, *path: str) -> ScalarNode | None:
    """Return the scalar at the end of a path of keys."""
    found = get(node, *path)
    return found if isinstance(found, ScalarNode) else None


def words(node: Node | None) -> list[ScalarNode]:
    """Return the scalars of a list, or the one scalar that stands in its place."""
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    return [item for item in nodes if isinstance(item, ScalarNode)]


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, each once even where aliases lead to it again."""
    waiting, seen = [node], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, MappingNode):
            waiting += [part for pair in current.value for part in pair]
        elif isinstance(current, SequenceNode):
            waiting += current.value


# --------------------------------------------------------------------------------------------------------------------
# The checks


def check_duplicates(workflow: Workflow) -> Iterator[Hit]:
    """Find keys that are there twice."""
    for node in walk(workflow.root):
        seen: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode):
                if key.value in seen:
                    yield Hit("GW002", line_of(key), f"`{key.value}`, first on line {seen[key.value]}")
                seen.setdefault(key.value, line_of(key))


def check_keys(workflow: Workflow) -> Iterator[Hit]:
    """Find keys that Gitea ignores."""
    for name, key, _ in items(workflow.root):
        if name in ("concurrency", "run-name"):
            yield Hit("GW102" if name == "concurrency" else "GW106", line_of(key), "workflow")
    ignored = {"environment": "GW101", "concurrency": "GW102", "timeout-minutes": "GW104", "continue-on-error": "GW105"}
    for job in workflow.jobs:
        for name, key, _ in items(job.node):
            if name in ignored:
                yield Hit(ignored[name], line_of(key), f"job {job.name}")
        for name, key, _ in items(get(job.node, "strategy")):
            if name == "max-parallel":
                yield Hit("GW107", line_of(key), f"job {job.name}")
        matrix = get(job.node, "strategy", "matrix")
        for node in walk(matrix) if matrix else ():
            if isinstance(node, ScalarNode) and re.search(r"\$\{\{.*\bneeds\.", node.value):
                yield Hit("GW108", line_of(node), f"job {job.name}")


def check_permissions(workflow: Workflow) -> Iterator[Hit]:
    """Find jobs whose token may do everything, and permissions that do not exist."""
    stated = {job.name: get(job.node, "permissions") for job in workflow.jobs}
    general = get(workflow.root, "permissions")
    missing = [name for name, node in stated.items() if node is None]
    if general is None and missing:
        jobs = next(key for name, key, _ in items(workflow.root) if name == "jobs")
        yield Hit("GW103", line_of(jobs), ", ".join(missing))
    for node in (general, *stated.values()):
        if isinstance(node, ScalarNode) and node.value == "write-all":
            yield Hit("GW103", line_of(node), "write-all")
        for name, key, value in items(node):
            if name == "id-token" and value.value == "write":
                yield Hit("GW109", line_of(key), "id-token: write")


def check_events(workflow: Workflow) -> Iterator[Hit]:
    """Find events that come otherwise or not at all."""
    on = get(workflow.root, "on")
    for name, (node, settings) in workflow.events.items():
        if name == "workflow_call":
            yield Hit("GW201", line_of(node), name)
        if name not in EVENTS:
            yield Hit("GW204", line_of(node), name)
        if isinstance(on, MappingNode) and on.flow_style and _is_empty(settings):
            yield Hit("GW202", line_of(node), name)
        types = words(get(settings, "types"))
        yield from (
            Hit("GW204", line_of(kind), f"{name}: {kind.value}")
            for kind in types
            if kind.value in ACTIVITIES_NOT_SENT.get(name, ())
        )
        names = {kind.value for kind in types}
        if name == "release" and "published" in names and "edited" not in names:
            yield Hit("GW203", line_of(types[0]), "types")
    for job in workflow.jobs:
        if (uses := get(job.node, "uses")) is not None:
            yield Hit("GW201", line_of(uses), f"job {job.name}")


def _is_empty(node: Node | None) -> bool:
    return isinstance(node, ScalarNode) and node.value == "" and not node.style


def check_runners(workflow: Workflow) -> Iterator[Hit]:
    """Find labels that only GitHub's runners have."""
    for job in workflow.jobs:
        runs_on = get(job.node, "runs-on")
        if isinstance(runs_on, MappingNode):
            yield Hit("GW302", line_of(runs_on), f"job {job.name}")
        for label in words(runs_on):
            yield from (
                Hit("GW301", line_of(node), node.value)
                for node in _resolve(label, job)
                if GITHUB_LABEL.fullmatch(node.value)
            )


def _resolve(label: ScalarNode, job: Job) -> Iterator[ScalarNode]:
    """Yield a label, or the labels that the matrix puts in its place."""
    match = re.fullmatch(r"\s*\$\{\{\s*matrix\.([\w-]+)\s*\}\}\s*", label.value)
    if match is None:
        yield label
        return
    matrix = get(job.node, "strategy", "matrix")
    yield from words(get(matrix, match[1]))
    include = get(matrix, "include")
    for entry in include.value if isinstance(include, SequenceNode) else ():
        if (node := scalar(entry, match[1])) is not None:
            yield node


def check_actions(workflow: Workflow) -> Iterator[Hit]:
    """Find actions that do not work off github.com."""
    artifact_majors: dict[int, ScalarNode] = {}
    for step in workflow.steps:
        uses = scalar(step.node, "uses")
        match = ACTION.fullmatch(uses.value) if uses else None
        if uses is None or match is None:
            continue
        name = match["name"].lower()
        if name in GITHUB_ONLY_ACTIONS or name.startswith("github/"):
            yield Hit("GW403", line_of(uses), uses.value)
        artifact = ARTIFACT_ACTION.fullmatch(name)
        if artifact is None:
            continue
        major = _major(match["ref"], workflow.source.split("\n")[line_of(uses) - 1])
        if name.startswith("actions/") and (major is None or major >= 4):
            yield Hit("GW401", line_of(uses), uses.value)
        if major is not None:
            artifact_majors.setdefault(4 if major >= 4 else 3, uses)
    if len(artifact_majors) > 1:
        node = max(artifact_majors.values(), key=line_of)
        yield Hit("GW402", line_of(node), node.value)


def _major(ref: str, line: str) -> int | None:
    """Return the major version that a ref names; for a commit it is in the comment behind it."""
    if re.fullmatch(r"[0-9a-f]{40}", ref):
        comment = re.search(r"#.*?\bv?(\d+)(?:\.|\b)", line)
        return int(comment[1]) if comment else 3  # Nothing is known: no false alarm.
    match = FIRST_NUMBER.match(ref)
    return int(match[1]) if match else None


def check_contexts(workflow: Workflow) -> Iterator[Hit]:
    """Find properties, secrets and variables that do not exist."""
    for expression in workflow.expressions:
        for match in CONTEXT_PROPERTY.finditer(expression.code):
            if match[1].lower() not in CONTEXT_PROPERTIES:
                yield Hit("GW502", expression.line, match[0])
        for match in SETTING.finditer(expression.text):
            name = match[2] or match[3] or ""
            if not _can_be_set(match[1], name.upper()):
                yield Hit("GW503", expression.line, f"{match[1]}: {name}")
        if RUNNER_ARCH_EXPRESSION.search(expression.text):
            yield Hit("GW506", expression.line, "runner.arch")


def _can_be_set(kind: str, name: str) -> bool:
    if kind == "secrets" and name in ("GITEA_TOKEN", "GITHUB_TOKEN"):
        return True
    return re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) is not None and not re.match(r"GITEA_|GITHUB_|CI$", name)


def check_variables(workflow: Workflow) -> Iterator[Hit]:
    """Find environment variables that are empty or differ."""
    for step, text in workflow.scripts:
        known = workflow.env(step).keys()
        for line, match in text.search(MISSING_VARIABLE):
            name = f"GITEA_{match[1]}"
            if name not in known and not re.search(rf"\b{name}=", text.content):
                yield Hit("GW501", line, name)
        for line, match in text.search(TOKEN_VARIABLE):
            name = match[1] or match[2]
            if name not in known and not re.search(rf"\b{name}=", text.content):
                yield Hit("GW505", line, name)
        for line, match in text.search(RUNNER_VALUE):
            yield Hit("GW506", line, match[0])
        for line, match in text.search(SUMMARY):
            yield Hit("GW507", line, match[0])


def check_tokens(workflow: Workflow) -> Iterator[Hit]:
    """Find the automatic token where a package is pushed."""
    levels = [workflow.root, *(job.node for job in workflow.jobs), *(step.node for step in workflow.steps)]
    for level in levels:
        for name, key, value in items(get(level, "env")):
            if name in PUBLISH_VARIABLES and _holds_token(value):
                yield Hit("GW504", line_of(key), name)
    for step in workflow.steps:
        uses = scalar(step.node, "uses")
        password = scalar(step.node, "with", "password")
        if uses and password and "login-action" in uses.value and _holds_token(password):
            yield Hit("GW504", line_of(password), "password")
    for step, text in workflow.scripts:
        names = [re.escape(name) for name, value in workflow.env(step).items() if _holds_token(value)]
        variable = re.compile(rf"\$(?:env:)?\{{?(?:{'|'.join(names)})\b") if names else None
        for command in text.commands():
            if AUTOMATIC_TOKEN.search(command.content) or (variable and variable.search(command.content)):
                yield from (Hit("GW504", line, match[0]) for line, match in command.search(PUBLISH))


def _holds_token(node: Node) -> bool:
    return isinstance(node, ScalarNode) and AUTOMATIC_TOKEN.search(node.value) is not None


def check_scripts(workflow: Workflow) -> Iterator[Hit]:
    """Find expressions and commands that do something else than they seem to."""
    for expression in workflow.expressions:
        if expression.in_script:
            rule = "GW601" if FOREIGN_VALUE.search(expression.code) else "GW602"
            yield Hit(rule, expression.line, expression.text)
    for step, text in workflow.scripts:
        if not POSIX_SHELL.match(workflow.shell(step) or "bash"):
            continue
        for command in text.commands():
            yield from (Hit("GW606", line, match[0]) for line, match in command.search(PUSH_ALL))
            if not TAKES_DOLLAR.search(command.content):
                yield from (Hit("GW605", line, match[0]) for line, match in command.search(ESCAPED_VARIABLE))


def check_shells(workflow: Workflow) -> Iterator[Hit]:
    """Find steps whose shell depends on the job."""
    without = [step for step, _ in workflow.scripts if not workflow.shell(step)]
    if without:
        jobs = dict.fromkeys(step.job.name for step in without)
        run = next(key for name, key, _ in items(without[0].node) if name == "run")
        yield Hit("GW604", line_of(run), f"job{'s' if len(jobs) > 1 else ''} {', '.join(jobs)}")


def check_versions(workflow: Workflow) -> Iterator[Hit]:
    """Find the name of any ref taken for a version."""
    if _only_tags(workflow):
        return
    for step in workflow.steps:
        checks = [get(step.node, "if"), get(step.job.node, "if"), step.script, *workflow.env(step).values()]
        if any(isinstance(node, ScalarNode) and TAG_CHECK.search(node.value) for node in checks):
            continue
        for _, key, value in (*items(get(step.node, "env")), *items(get(step.node, "with"))):
            if VERSION_NAME.search(key.value) and REF_NAME_EXPRESSION.search(str(value.value)):
                yield Hit("GW603", line_of(key), key.value)
        if step.script is not None:
            text = workflow.text(step.script)
            names = ((line, match[1]) for line, match in text.search(REF_ASSIGNMENT))
            yield from (Hit("GW603", line, name) for line, name in names if VERSION_NAME.search(name))
            yield from (Hit("GW603", line, match[0]) for line, match in text.search(REF_ARGUMENT))


def _only_tags(workflow: Workflow) -> bool:
    """Say whether nothing but tags and releases starts the workflow."""
    push = workflow.events.get("push", (None, None))[1]
    filters = {name for name, _, _ in items(push)}
    return workflow.events.keys() <= {"push", "release"} and (
        "push" not in workflow.events or ("tags" in filters and not filters & {"branches", "branches-ignore"})
    )


def check_conditions(workflow: Workflow) -> Iterator[Hit]:
    """Find conditions that come out otherwise."""
    inputs = get(workflow.root, "on", "workflow_dispatch", "inputs")
    types = {name: scalar(value, "type") for name, _, value in items(inputs)}
    booleans = [name for name, kind in types.items() if kind is not None and kind.value == "boolean"]
    for expression in workflow.expressions:
        code = expression.code
        if expression.condition == "step" and (match := re.search(r"\balways\s*\(|(?<!!)\bcancelled\s*\(", code)):
            yield Hit("GW701", expression.line, f"{match[0]})")
        if expression.condition == "job" and (match := STATUS_FUNCTION.search(code)):
            yield Hit("GW702", expression.line, f"{match[1]}()")
        if expression.condition or re.search(r"[!=]=|&&|\|\||!", code):
            yield from (Hit("GW703", expression.line, name) for name in booleans if _half_compared(name, expression))


def _half_compared(name: str, expression: Expression) -> bool:
    # The inputs in the event are strings everywhere.
    text = re.sub(r"\b(?:github|gitea)\.event\.inputs\b", "", expression.text)
    used = rf"\binputs\.{re.escape(name)}(?![\w-])"
    if not re.search(used, text) or re.search(rf"\b(?:format|contains|fromJSON|toJSON)\([^)]*{used}", text):
        return False
    return not all(re.search(rf"{used}\s*[!=]=\s*{value}", text) for value in ("(?:true|false)", "'(?:true|false)'"))


CHECKS: tuple[Callable[[Workflow], Iterable[Hit]], ...] = (
    check_duplicates,
    check_keys,
    check_permissions,
    check_events,
    check_runners,
    check_actions,
    check_contexts,
    check_variables,
    check_tokens,
    check_scripts,
    check_shells,
    check_versions,
    check_conditions,
)


# --------------------------------------------------------------------------------------------------------------------
# The program


@dataclass(frozen=True)
class Options:
    """What the user wants to be told."""

    ignore: frozenset[str] = frozenset()
    min_gitea: Version = (0, 0)
    labels: frozenset[str] = frozenset()

    def wants(self, hit: Hit) -> bool:
        """Say whether a hit concerns the user."""
        rule = RULES[hit.rule]
        if rule.id == "GW301" and hit.subject in self.labels:
            return False
        return rule.id not in self.ignore and not (rule.until and rule.until < self.min_gitea)


class OptOuts:
    """The comments of a file that silence rules."""

    def __init__(self, workflow: Workflow) -> None:
        self.named: list[tuple[int, str]] = []
        self.in_file: set[str] = set()
        self.lines: dict[int, frozenset[str]] = {}
        for number, line in enumerate(workflow.source.split("\n"), start=1):
            if match := IGNORE_IN_FILE.match(line):
                self.in_file.update(self._names(number, match[1]))
            elif match := NOQA.search(line):
                self.lines[number] = self._names(number, match[2] or "") if match[1] else frozenset(RULES)
        # A comment on the line of `run: |` counts for the whole script: a continued line has no room for one.
        for step in workflow.steps:
            if step.script is not None and step.script.style in ("|", ">"):
                for number in range(step.script.start_mark.line + 2, step.script.end_mark.line + 1):
                    header = self.lines.get(line_of(step.script), frozenset())
                    self.lines[number] = self.lines.get(number, frozenset()) | header

    def _names(self, line: int, text: str) -> frozenset[str]:
        names = re.findall(r"\bGW\d+", text.upper())
        self.named += [(line, name) for name in names]
        return frozenset(names)

    def silence(self, hit: Hit) -> bool:
        """Say whether a comment silences a hit."""
        return hit.rule in self.in_file or hit.rule in self.lines.get(hit.line, ())


def lint(source: str, options: Options) -> list[Hit]:
    """Return what is wrong in the text of a workflow, in the order of its lines."""
    try:
        workflow = Workflow(source)
    except NotAWorkflowError as error:
        return [Hit("GW001", error.line, str(error))]
    opt_outs = OptOuts(workflow)
    # A command, an expression or a key may go on in the next line; what is printed may not.
    hits = {replace(hit, subject=" ".join(hit.subject.split())) for check in CHECKS for hit in check(workflow)}
    hits |= {Hit("GW003", line, name) for line, name in opt_outs.named if name not in RULES}
    wanted = [hit for hit in hits if options.wants(hit) and not opt_outs.silence(hit)]
    return sorted(wanted, key=lambda hit: (hit.line, hit.rule, hit.subject))


def describe(hit: Hit) -> str:
    """Return one line that says what is wrong and what to do."""
    rule = RULES[hit.rule]
    versions = "" if rule.versions == "all" else f" (Gitea {rule.versions})"
    return f"{rule.id} {rule.severity}: {hit.subject}: {rule.title}{versions}; {rule.instead}"


def explain(rule: Rule) -> str:
    """Return all that is known about a rule."""
    return (
        f"{rule.id} ({rule.severity}): {rule.title}\n\n{rule.reason}\n\n"
        f"Instead: {rule.instead}.\nGitea: {rule.versions}.\nOpt out: `# noqa: {rule.id}` on the line."
    )


def _cells(rule: Rule) -> tuple[str, ...]:
    return rule.id, rule.severity, rule.versions, rule.title, rule.reason, rule.instead


def rules_markdown(rules: Mapping[str, Rule] = RULES) -> str:
    """Return the rules as Markdown tables, one for each group."""
    sections = []
    for prefix, title in GROUPS.items():
        rows = [
            "| " + " | ".join(text.replace("|", r"\|") for text in _cells(rule)) + " |"
            for rule in rules.values()
            if rule.id.startswith(prefix)
        ]
        head = "| Rule | Severity | Gitea | What | Why | Do instead |\n| --- | --- | --- | --- | --- | --- |"
        sections.append("\n".join([f"### {title}", "", head, *rows]))
    return "\n\n".join(sections) + "\n"


MARKDOWN_BEGIN, MARKDOWN_END = "<!-- rules -->\n", "<!-- /rules -->\n"


def update_markdown(path: Path) -> None:
    """Put the rules between the two marks of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(MARKDOWN_BEGIN)
    _, end, after = rest.partition(MARKDOWN_END)
    if not begin or not end:
        raise ValueError(f"{path}: the lines {MARKDOWN_BEGIN.strip()} and {MARKDOWN_END.strip()} are missing")
    path.write_text(f"{before}{begin}\n{rules_markdown()}\n{end}{after}", encoding="utf-8")


def find_workflows(paths: Sequence[Path]) -> list[Path]:
    """Return the files named, those in the folders named, or those Gitea would take from here."""
    if paths:
        return [file for path in paths for file in (_workflows_in(path) if path.is_dir() else [path])]
    # Gitea looks into the first of these folders that exists.
    folders = (Path(".gitea/workflows"), Path(".github/workflows"))
    return next((_workflows_in(folder) for folder in folders if folder.is_dir()), [])


def _workflows_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".yml", ".yaml"))


def _rule_list(text: str) -> frozenset[str]:
    names = frozenset(text.replace(",", " ").upper().split())
    if unknown := sorted(names - RULES.keys()):
        raise argparse.ArgumentTypeError(f"no such rule: {', '.join(unknown)} (see --list-rules)")
    return names


def _version(text: str) -> Version:
    if not (match := re.fullmatch(r"v?(\d+)\.(\d+)(?:\.\d+)?", text)):
        raise argparse.ArgumentTypeError(f"not a version such as 1.24: {text}")
    return int(match[1]), int(match[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gitea-workflows",
        description="Find what Gitea ignores, breaks on or reads otherwise than GitHub in Actions workflows.",
        epilog="Opt out with `# noqa: GW101` on a line, or `# gitea-workflows: ignore GW101` for a file. "
        "Exit status: 0 no errors, 1 errors (with --strict also warnings), 2 wrong usage.",
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="a workflow or a folder of workflows (default: .gitea/workflows, or else .github/workflows)",
    )
    parser.add_argument("--strict", action="store_true", help="let warnings fail as well")
    parser.add_argument(
        "--ignore", metavar="IDS", action="append", type=_rule_list, default=[], help="rules to leave out, with commas"
    )
    parser.add_argument(
        "--min-gitea",
        metavar="VERSION",
        type=_version,
        default=(0, 0),
        help="the oldest Gitea you use: leave out what concerns only older ones",
    )
    parser.add_argument(
        "--labels", metavar="LABELS", action="append", default=[], help="labels your runners have, with commas"
    )
    parser.add_argument("--list-rules", action="store_true", help="list the rules and stop")
    parser.add_argument("--explain", metavar="ID", type=_rule_list, help="say all about a rule and stop")
    parser.add_argument(
        "--rules-markdown",
        metavar="FILE",
        nargs="?",
        const="",
        help="print the rules as Markdown, or put them between <!-- rules --> and <!-- /rules --> in FILE",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program: 0 without errors, 1 with errors, 2 for wrong usage."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.list_rules:
        for rule in RULES.values():
            print(f"{rule.id}  {rule.severity:7}  {rule.versions:14}  {rule.title}")
        return 0
    if chosen.explain is not None:
        print("\n\n".join(explain(RULES[name]) for name in sorted(chosen.explain)))
        return 0
    try:
        if chosen.rules_markdown is not None:
            if chosen.rules_markdown:
                update_markdown(Path(chosen.rules_markdown))
            else:
                print(rules_markdown(), end="")
            return 0
        options = Options(
            frozenset().union(*chosen.ignore),
            chosen.min_gitea,
            frozenset(",".join(chosen.labels).replace(",", " ").split()),
        )
        paths = find_workflows(chosen.paths)
        if not paths:
            parser.error("no workflow found: name the files")
        return _report(paths, options, strict=chosen.strict)
    except (OSError, ValueError) as error:
        message = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        parser.error(message)


def _report(paths: Sequence[Path], options: Options, *, strict: bool) -> int:
    failed = False
    for path in paths:
        try:
            hits = lint(path.read_text(encoding="utf-8-sig"), options)
        except UnicodeDecodeError:
            hits = [Hit("GW001", 1, "not UTF-8")]
        for hit in hits:
            print(f"{path}:{hit.line}: {describe(hit)}")
            failed = failed or strict or RULES[hit.rule].severity == "error"
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
