"""Each thing is found on its line, and nothing is found where nothing is wrong."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from hooks import gitea_workflows
from hooks.gitea_workflows import RULES, Options, lint, main

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "hooks.md"
PROGRAM = Path(gitea_workflows.__file__)
MARK = re.compile(r"# <- (GW\d+(?: GW\d+)*)")


def flow(steps: str = "- run: make", *, job: str = "", top: str = "", on: str = "on: [push]") -> str:
    """Return a workflow in which nothing is wrong but what the arguments bring."""
    runner = "" if "runs-on" in job or "uses:" in job else "runs-on: ubuntu-latest\n"
    head = "" if "permissions" in top else "permissions: {contents: read}\n"
    shell = "" if "defaults" in top else "defaults: {run: {shell: bash}}\n"
    body = runner + dedent(job).strip("\n") + "\nsteps:\n" + indent(dedent(steps).strip("\n"), "  ")
    return f"{dedent(on).strip()}\n{head}{shell}{dedent(top).strip()}\njobs:\n  build:\n{indent(body, '    ')}\n"


def found(text: str, options: Options | None = None) -> set[tuple[str, int]]:
    return {(hit.rule, hit.line) for hit in lint(text, options or Options())}


def marked(text: str) -> set[tuple[str, int]]:
    """Read what the marks in a text say: `# <- GW101` behind the line where the rule is to be found."""
    lines = enumerate(text.splitlines(), start=1)
    return {(rule, number) for number, line in lines if (match := MARK.search(line)) for rule in match[1].split()}


DISPATCH = """
on:
  workflow_dispatch:
    inputs:
      dry:
        type: boolean
      name:
        type: string
