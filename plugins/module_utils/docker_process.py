"""The dockerd of this node: its program, and the process that runs."""

from __future__ import annotations

import os

from ansible_collections.slipway.containers.plugins.module_utils import command

PROGRAM = "dockerd"
SOCKET = "/run/docker.sock"


def find_program(name: str = PROGRAM) -> str:
    """Return the path of a program on the node, '' where it is not installed."""
    for directory in command.SEARCH_PATH.split(":"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def process_of(name: str = PROGRAM, proc: str = "/proc") -> int:
    """Return the process of a daemon that was started first, 0 where none runs.

    A dockerd in a container of the node is a process of the node, too; ours is the one that init started.
    """
    for entry in sorted((entry for entry in os.listdir(proc) if entry.isdigit()), key=int):
        try:
            with open(os.path.join(proc, entry, "stat"), encoding="utf-8", errors="replace") as stream:
                before, _parenthesis, after = stream.read().rpartition(")")
        except OSError:
            continue
        if before.partition("(")[2] == name and after.split()[1] == "1":
            return int(entry)
    return 0


def flags(proc: str = "/proc") -> list[str]:
    """Return the flags of the dockerd that runs, none where none runs."""
    process = process_of(PROGRAM, proc)
    if not process:
        return []
    try:
        with open(os.path.join(proc, str(process), "cmdline"), "rb") as stream:
            words = stream.read().decode("utf-8", "surrogateescape").rstrip("\0").split("\0")[1:]
    except OSError:
        return []
    return without_file(words)


def without_file(words: list[str]) -> list[str]:
    """Return flags of dockerd without the one that names its configuration file."""
    kept: list[str] = []
    follows = False
    for word in words:
        if follows or word.startswith("--config-file"):
            follows = word == "--config-file"
            continue
        kept.append(word)
    return kept


def containers(proc: str = "/proc") -> int:
    """Return how many containers of the node's containerd run: each has one shim, which outlives both daemons.

    The shims of a rootless Docker are their account's, and no restart of ours ends them.
    """
    return _owners("containerd-shim", proc).count(0)


def rootless(proc: str = "/proc") -> list[int]:
    """Return the accounts (user ids) that run a Docker of their own: its dockerd is root only to its own namespace."""
    return sorted(set(_owners(PROGRAM, proc)) - {0})


def _owners(prefix: str, proc: str) -> list[int]:
    """Return the owner (user id) of each process whose name begins so; a shim's says which version it is of."""
    owners = []
    for entry in os.listdir(proc):
        if entry.isdigit():
            try:
                with open(os.path.join(proc, entry, "comm"), encoding="utf-8", errors="replace") as stream:
                    if stream.read().startswith(prefix):
                        owners.append(os.stat(os.path.join(proc, entry)).st_uid)
            except OSError:
                continue
    return owners


def was_replaced(process: int, proc: str = "/proc") -> bool:
    """Tell whether a process runs a program that is no longer on the disk, as after an upgrade."""
    try:
        return os.readlink(os.path.join(proc, str(process), "exe")).endswith(" (deleted)")
    except OSError:
        return False
