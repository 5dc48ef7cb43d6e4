"""A plugstack.conf with everything it includes, as one node sees it. Reads files, changes none."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Container
from dataclasses import dataclass, field

from ansible_collections.slipway.containers.plugins.module_utils import plugstack

INCLUDE_DEPTH = 8


@dataclass
class File:
    """One file of the tree; ``text`` is None where it cannot be read."""

    path: str
    text: str | None
    lines: list[plugstack.Line] = field(default_factory=list)


@dataclass
class Tree:
    """All files in the order in which Slurm reads them, and every include with its full pattern."""

    main: str
    files: list[File] = field(default_factory=list)
    # (file, line, full pattern, paths that match now)
    includes: list[tuple[str, plugstack.Line, str, list[str]]] = field(default_factory=list)

    def registrations(self, names: list[str]) -> list[tuple[str, plugstack.Line]]:
        """Return (file, line) of each registration of plugins with these file names."""
        return [(file.path, line) for file in self.files for line in file.lines if line.plugin_name in names]


def read_text(path: str) -> str | None:
    """Return a file's text, bytes that are no UTF-8 kept as surrogates; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except OSError:
        return None


def read_tree(main: str) -> Tree:
    """Read a plugstack.conf and what it includes; a missing main file is an empty tree."""
    tree = Tree(main)
    _read(tree, main, 0)
    return tree


def _read(tree: Tree, path: str, depth: int) -> None:
    # An include matches directories and dangling links as well; Slurm reads nothing from them.
    if not os.path.exists(path) or os.path.isdir(path):
        return
    text = read_text(path)
    file = File(path, text, plugstack.parse(text or ""))
    tree.files.append(file)
    for line in file.lines:
        if line.kind != "include":
            continue
        pattern = os.path.join(os.path.dirname(path), line.target)
        matches = sorted(glob.glob(pattern))
        tree.includes.append((path, line, pattern, matches))
        for match in matches if depth < INCLUDE_DEPTH else []:
            _read(tree, match, depth + 1)


def describe(tree: Tree, names: list[str]) -> list[dict[str, object]]:
    """Return the registrations of these plugins as plain data."""
    return [
        {
            "file": path,
            "line": line.number,
            "flag": line.kind,
            "plugin": line.target.rstrip("\r"),
            "arguments": [argument.rstrip("\r") for argument in line.arguments],
        }
        for path, line in tree.registrations(names)
    ]


def find_problems(
    tree: Tree, plugin_directory: str | None, configless: bool, owners: Container[int] = (0,)
) -> list[dict[str, str]]:
    """Return everything about a tree that breaks commands, or will, or lets others in, as {file, problem}.

    What slurmd loads as root may belong to one of the ``owners``.
    """
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for file in tree.files:
        if file.path in seen:
            found.append((file.path, "is included more than once"))
            continue
        seen.add(file.path)
        found += [(file.path, problem) for problem in _readability(file, owners)]
        for line in file.lines:
            found += [(file.path, problem) for problem in plugstack.line_problems(line)]
            found += [(file.path, problem) for problem in _plugin_problems(line, plugin_directory, owners)]
    found += _include_problems(tree, configless)
    found += _duplicates(tree)
    return [{"file": path, "problem": problem} for path, problem in dict.fromkeys(found)]


def _readability(file: File, owners: Container[int]) -> list[str]:
    if file.text is None:
        return ["cannot be read"]
    problems = []
    if not os.stat(file.path).st_mode & stat.S_IROTH:
        problems.append("is not readable for ordinary users, which refuses each of their jobs")
    closed = closed_directory(file.path)
    if closed:
        problems.append(f"lies in {closed}, which ordinary users cannot enter")
    writers = _writers(file.path, owners)
    if writers:
        problems.append(f"names what slurmd loads as root, and others may write it ({writers})")
    return problems


def _writers(path: str, owners: Container[int]) -> str:
    """Return mode and owner of a file that others than its owners may write, empty where nobody else may."""
    status = os.stat(path)
    if status.st_uid in owners and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return ""
    return f"mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}"


def closed_directory(path: str) -> str:
    """Return the directory on the way to a path that others may not enter, empty where there is none."""
    # Both ways count: the one that is written, and the one that symbolic links lead to.
    for start in (os.path.abspath(path), os.path.realpath(path)):
        directory = os.path.dirname(start)
        while directory != os.path.dirname(directory):
            if os.path.isdir(directory) and not os.stat(directory).st_mode & stat.S_IXOTH:
                return directory
            directory = os.path.dirname(directory)
    return ""


def _plugin_problems(line: plugstack.Line, plugin_directory: str | None, owners: Container[int]) -> list[str]:
    if line.kind not in plugstack.FLAGS:
        return []
    target = line.target.rstrip("\r")
    if not target.startswith("/") and not plugin_directory:
        return []
    path = target if target.startswith("/") else os.path.join(plugin_directory or "", target)
    required = line.kind == "required"
    if not os.path.exists(path):
        return [f"line {line.number}: requires {path}, which does not exist: every job is refused"] if required else []
    problems = []
    if required and (not os.stat(path).st_mode & stat.S_IROTH or closed_directory(path)):
        problems.append(f"line {line.number}: requires {path}, which ordinary users cannot read")
    writers = _writers(path, owners)
    if writers:
        problems.append(f"line {line.number}: slurmd loads {path} as root, and others may write it ({writers})")
    return problems


def _include_problems(tree: Tree, configless: bool) -> list[tuple[str, str]]:
    found = []
    for path, line, pattern, matches in tree.includes:
        where = f"line {line.number}: "
        for match in matches:
            if not match.endswith(".conf"):
                found.append((path, where + f"the include matches {match}, which does not end in .conf"))
        directory = os.path.dirname(pattern)
        if os.path.isdir(directory) and not os.stat(directory).st_mode & stat.S_IXOTH:
            found.append((path, where + f"ordinary users cannot enter {directory}"))
        # Configless hands out bare-named files beside plugstack.conf (23.11 on), no pattern and no directory.
        if (
            configless
            and (plugstack.is_glob(line.target) or "/" in line.target)
            and not line.target.startswith("/")
        ):
            found.append(
                (path, where + f"configless Slurm does not hand out what include {line.target} names")
            )
    return found


def _duplicates(tree: Tree) -> list[tuple[str, str]]:
    first: dict[str, str] = {}
    found = []
    for file in tree.files:
        for line in file.lines:
            name = line.plugin_name
            if not name:
                continue
            place = f"{file.path}:{line.number}"
            if name in first:
                found.append((file.path, f"line {line.number}: registers {name} again, after {first[name]}"))
            first.setdefault(name, place)
    return found
