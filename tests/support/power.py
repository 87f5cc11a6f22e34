"""What a power cut leaves: the file operations of programs, recorded by strace, and the disk after any number of them.

    disk = Disk.read(root)                          # as it was before
    for operation in recorded(trace, root):
        disk.do(operation)
        left = disk.after_a_cut(names=False, contents=False)   # only what was synced

A system may keep more than was synced, in any order: of names, of contents, of both. Some of it is tried, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.packages import require_apt

CALLS = (
    "openat,write,writev,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,rmdir,mkdir,mkdirat,sync,syncfs,copy_file_range,sendfile,fallocate"
)
TOKEN = re.compile(r'(?:AT_FDCWD|\d+)<(?P<place>[^>]*)>|"(?P<text>[^"]*)"|(?P<word>[^,\s]+)')
CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")

Coin = Callable[[], bool]
Tree = dict[str, bytes]  # contents by path; of a link, where it leads


@dataclass(frozen=True)
class Operation:
    """A call that succeeded, on paths below the root ("" is the root itself)."""

    call: str
    paths: tuple[str, ...]
    data: bytes = b""
    number: int = 0  # an offset, a length or a mode
    flags: str = ""


def record(trace: Path) -> list[str]:
    """The words before a command whose file operations are to be recorded."""
    require_apt("strace")
    return ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "10000000", "-o", str(trace), "-e", f"trace={CALLS}"]


def recorded(trace: Path, root: Path) -> Iterator[Operation]:
    """Read the operations below `root`, in the order in which they ended."""
    begun: dict[str, str] = {}
    folders: dict[str, str] = {}  # in which processes are
    for line in trace.read_text(encoding="ascii").splitlines():
        pid = line.partition(" ")[0]
        if line.endswith(" <unfinished ...>"):
            begun[pid] = line.removesuffix(" <unfinished ...>")
            continue
        if resumed := re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line):
            line = begun.pop(pid) + resumed[1]
        found = CALL.match(line)
        if found and int(found[4]) >= 0 and (operation := _read(pid, found, folders, os.fsencode(root))):
            yield operation


def _read(pid: str, found: re.Match[str], folders: dict[str, str], root: bytes) -> Operation | None:
    call, result = found[2], int(found[4])
    place, texts, paths, words = "", list[str](), list[str](), list[str]()
    if call.startswith("openat") and "O_CREAT" not in found[3] and "O_TRUNC" not in found[3]:
        if at := re.match(r"AT_FDCWD<([^>]*)>", found[3]):
            folders[pid] = at[1]
        return None
    for token in TOKEN.finditer(found[3]):
        if token["place"] is not None:
            place = token["place"]
            if token[0].startswith("AT_FDCWD"):
                folders[pid] = place
        elif token["text"] is not None:
            texts.append(token["text"])
            base = place or folders.get(pid, "")
            name = token["text"]
            paths.append(name if name.startswith(r"\x2f") else rf"{base}\x2f{name}")
        else:
            words.append(token["word"])
    if call in {"write", "writev", "pwrite64", "ftruncate", "fsync", "fdatasync", "fallocate", "copy_file_range"}:
        paths = [place]
    if "(deleted)" in words:
        return None
    if call.startswith("symlink"):
        texts, paths = texts[:1], paths[1:]
    inside = [_below(_bytes(path), root) for path in paths]
    if not inside or any(path is None for path in inside):
        if any(path is not None for path in inside):
            raise AssertionError(f"between the folder and another one: {found[0]}")
        return None
    data = b"".join(map(_bytes, texts)) if call.startswith(("write", "pwrite", "symlink")) else b""
    if call.startswith(("write", "pwrite")):
        data = data[:result]
    number = 0
    if call in {"pwrite64", "ftruncate"}:
        number = int(words[-1])
    elif call == "openat":
        number = int(words[-1], 8) if words[-1].startswith("0") else 0o644
    return Operation(call, tuple(path for path in inside if path is not None), data, number, "|".join(words))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(r"\x", ""))


def _below(path: bytes, root: bytes) -> str | None:
    path = os.path.normpath(path)
    if path == root:
        return ""
    return os.fsdecode(path[len(root) + 1 :]) if path.startswith(root + b"/") else None


@dataclass(eq=False)
class File:
    """A file or a link, by whatever names."""

    data: bytes
    synced: bytes
    mode: int = 0o644
    is_link: bool = False


@dataclass(eq=False)
class Folder:
    """A folder: its names now, and those that are on the disk."""

    entries: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)

    def after_a_cut(self, names: Coin, contents: Coin) -> Folder:
        """What is left: of what was not synced only what the coins say."""
        left = Folder()
        for name in self.entries.keys() | self.synced.keys():
            now, before = self.entries.get(name), self.synced.get(name)
            entry = now if now is before or names() else before
            if isinstance(entry, Folder):
                left.entries[name] = entry.after_a_cut(names, contents)
            elif entry is not None and entry.data is not entry.synced and not contents():
                left.entries[name] = File(entry.synced, entry.synced, entry.mode)
            elif entry is not None:
                left.entries[name] = entry
        return left

    def find(self, path: str) -> File | Folder | None:
        entry: File | Folder | None = self
        for name in filter(None, path.split("/")):
            entry = entry.entries.get(name) if isinstance(entry, Folder) else None
        return entry

    def text(self, path: str) -> str | None:
        """What a small file says."""
        entry = self.find(path)
        return entry.data.decode("utf-8", "replace") if isinstance(entry, File) else None

    def tree(self, path: str = "") -> Tree:
        """All that is below."""
        entry, found = self.find(path), Tree()
        for name, each in entry.entries.items() if isinstance(entry, Folder) else ():
            if isinstance(each, File):
                found[name] = each.data
            else:
                found |= {f"{name}/{rest}": data for rest, data in each.tree().items()}
        return found

    def write(self, root: Path) -> None:
        """Make it a real folder."""
        root.mkdir(parents=True)
        for name, entry in self.entries.items():
            path = root / name
            if isinstance(entry, Folder):
                entry.write(path)
            elif entry.is_link:
                path.symlink_to(os.fsdecode(entry.data))
            else:
                path.write_bytes(entry.data)
                path.chmod(entry.mode)


class Disk(Folder):
    """The folder whose operations were recorded."""

    @classmethod
    def read(cls, root: Path) -> Disk:
        """Read a folder; all of it is on the disk."""
        disk = cls()
        _fill(disk, root)
        return disk

    def do(self, operation: Operation) -> None:
        """Do what was recorded."""
        call, paths = operation.call, operation.paths
        folder, name = self._parent(paths[-1])
        entry = folder.entries.get(name) if name else self
        if call in {"fsync", "fdatasync"}:
            if isinstance(entry, Folder):
                entry.synced = dict(entry.entries)
            elif entry:
                entry.synced = entry.data
        elif call == "openat":
            if entry is None:
                folder.entries[name] = File(b"", b"", operation.number & 0o755)
            elif isinstance(entry, File) and "O_TRUNC" in operation.flags:
                entry.data = b""
        elif call.startswith(("write", "pwrite")) or call == "ftruncate":
            if isinstance(entry, File):
                entry.data = _changed(entry.data, operation)
        elif call.startswith("mkdir"):
            folder.entries[name] = Folder()
        elif call.startswith("symlink"):
            folder.entries[name] = File(operation.data, operation.data, is_link=True)
        elif call.startswith(("unlink", "rmdir")):
            del folder.entries[name]
        elif call.startswith(("link", "rename")):
            source, old = self._parent(paths[0])
            folder.entries[name] = source.entries[old]
            if call.startswith("rename"):
                del source.entries[old]
        else:
            raise AssertionError(f"nobody has told what {call} does: {operation}")

    def _parent(self, path: str) -> tuple[Folder, str]:
        parent, _, name = path.rpartition("/")
        folder = self.find(parent)
        assert isinstance(folder, Folder), f"no folder {parent}"
        return folder, name


def _changed(data: bytes, operation: Operation) -> bytes:
    if operation.call == "ftruncate":
        return data[: operation.number].ljust(operation.number, b"\0")
    if operation.call == "pwrite64":
        end = operation.number + len(operation.data)
        return data[: operation.number].ljust(operation.number, b"\0") + operation.data + data[end:]
    return data + operation.data  # nothing here writes in the middle otherwise; the last state is compared


def _fill(folder: Folder, root: Path) -> None:
    for path in root.iterdir():
        if path.is_symlink():
            target = os.fsencode(path.readlink())
            folder.entries[path.name] = File(target, target, is_link=True)
        elif path.is_dir():
            inner = folder.entries[path.name] = Folder()
            _fill(inner, path)
        else:
            data = path.read_bytes()
            folder.entries[path.name] = File(data, data, path.stat().st_mode & 0o777)
    folder.synced = dict(folder.entries)
