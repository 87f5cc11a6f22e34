"""From a tag to a public release: the draft, what is uploaded to it, and the moment at which it is whole."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import file_digest
from pathlib import Path

from releasing import ReleaseError, add_command, output, say, warn
from releasing.forge import NAME, Asset, Forge, Release, connect
from releasing.project import SUMS, Project, Wanted, notes_of, read_project

BEGIN, END = "<!-- downloads -->", "<!-- /downloads -->"
MADE = {SUMS, "update.json", "update.json.sig"}  # by `publish`, from what is uploaded


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add_command(commands, "version", "say what a tag means: version, channel, pre-release or not", version)
    add_command(commands, "create", "make the draft of the release, with notes and downloads", create)
    command = add_command(commands, "upload", "upload files to the draft, in place of those of the same name", upload)
    command.add_argument("files", metavar="FILE", nargs="+", type=Path)
    command = add_command(commands, "publish", "check that the draft is whole, add checksums, make it public", publish)
    gate = command.add_mutually_exclusive_group()
    gate.add_argument("--draft", action="store_true", help="leave it a draft, for a person to publish")
    gate.add_argument(
        "--public", action="store_true", help="make it public even where a person decides (the answer release_gate)"
    )
    gate.add_argument("--check", action="store_true", help="change nothing: say whether it is public and whole")


def version(options: argparse.Namespace) -> None:
    """Print what a tag means; a tag that cannot be released is an error."""
    project = read_project(options.tag)
    values = {"tag": project.tag, "version": str(project.version), "channel": project.channel}
    for name, value in {**values, "prerelease": str(project.version.is_prerelease).lower()}.items():
        print(f"{name}={value}")
    output(**values, prerelease=project.version.is_prerelease)


def create(options: argparse.Namespace) -> None:
    project = read_project(options.tag)
    unset = [line for target in project.targets for line in target.unset_secrets(project)]
    if unset:
        raise ReleaseError(" ".join(unset))
    forge = connect()
    releases = list(forge.releases())
    release = next((release for release in releases if release.tag == project.tag), None)
    if release and not options.dry_run:
        release = withdraw(forge, release)
    if release and not release.draft:
        say(f"{project.tag} is public already: {release.page}. What is uploaded now is only compared.")
        output(public=True)
        return
    for other in releases:
        if other.version == project.version and other.tag != project.tag:
            raise ReleaseError(
                f"There is a {'draft' if other.draft else 'release'} of {other.tag}, which is the same version as "
                f"{project.tag}: {'delete it, or ' if other.draft else ''}take the next number."
            )
    notes = notes_of(project.version)
    if not forge.knows_tag(project.tag):
        raise ReleaseError(f"The server has no tag {project.tag}: push it first (git push origin {project.tag}).")
    output(public=False)
    if release:
        warn(f"A draft of {project.tag} is there already and is used as it is: {release.page}")
        return
    if options.dry_run:
        say(f"would make the draft {project.title!r}")
        return
    body = f"{notes}\n\n{downloads(project, [file.pattern for file in project.wanted])}\n"
    settled = forge.is_settled(project.tag)
    release = forge.create_draft(project.tag, project.title, body, prerelease=project.version.is_prerelease)
    for _ in range(0 if settled else 10):
        time.sleep(0.5)
        release = withdraw(forge, forge.get(release))
    say(f"made the draft {project.title}: {release.page}")


def withdraw(forge: Forge, release: Release) -> Release:
    """Make a draft again of what was public too early, by a person, or by Gitea.

    Gitea makes a draft public when it takes note of the push of its tag only afterwards. `create` waits for that where it can.
    """
    if release.draft or BEGIN not in release.body or release.named(SUMS):
        return release
    warn(f"{release.tag} was public before it was whole: it is a draft again.")
    return forge.edit(release, draft=True)


def downloads(project: Project, names: Sequence[str]) -> str:
    """Give the part of the text that lists what can be downloaded and how to get the rest."""
    rows = [f"| [{name}]({project.download_url(name)}) | {use_of(project, name)} |" for name in names]
    table = ["| File | For |", "|---|---|", *rows] if rows else []
    notes = [line for target in project.targets for line in target.notes(project)]
    return "\n".join([BEGIN, "## Downloads", "", *table, *([""] if rows else []), *notes, END])


def use_of(project: Project, name: str) -> str:
    if name in MADE:
        return "checksums" if name == SUMS else "what the app's own update reads"
    return next((file.use for file in project.wanted if name == file.pattern or fnmatchcase(name, file.pattern)), "")


def with_downloads(project: Project, body: str, names: Sequence[str]) -> str:
    """Renew that part, and leave alone what a person wrote around it."""
    text = downloads(project, names)
    found = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return found.sub(lambda _: text, body, count=1) if found.search(body) else f"{body.rstrip()}\n\n{text}\n"


def need_release(forge: Forge, project: Project) -> Release:
    release = forge.find_release(project.tag)
    if release is None:
        raise ReleaseError(
            f"There is no release of {project.tag} (or the token may not see drafts): make it with 'release.py create'."
        )
    return release


def upload(options: argparse.Namespace) -> None:
    for path in options.files:
        if not path.is_file():
            raise ReleaseError(f"{path} is no file: build it first.")
        if path.stat().st_size == 0:
            raise ReleaseError(f"{path} is empty: build it again.")
        if not NAME.fullmatch(path.name) or path.name in MADE:
            raise ReleaseError(
                f"{path.name!r} cannot be uploaded under this name: rename it (letters, digits and . _ + ~ -)."
            )
    if len({path.name for path in options.files}) != len(options.files):
        raise ReleaseError("Two of the files have the same name: rename one.")
    project = read_project(options.tag)
    forge = connect()
    release = need_release(forge, project)
    if not options.dry_run:
        release = withdraw(forge, release)
    if not release.draft:
        compare(forge, release, {path.name: digest(path) for path in options.files})
        return
    for path in options.files:
        if options.dry_run:
            say(f"would upload {path.name} in place of {len(release.named(path.name))}")
            continue
        asset = forge.upload(release, path)
        say(f"uploaded {asset.name}, {asset.size} bytes")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def compare(forge: Forge, release: Release, digests: Mapping[str, str]) -> None:
    """See whether files are those of a public release: those never change."""
    published = read_sums(forge, release)
    for name, value in digests.items():
        if name not in published:
            raise ReleaseError(
                f"{release.tag} is public, and {name} is not in it; a public release never changes: take the next version."
            )
        if published[name] != value:
            raise ReleaseError(
                f"{release.tag} is public with another {name}; a public release never changes: take the next version "
                f"(index, image and announcement are finished by their own commands)."
            )
        say(f"{name} is the one that is public")


def read_sums(forge: Forge, release: Release) -> dict[str, str]:
    """Read the checksums of a release."""
    found = release.named(SUMS)
    if len(found) != 1:
        raise ReleaseError(
            f"{release.tag} is public and has {len(found)} files {SUMS} instead of one: it was not made by 'release.py publish'."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SUMS)
        forge.download(release, found[0], path)
        lines = [line.split("  ", 1) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    if not all(len(line) == 2 and re.fullmatch(r"[0-9a-f]{64}", line[0]) for line in lines):
        raise ReleaseError(f"{SUMS} of {release.tag} cannot be read.")
    return {name: value for value, name in lines}


def publish(options: argparse.Namespace) -> None:
    project = read_project(options.tag)
    forge = connect()
    release = need_release(forge, project)
    if not (options.check or options.dry_run):
        release = withdraw(forge, release)
    require_whole(project, release)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        if not release.draft:
            verify(forge, release, Path(folder))
            say(f"{project.tag} is public and whole: {release.page}")
            output(public=True)
            return
        if options.check:
            say(f"{project.tag} is whole but a draft: publish it at {release.edit_page}")
            output(public=False)
            return
        names = complete(forge, project, release, Path(folder), dry_run=options.dry_run)
    public = options.public or (project.gate == "automatic" and not options.draft)
    output(public=public)
    if options.dry_run:
        say(f"would make {project.tag} {'public' if public else 'ready for a person'}")
        return
    changes: dict[str, object] = {"body": with_downloads(project, release.body, names)}
    if public:
        changes["draft"] = False
    release = forge.edit(release, **changes)
    if public:
        say(f"{project.title} is public: {release.page}")
    else:
        say(f"{project.title} is whole. Download and try it: {release.page}")
        say(f"Then publish it: {release.edit_page}")


def require_whole(project: Project, release: Release) -> None:
    """Refuse a release that lacks a file, or has one twice."""
    twice = sorted({asset.name for asset in release.assets if len(release.named(asset.name)) > 1})
    if twice:
        raise ReleaseError(
            f"{release.tag} has {', '.join(twice)} twice: upload {'it' if len(twice) == 1 else 'them'} again."
        )
    missing = [file for file in project.wanted if not matching(release, file)]
    if missing:
        state = "draft" if release.draft else "public release"
        raise ReleaseError(
            f"The {state} of {release.tag} lacks {', '.join(file.pattern for file in missing)}: "
            f"run the jobs that failed again, or build and upload {'it' if len(missing) == 1 else 'them'} by hand."
        )


def matching(release: Release, file: Wanted) -> list[Asset]:
    return [asset for asset in release.assets if fnmatchcase(asset.name, file.pattern)]


def complete(forge: Forge, project: Project, release: Release, folder: Path, *, dry_run: bool) -> list[str]:
    """Add what is made from the uploaded files, the checksums last; gives the names of all."""
    uploaded = [asset for asset in release.assets if asset.name not in MADE]
    for asset in uploaded:
        forge.download(release, asset, folder / asset.name)
    names = sorted(asset.name for asset in uploaded)
    for target in project.targets:
        for name, content in target.make(project, folder).items():
            (folder / name).write_bytes(content)
    made = sorted(path.name for path in folder.iterdir() if path.name in MADE)
    if lost := sorted(asset.name for asset in release.assets if asset.name in MADE - {*made, SUMS}):
        raise ReleaseError(
            f"The draft of {release.tag} has {', '.join(lost)}, which was made with a secret that is not set here: set it, or"
            f" delete the file on {release.edit_page}."
        )
    sums = "".join(f"{digest(folder / name)}  {name}\n" for name in sorted([*names, *made]))
    (folder / SUMS).write_text(sums, encoding="utf-8")
    for name in [*made, SUMS]:
        if not is_there(forge, release, folder / name):
            if dry_run:
                say(f"would add {name}")
                continue
            forge.upload(release, folder / name)
            say(f"added {name}")
    return [*names, *made, SUMS]


def is_there(forge: Forge, release: Release, path: Path) -> bool:
    """Say whether the release has exactly this file."""
    found = release.named(path.name)
    if len(found) != 1 or found[0].size != path.stat().st_size:
        return False
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        forge.download(release, found[0], copy)
        return copy.read_bytes() == path.read_bytes()


def verify(forge: Forge, release: Release, folder: Path) -> None:
    """Compare every file of a public release with its checksum."""
    published = read_sums(forge, release)
    for asset in release.assets:
        if asset.name == SUMS:
            continue
        if asset.name not in published:
            warn(f"{asset.name} was added to {release.tag} after it was published: {SUMS} does not know it.")
            continue
        forge.download(release, asset, folder / asset.name)
        if digest(folder / asset.name) != published[asset.name]:
            raise ReleaseError(
                f"{release.tag} is public, and {asset.name} is not the file that {SUMS} names: somebody replaced it."
            )
        (folder / asset.name).unlink()
    if gone := sorted(published.keys() - {asset.name for asset in release.assets}):
        raise ReleaseError(
            f"{release.tag} is public, and lacks {', '.join(gone)}, which {SUMS} names: somebody deleted it."
        )