"""
TOKEN = "env: {TOKEN: '${{ secrets.GITEA_TOKEN }}'}"

# For each rule: texts with marks, and texts that look alike and are right.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "GW001": (
        [
            "on: [push]\njobs: ]  # <- GW001\n",
            "# <- GW001\n",
            "- on: push  # <- GW001\n",
            "name: x  # <- GW001\n",
            "on: push  # <- GW001\njobs: 3\n",
        ],
        [flow()],
    ),
    "GW002": (
        [
            flow("- run: make\n  name: a\n  run: make again  # <- GW002"),
            flow(top="env: {A: '1'}\nenv: {B: '2'}  # <- GW002"),
        ],
        [flow("- run: make\n- run: make")],
    ),
    "GW003": (
        [flow("- run: make  # noqa: GW999 # <- GW003"), "# gitea-workflows: ignore GW998 # <- GW003\n" + flow()],
        [flow("- run: make  # noqa: E501 because GW-like ids of others are theirs")],
    ),
    "GW101": (
        [flow(job="environment: production  # <- GW101"), flow(job="environment:  # <- GW101\n  name: production")],
        [flow("- run: make\n  env: {environment: production}"), flow(job="env: {ENVIRONMENT: production}")],
    ),
    "GW102": (
        [flow(top="concurrency: one  # <- GW102"), flow(job="concurrency: {group: one}  # <- GW102")],
        [flow("- run: make --concurrency=1")],
    ),
    "GW103": (
        [
            "on: [push]\ndefaults: {run: {shell: bash}}\njobs:  # <- GW103\n"
            "  a:\n    runs-on: ubuntu-latest\n    permissions: {}\n    steps: [{run: make}]\n"
            "  b:\n    runs-on: ubuntu-latest\n    steps: [{run: make}]\n",
            flow(top="permissions: write-all  # <- GW103"),
        ],
        [flow(top="permissions: {}"), flow(top="permissions: read-all"), flow(job="permissions: {contents: write}")],
    ),
    "GW104": ([flow(job="timeout-minutes: 5  # <- GW104")], [flow("- run: make\n  timeout-minutes: 5")]),
    "GW105": ([flow(job="continue-on-error: true  # <- GW105")], [flow("- run: make\n  continue-on-error: true")]),
    "GW106": ([flow(top="run-name: a run  # <- GW106")], [flow(top="name: a run")]),
    "GW107": (
        [flow(job="strategy:\n  max-parallel: 1  # <- GW107\n  matrix: {a: [1, 2]}")],
        [flow(job="strategy:\n  fail-fast: false\n  matrix: {max-parallel: [1, 2]}")],
    ),
    "GW108": (
        [
            flow(job="strategy:\n  matrix: ${{ fromJSON(needs.a.outputs.all) }}  # <- GW108"),
            flow(job="strategy:\n  matrix:\n    a: ${{ fromJSON(needs.a.outputs.all) }}  # <- GW108"),
        ],
        [flow(job="strategy:\n  matrix: {a: [needs.x, b]}"), flow(job="needs: []\nif: needs.a.result == 'success'")],
    ),
    "GW109": (
        [flow(top="permissions:\n  contents: read\n  id-token: write  # <- GW109")],
        [flow(top="permissions:\n  contents: read\n  id-token: none")],
    ),
    "GW201": (
        [
            flow(on="on:\n  push:\n  workflow_call:  # <- GW201"),
            flow(on="on: [push, workflow_call]  # <- GW201"),
            "on: push\npermissions: {}\njobs:\n  a:\n    uses: ./.gitea/workflows/b.yml  # <- GW201\n",
        ],
        [flow("- uses: ./.gitea/actions/thing")],
    ),
    "GW202": (
        [flow(on="on: {workflow_dispatch: }  # <- GW202"), flow(on="on: {push: , pull_request: {}}  # <- GW202")],
        [flow(on="on:\n  workflow_dispatch:"), flow(on="on: {push: {branches: [main]}}"), flow(on="on: [push]")],
    ),
    "GW203": (
        [
            flow(on="on:\n  release:\n    types: [published]  # <- GW203"),
            flow(on="on:\n  release:\n    types: published  # <- GW203"),
        ],
        [
            flow(on="on:\n  release:\n    types: [published, edited]"),
            flow(on="on:\n  release:"),
            flow(on="on:\n  registry_package:\n    types: [published]"),
        ],
    ),
    "GW204": (
        [
            flow(on="on: [push, merge_group]  # <- GW204"),
            flow(on="on:\n  push:\n  repository_dispatch:  # <- GW204"),
            flow(on="on:\n  release:\n    types:\n      - edited\n      - released  # <- GW204"),
            flow(on="on:\n  pull_request:\n    types: [opened, ready_for_review]  # <- GW204"),
        ],
        [flow(on="on:\n  pull_request:\n    types: [opened, synchronize]\n  schedule:\n    - cron: '@daily'")],
    ),
    "GW301": (
        [
            flow(job="runs-on: windows-latest  # <- GW301"),
            flow(job="runs-on: ubuntu-slim  # <- GW301"),
            flow(job="runs-on: [self-hosted, linux]  # <- GW301"),
            flow(
                job="runs-on: ${{ matrix.os }}\nstrategy:\n  matrix:\n    os:\n      - ubuntu-latest\n"
                "      - macos-15  # <- GW301\n    include:\n      - os: windows-2022  # <- GW301"
            ),
        ],
        [
            flow(job="runs-on: ubuntu-24.04"),
            flow(job="runs-on: [linux, arm64]"),
            flow(job="runs-on: our-windows"),
            flow(job="runs-on: ${{ matrix.os }}\nstrategy:\n  matrix: {os: [ubuntu-latest], name: [windows-2022]}"),
        ],
    ),
    "GW302": ([flow(job="runs-on:\n  group: large  # <- GW302")], [flow(job="runs-on:\n  - linux")]),
    "GW401": (
        [
            flow("- uses: actions/upload-artifact@v4  # <- GW401"),
            flow("- uses: https://github.com/actions/download-artifact@v5.0.1  # <- GW401"),
            flow("- uses: actions/upload-artifact/merge@main  # <- GW401"),
            flow(f"- uses: actions/upload-artifact@{'a1' * 20}  # v4.6.2 # <- GW401"),
        ],
        [
            flow("- uses: actions/checkout@v4\n- uses: actions/upload-artifact@v3"),
            flow("- uses: christopherhx/gitea-upload-artifact@v4"),
            flow(f"- uses: actions/upload-artifact@{'a1' * 20}  # v3.2.1"),
            flow(f"- uses: actions/upload-artifact@{'a1' * 20}"),
        ],
    ),
    "GW402": (
        [
            flow(
                "- uses: christopherhx/gitea-upload-artifact@v4\n- uses: actions/download-artifact@v3  # <- GW402",
            ),
        ],
        [
            flow("- uses: actions/upload-artifact@v3.1\n- uses: actions/download-artifact@v3"),
            flow("- uses: a/gitea-upload-artifact@v4\n- uses: b/gitea-download-artifact@v5"),
        ],
    ),
    "GW403": (
        [
            flow("- uses: github/codeql-action/init@v3  # <- GW403"),
            flow("- uses: softprops/action-gh-release@v2  # <- GW403"),
        ],
        [flow("- uses: actions/setup-node@v4\n- uses: docker://alpine:3\n- uses: ./actions/attest@v1")],
    ),
    "GW501": (
        [
            flow('- run: echo "$GITEA_REF_NAME"  # <- GW501'),
            flow("- run: |\n    echo a\n    echo ${GITEA_SHA}  # <- GW501"),
            flow("- run: Write-Host $env:GITEA_RUN_ID  # <- GW501\n  shell: pwsh"),
        ],
        [
            flow('- run: echo "$GITEA_ACTIONS $GITHUB_REF_TYPE $GITEA_OUTPUT"'),
            flow('- run: echo "$GITEA_SHA"\n  env: {GITEA_SHA: "${{ gitea.sha }}"}'),
            flow('- run: |\n    GITEA_SHA=$(git rev-parse HEAD)\n    echo "$GITEA_SHA"'),
            flow('- run: echo "$GITEA_SERVER_URL"', top="env: {GITEA_SERVER_URL: 'https://gitea.example.com'}"),
        ],
    ),
    "GW502": (
        [
            flow("- run: make\n  env:\n    ID: ${{ gitea.repository_id }}  # <- GW502"),
            flow(job="if: github.triggering_actor != 'bot'  # <- GW502"),
        ],
        [
            flow("- run: make\n  env:\n    A: ${{ github.event.repository.id }} ${{ format('gitea.nothing') }}"),
            flow("- run: make\n  env:\n    A: ${{ steps.github.outputs.x }} ${{ needs.to-gitea.outputs.x }}"),
        ],
    ),
    "GW503": (
        [
            flow("- run: make\n  env:\n    A: ${{ secrets.GITEA_DEPLOY }}  # <- GW503"),
            flow("- run: make\n  env:\n    A: ${{ secrets['my-key'] }}  # <- GW503"),
            flow("- run: make\n  env:\n    A: ${{ vars.GITHUB_HOST }}  # <- GW503"),
            flow("- run: make\n  env:\n    A: ${{ secrets.2FA }}  # <- GW503"),
            flow("- run: make\n  env:\n    A: ${{ vars.CI }}  # <- GW503"),
        ],
        [flow("- run: make\n  env:\n    A: ${{ secrets.DEPLOY || secrets.gitea_token }}\n    B: ${{ vars.HOST }}")],
    ),
    "GW504": (
        [
            flow(f'- {TOKEN}\n  run: |\n    echo "$TOKEN" |\n      docker login -u x --password-stdin  # <- GW504'),
            flow(
                f'- {TOKEN}\n  run: |\n    curl -H "Authorization: token $TOKEN" \\\n'
                "      -T f https://g.example.com/api/packages/o/generic/a/1/f  # <- GW504"
            ),
            flow("- run: make publish\n  env:\n    UV_PUBLISH_TOKEN: ${{ gitea.token }}  # <- GW504"),
            flow("- uses: docker/login-action@v3\n  with:\n    password: ${{ secrets.GITHUB_TOKEN }}  # <- GW504"),
        ],
        [
            flow('- env: {T: "${{ secrets.DEPLOY_TOKEN }}"}\n  run: echo "$T" | docker login -u x --password-stdin'),
            flow(
                f'- {TOKEN}\n  run: |\n    curl -H "Authorization: token $TOKEN" "$URL/releases"\n    docker push a:1'
            ),
            flow(f'- {TOKEN}\n  run: |\n    # docker login with $TOKEN fails\n    echo "$TOKENS" | docker login x'),
        ],
    ),
    "GW505": (
        [flow('- run: |\n    curl -H "Authorization: token $GITEA_TOKEN" "$URL"  # <- GW505')],
        [
            flow('- run: ./release "$GITEA_TOKEN"\n  env: {GITEA_TOKEN: "${{ secrets.GITEA_TOKEN }}"}'),
            flow('- run: test -n "${GITHUB_TOKEN:-}"'),
        ],
    ),
    "GW506": (
        [
            flow('- run: if [ "$RUNNER_OS" = "Linux" ]; then make; fi  # <- GW506'),
            flow('- run: |\n    case "$RUNNER_ARCH" in  # <- GW506\n      X64) make ;;\n    esac'),
            flow("- run: make\n  if: runner.arch == 'X64'  # <- GW506"),
        ],
        [flow('- run: echo "$RUNNER_OS" | tr A-Z a-z'), flow("- run: make\n  if: runner.os == 'Linux'")],
    ),
    "GW507": (
        [flow('- run: echo "# Hi" >> "$GITHUB_STEP_SUMMARY"  # <- GW507')],
        [flow('- run: echo a >> "$GITHUB_ENV"')],
    ),
    "GW601": (
        [
            flow('- run: echo "${{ gitea.ref_name }}"  # <- GW601'),
            flow(
                "- run: |\n    make\n    curl -u ${{ secrets.K }} u  # <- GW601\n    echo ${{ inputs.a }}  # <- GW601"
            ),
            flow("- run: >-\n    echo\n    ${{ steps.a.outputs.b }}  # <- GW601"),
            flow("- run: |\n    # a comment is no shelter: ${{ github.event.issue.title }}  # <- GW601"),
        ],
        [
            flow('- run: echo "$REF"\n  env: {REF: "${{ gitea.ref_name }}"}'),
            flow("- name: for ${{ gitea.ref_name }}\n  run: make"),
        ],
    ),
    "GW602": (
        [
            flow("- run: tox -e py${{ matrix.python }}  # <- GW602"),
            flow("- run: |\n    echo ${{ github.sha }}  # <- GW602"),
        ],
        [flow('- run: tox -e "py$PYTHON"\n  env: {PYTHON: "${{ matrix.python }}"}')],
    ),
    "GW603": (
        [
            flow('- run: |\n    VERSION="${GITHUB_REF_NAME#v}"  # <- GW603\n    make'),
            flow("- run: TAG=${GITHUB_REF#refs/tags/} make  # <- GW603"),
            flow('- run: docker build -t "app:$GITHUB_REF_NAME" .  # <- GW603'),
            flow("- run: make\n  env:\n    APP_VERSION: ${{ gitea.ref_name }}  # <- GW603"),
            flow("- run: make TAG=$GITHUB_REF_NAME  # <- GW603", on="on: {push: {tags: ['v*'], branches: [main]}}"),
        ],
        [
            flow('- run: |\n    if [ "$GITHUB_REF_TYPE" = tag ]; then VERSION=$GITHUB_REF_NAME; fi'),
            flow('- run: VERSION="$GITHUB_REF_NAME" make', on="on:\n  push:\n    tags: ['v*']"),
            flow("- run: make\n  env:\n    TAG: ${{ gitea.ref_name }}\n  if: gitea.ref_type == 'tag'"),
            flow("- run: make\n  env:\n    TAG: ${{ gitea.ref_name }}", job="if: startsWith(gitea.ref, 'refs/tags/')"),
            flow('- run: BRANCH="$GITHUB_REF_NAME" STAGE=$GITHUB_REF_NAME make'),
        ],
    ),
    "GW604": (
        [flow("- uses: actions/checkout@v4\n- name: b\n  run: make  # <- GW604\n- run: make", top="defaults: {}")],
        [
            flow("- run: make\n  shell: pwsh", top="defaults: {}"),
            flow("- uses: actions/checkout@v4", top="defaults: {}"),
            flow(top="defaults: {}", job="defaults: {run: {shell: bash}}"),
        ],
    ),
    "GW605": (
        [
            flow('- run: |\n    curl "\\$BASE_URL/a"  # <- GW605\n    echo a >> "\\$GITHUB_OUTPUT"  # <- GW605'),
            flow('- run: |\n    curl -f \\\n      "\\${BASE_URL}/a"  # <- GW605'),
            flow('- run: "echo \\\\$TAG"  # <- GW605'),
        ],
        [
            flow(
                "- run: |\n    cat > a <<EOF\n    \\$HOME\n    EOF\n    bash -c \"echo \\$HOME\"\n    sed 's/x\\$//' f"
            ),
            flow("- run: |\n    grep 'A\\$B' f\n    # \\$HOME in a comment\n    echo \"costs \\$5\""),
            flow("- run: print('\\$HOME')\n  shell: python"),
        ],
    ),
    "GW606": (
        [
            flow("- run: docker push --all-tags registry/app  # <- GW606"),
            flow("- run: |\n    make\n    docker push -a registry/app  # <- GW606"),
        ],
        [flow("- run: |\n    docker push registry/app-a:1\n    git push --all && echo --all-tags")],
    ),
    "GW701": (
        [
            flow("- run: make clean\n  if: always()  # <- GW701"),
            flow("- run: make\n  if: ${{ cancelled() }}  # <- GW701"),
        ],
        [
            flow("- run: make clean\n  if: success() || failure()"),
            flow("- run: make\n  if: ${{ !cancelled() }}"),
            flow("- run: make\n  if: gitea.ref_name == 'always()'"),
            flow(job="if: always()"),
        ],
    ),
    "GW702": (
        [flow(job="if: failure()  # <- GW702"), flow(job="if: ${{ hashFiles('a') != '' }}  # <- GW702")],
        [flow(job="if: always() && contains(gitea.ref, 'x')"), flow("- run: make\n  if: failure()")],
    ),
    "GW703": (
        [
            flow("- run: make\n  if: inputs.dry == true  # <- GW703", on=DISPATCH),
            flow("- run: make\n  if: inputs.dry  # <- GW703", on=DISPATCH),
            flow("- run: make\n  env:\n    A: ${{ inputs.dry && 'a' || 'b' }}  # <- GW703", on=DISPATCH),
            flow(job="if: ${{ !inputs.dry }}  # <- GW703", on=DISPATCH),
        ],
        [
            flow("- run: make\n  if: inputs.dry == true || inputs.dry == 'true'", on=DISPATCH),
            flow("- run: make\n  if: github.event.inputs.dry == 'true'", on=DISPATCH),
            flow("- run: make\n  if: inputs.name == 'a'\n  env: {DRY: '${{ inputs.dry }}'}", on=DISPATCH),
            flow("- run: make\n  if: format('{0}', inputs.dry) == 'true'", on=DISPATCH),
        ],
    ),
}
POSITIVE = [pytest.param(text, id=f"{rule}-{n}") for rule, (bad, _) in CASES.items() for n, text in enumerate(bad)]
NEGATIVE = [pytest.param(text, id=f"{rule}-{n}") for rule, (_, good) in CASES.items() for n, text in enumerate(good)]


def test_every_rule_has_cases() -> None:
    assert CASES.keys() == RULES.keys()
    for rule, (bad, good) in CASES.items():
        assert good
        assert all(rule in text for text in bad) and bad


@pytest.mark.parametrize("text", POSITIVE)
def test_found_on_its_line_and_nowhere_else(text: str) -> None:
    assert found(text) == marked(text)


@pytest.mark.parametrize("text", NEGATIVE)
def test_silent_where_nothing_is_wrong(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize("text", POSITIVE)
def test_windows_line_ends_change_no_line_number(text: str) -> None:
    assert found(text.replace("\n", "\r\n")) == marked(text)


def test_opt_out_on_the_line() -> None:
    text = flow(job="environment: a  # noqa: GW101\ntimeout-minutes: 5")
    assert {rule for rule, _ in found(text)} == {"GW104"}
    assert {rule for rule, _ in found(text.replace("GW101", "E501, GW104"))} == {"GW101", "GW104"}
    assert {rule for rule, _ in found(text.replace(": GW101", ""))} == {"GW104"}
    assert {rule for rule, _ in found(text.replace("GW101", "E501"))} == {"GW101", "GW104"}


def test_opt_out_for_a_whole_script() -> None:
    text = flow("- run: |  # noqa: GW601\n    a ${{ inputs.a }} \\\n      ${{ inputs.b }}\n    b ${{ github.sha }}")
    assert {rule for rule, _ in found(text)} == {"GW602"}


def test_opt_out_for_a_file() -> None:
    text = flow(job="environment: a\ntimeout-minutes: 5")
    assert {rule for rule, _ in found("# gitea-workflows: ignore GW101, GW104 - a reason\n" + text)} == set()
    assert {rule for rule, _ in found("# gitea-workflows: ignore GW101\n" + text)} == {"GW104"}


def test_versions_leave_out_what_is_no_longer_true() -> None:
    text = flow(top="concurrency: one", job="timeout-minutes: 5\nenvironment: a")
    assert {rule for rule, _ in found(text, Options(min_gitea=(1, 25)))} == {"GW101", "GW102", "GW104"}
    assert {rule for rule, _ in found(text, Options(min_gitea=(1, 26)))} == {"GW101", "GW104"}
    assert {rule for rule, _ in found(text, Options(min_gitea=(1, 27)))} == {"GW101"}


def test_aliases_and_merges_are_followed_and_reported_once() -> None:
    text = flow("- &step\n  run: echo ${{ inputs.a }}  # <- GW601\n- *step\n- <<: *step\n  name: again")
    assert found(text) == marked(text)
    hits = lint(text, Options())
    assert len(hits) == 1


def test_a_mapping_that_holds_itself_ends() -> None:
    assert found(flow(top="env: &env\n  <<: *env\n  A: ${{ secrets.my-key }}  # <- GW503")) == {("GW503", 6)}


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_program_prints_file_line_message_and_fails_for_errors_only(tmp_path: Path) -> None:
    folder = tmp_path / ".gitea" / "workflows"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(flow(job="environment: a"))
    (folder / "b.yaml").write_text(flow(job="timeout-minutes: 5"))
    (folder / "notes.txt").write_text("not: [a workflow")

    both = run(cwd=tmp_path)
    assert both.returncode == 1, both
    first, second = both.stdout.splitlines()
    assert first.startswith(".gitea/workflows/a.yml:8: GW101 error: job build: `environment` is ignored; start such")
    assert second.startswith(".gitea/workflows/b.yaml:8: GW104 warning: job build: ")
    assert "(Gitea up to 1.26)" in second

    assert run(folder / "b.yaml").returncode == 0
    assert run("--strict", folder / "b.yaml").returncode == 1
    assert run("--strict", "--min-gitea", "1.27.0", folder / "b.yaml").stdout == ""
    assert run("--ignore", "GW101,gw104", folder).stdout == ""
    assert run("--strict", "--ignore", "GW104", folder / "b.yaml").returncode == 0


@pytest.mark.parametrize(
    ("step", "subject"),
    [
        ("- run: |\n    docker push \\\n      --all-tags x", "GW606 error: docker push --all-tags"),
        (f"- {TOKEN}\n  run: |\n    docker \\\n      login -p $TOKEN", "GW504 error: docker login"),
        ("- run: echo ${{ github.sha }} ${{github.sha}}", "GW602 warning: github.sha"),
        ('- run: make\n  ? "a\n\n    b"\n  : 1\n  ? "a\n\n    b"\n  : 2', "GW002 error: `a b`, first on line 11"),
    ],
)
def test_a_finding_is_one_line_where_what_it_names_is_more(tmp_path: Path, step: str, subject: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(flow(step))
    (line,) = run(path).stdout.splitlines()
    assert re.fullmatch(rf"{re.escape(str(path))}:\d+: {re.escape(subject)}: .*", line)


def test_github_folder_is_read_where_gitea_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(flow(job="runs-on: windows-latest"))
    result = run(cwd=tmp_path)
    assert result.returncode == 0
    assert ".github/workflows/a.yml:7: GW301" in result.stdout
    assert run("--labels", "macos-15,windows-latest", cwd=tmp_path).stdout == ""
    (tmp_path / ".gitea" / "workflows").mkdir(parents=True)
    assert run(cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"on: push\njobs:\n  a: [1, 2\n", 4, "expected ',' or ']'"),
        (b"on: push\n\tjobs: {}\n", 2, "cannot start any token"),
        (b"on: \xff\n", 1, "not UTF-8"),
        (b"on: \x00\n", 1, "unacceptable character"),
        (b"a: 1\n---\nb: 2\n", 2, "another document"),
        (b"on: *nothing\n", 1, "undefined alias"),
        (b"", 1, "empty"),
        (b"[" * 3000, 1, "nested too deeply"),
    ],
)
def test_broken_file_is_one_clear_line(tmp_path: Path, content: bytes, line: int, problem: str) -> None:
    path = tmp_path / "broken.yml"
    path.write_bytes(content)
    result = run(path)
    assert result.returncode == 1
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith(f"{path}:{line}: GW001 error: ")
    assert problem in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ignore", "GW999", "x.yml"], "no such rule: GW999"),
        (["--explain", "nothing"], "no such rule: NOTHING"),
        (["--min-gitea", "new", "x.yml"], "not a version such as 1.24: new"),
        (["missing.yml"], "missing.yml: No such file or directory"),
        ([], "no workflow found"),
        (["--rules-markdown", "notes.md"], "notes.md: the lines <!-- rules --> and <!-- /rules --> are missing"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-rules"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RULES)
    for name, rule in RULES.items():
        assert main(["--explain", name]) == 0
        text = capsys.readouterr().out
        assert rule.reason in text
        assert rule.instead in text


def test_rules_are_whole() -> None:
    for name, rule in RULES.items():
        assert re.fullmatch(r"GW\d{3}", name)
        assert rule.severity in ("error", "warning")
        assert rule.reason.endswith((".", "?")), name
        assert not rule.instead.endswith("."), name
        assert any(name.startswith(group) for group in gitea_workflows.GROUPS)


def test_document_is_current(tmp_path: Path) -> None:
    copy = tmp_path / "hooks.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["--rules-markdown", str(copy)]) == 0
    written = copy.read_text(encoding="utf-8")
    assert written == DOCUMENT.read_text(encoding="utf-8"), (
        "run hooks/gitea_workflows.py --rules-markdown docs/reference/hooks.md"
    )


def test_help_names_every_option() -> None:
    text = run("--help").stdout
    for option in ("--strict", "--ignore", "--min-gitea", "--labels", "--list-rules", "--explain", "--rules-markdown"):
        assert option in text
        assert option in DOCUMENT.read_text(encoding="utf-8")
