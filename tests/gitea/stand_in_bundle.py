# /// script
# requires-python = ">=3.11"
# dependencies = ["cyclonedx-python-lib==11.12.0", "filelock>=3.20", "packaging>=25"]
# ///
"""Stand in for the build of bundles: small archives with what a release looks at, the same bytes each time.

With a certificate setup.exe is a real program of Windows, signed as the project signs.
"""

from __future__ import annotations

import argparse
import gzip
import io
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from importlib import import_module
from pathlib import Path

# By their names: here beside the tests these modules of a project are not.
artifacts, bundle_common, signing, targets = map(import_module, ("artifacts", "bundle_common", "signing", "targets"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("platform", choices=["linux", "windows"])
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    slug = tomllib.loads(targets.find_pyproject().read_text(encoding="utf-8"))["project"]["name"]
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = f"{slug}/versions/{artifacts.version_folder(arguments.version)}/runtime-id"
    content = sha256(arguments.platform.encode()).hexdigest().encode()

    def path(kind: str) -> Path:
        found: Path = arguments.output / artifacts.artifact_name(slug, arguments.version, kind)
        return found

    for kind in (arguments.platform, f"{arguments.platform}-app"):
        if arguments.platform == "linux":
            with gzip.GzipFile(path(kind), "wb", mtime=0) as file, tarfile.open(fileobj=file, mode="w") as archive:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        else:
            with zipfile.ZipFile(path(kind), "w") as zipped:
                zipped.writestr(zipfile.ZipInfo(name), content)
    path(f"{arguments.platform}-sbom").write_text("{}\n", encoding="utf-8")
    if arguments.platform == "windows":
        make_setup(path("setup"))


def make_setup(path: Path) -> None:
    if not signing.wanted():
        path.write_bytes(b"MZ")
        return
    script = path.with_suffix(".nsi")
    script.write_text(f'Name "Sample"\nOutFile "{path.resolve()}"\nSection\nSectionEnd\n', encoding="utf-8")
    bundle_common.run(["makensis", "-V2", script], what="setup.exe cannot be made")
    script.unlink()
    signing.sign(path)


if __name__ == "__main__":
    main()
