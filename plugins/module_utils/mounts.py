"""Which of several candidates may hold the data of all container runtimes; judged by mounts, never by names.

The format of mountinfo is proc(5)'s.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Any, NamedTuple

# Where data lies on a chosen mount point, and where when the choice is the root filesystem.
SUBDIRECTORY = "slipway"
ROOT_DIRECTORY = "/var/lib/slipway/data"

# Not for image data: shared, in memory, or without the extended attributes and device nodes that layers need.
UNFIT_FILESYSTEMS = (
    "9p", "afs", "aufs", "autofs", "beegfs", "ceph", "cifs", "devtmpfs", "efs", "erofs", "exfat", "fuse", "fuseblk",
    "gfs2", "glusterfs", "gpfs", "iso9660", "lustre", "nfs", "nfs4", "ntfs3", "ocfs2", "orangefs", "overlay", "panfs",
    "proc", "pvfs2", "ramfs", "smb3", "smbfs", "squashfs", "sysfs", "tmpfs", "vfat", "virtiofs", "wekafs",
)  # fmt: skip

# What is there below a directory for data only if somebody would miss it: users' files of enroot and Apptainer; images,
# containers and volumes of Docker 20.10 to 29, whose bare directories are made by its first start.
DATA = (
    "enroot/*/*/*", "apptainer/*/*",
    "docker/containers/*", "docker/volumes/*/_data", "docker/image/*/imagedb/content/sha256/*",
    "containerd/io.containerd.content.v1.content/blobs/sha256/*",
)  # fmt: skip


class Mount(NamedTuple):
    """One line of mountinfo: where, what kind, and its per-mount and per-filesystem options."""

    point: str
    filesystem: str
    options: tuple[str, ...]


class Space(NamedTuple):
    """What is free on a filesystem: bytes, and inodes (None where it counts none, as btrfs does)."""

    free_bytes: int
    free_inodes: int | None


class Judgement(NamedTuple):
    """A candidate and why it was refused; an empty reason means that it is usable."""

    path: str
    mount: Mount | None
    space: Space | None
    reason: str


def unescape(text: str) -> str:
    r"""Return a mountinfo field with its octal escapes (``\040``) resolved."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)


def parse_mountinfo(text: str) -> dict[str, Mount]:
    """Return the visible mounts by mount point.

    Of several on one point the last is visible. What was mounted below a point before something else was mounted
    over it cannot be reached any more, and is left out.
    """
    mounts: dict[str, Mount] = {}
    identifiers: dict[str, str] = {}
    parents: dict[str, str] = {}
    for line in text.split("\n"):
        before, separator, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(tail) < 3:
            continue
        point = unescape(fields[4])
        parents[fields[0]] = fields[1]
        for hidden in [old for old in mounts if old.startswith(point.rstrip("/") + "/") and old != point]:
            if fields[0] not in _ancestors(identifiers[hidden], parents):
                del mounts[hidden]
        mounts[point] = Mount(point, tail[0], tuple(fields[5].split(",") + tail[2].split(",")))
        identifiers[point] = fields[0]
    return mounts


def _ancestors(identifier: str, parents: dict[str, str]) -> set[str]:
    found: set[str] = set()
    while identifier in parents and parents[identifier] not in found:
        identifier = parents[identifier]
        found.add(identifier)
    return found


def holder(path: str, mounts: dict[str, Mount]) -> Mount | None:
    """Return the mount that a path, existing or not, lies on."""
    while path not in mounts and path not in ("/", ""):
        path = os.path.dirname(path)
    return mounts.get(path)


def mount_reason(candidate: str, mount: Mount | None) -> str:
    """Return why a mount cannot hold image data, '' when it can."""
    if mount is None:
        return "nothing is mounted there"
    kind = mount.filesystem.partition(".")[0]
    # A node that is itself a container has an overlay as its root; there is nothing else to fall back on.
    if kind in UNFIT_FILESYSTEMS and not (candidate == "/" and kind == "overlay"):
        return "%s is shared, in memory, layered or without what image layers need" % mount.filesystem
    unfit = [option for option in ("ro", "noexec") if option in mount.options]
    return "mounted %s" % ",".join(unfit) if unfit else ""


def space_reason(space: Space, free_bytes: int, free_inodes: int) -> str:
    """Return why a filesystem has too little room, '' when it has enough."""
    if space.free_bytes < free_bytes:
        return "%.1f GiB free, %.1f wanted" % (space.free_bytes / 2**30, free_bytes / 2**30)
    if space.free_inodes is not None and space.free_inodes < free_inodes:
        return "%d inodes free, %d wanted" % (space.free_inodes, free_inodes)
    return ""


def measure(path: str) -> Space:
    """Return what is free for ordinary users; raises OSError."""
    status = os.statvfs(path)
    return Space(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None)


def directory_of(candidate: str) -> str:
    """Return the directory that a candidate stands for."""
    path = os.path.normpath(candidate)
    return ROOT_DIRECTORY if path == "/" else os.path.join(path, SUBDIRECTORY)


def holds_data(directory: str) -> bool:
    """Return whether anything lies below a directory for data that somebody would miss."""
    paths = (path for pattern in DATA for path in glob.iglob(os.path.join(glob.escape(directory), pattern)))
    return next(paths, None) is not None


def survey(mounts: dict[str, Mount]) -> dict[str, Any]:
    """Return as facts what ``choose`` needs to know of a node.

    C(data_mounts): each {point, filesystem}, and where it is fit for data also {options, free_bytes, free_inodes}, or
    {options, error} where it does not answer. C(data_directories): the directories for data that are there;
    C(data_in_use): those that hold some.
    """
    found = []
    for point, mount in mounts.items():
        entry: dict[str, Any] = {"point": point, "filesystem": mount.filesystem}
        # One that is unfit is not asked: a network filesystem may never answer.
        if not mount_reason(point, mount._replace(options=())):
            entry["options"] = list(mount.options)
            try:
                entry.update(measure(point)._asdict())
            except OSError as error:
                entry["error"] = error.strerror or "cannot be read"
        found.append(entry)
    directories = {directory_of(entry["point"]) for entry in found if "options" in entry} | {ROOT_DIRECTORY}
    there = sorted(filter(os.path.isdir, directories))
    return {"data_mounts": found, "data_directories": there, "data_in_use": list(filter(holds_data, there))}


class Node(NamedTuple):
    """What a survey found: mounts, the room on each or why it is not known, and the directories for data."""

    mounts: dict[str, Mount]
    rooms: dict[str, Space | str]
    data_directories: frozenset[str]
    data_in_use: frozenset[str]


def surveyed(facts: dict[str, Any]) -> Node:
    """Read the facts of ``survey``; raises KeyError where they are none."""
    mounts: dict[str, Mount] = {}
    rooms: dict[str, Space | str] = {}
    for entry in facts["data_mounts"]:
        point = entry["point"]
        mounts[point] = Mount(point, entry["filesystem"], tuple(entry.get("options", ())))
        if "options" in entry:
            rooms[point] = entry.get("error") or Space(entry["free_bytes"], entry["free_inodes"])
    return Node(mounts, rooms, frozenset(facts["data_directories"]), frozenset(facts["data_in_use"]))


def judge(candidate: str, node: Node, free_bytes: int, free_inodes: int) -> Judgement:
    """Judge one candidate: a mount point of its own, of a fit kind, writable, with room.

    For ``/`` another mount may hold the directory, such as a separate /var.
    """
    path = os.path.normpath(candidate)
    mount = holder(directory_of(candidate), node.mounts) if path == "/" else node.mounts.get(path)
    if mount is not None:
        path = mount.point
    reason = mount_reason(path, mount)
    if reason:
        return Judgement(candidate, mount, None, reason)
    room = node.rooms[path]
    if isinstance(room, str):
        return Judgement(candidate, mount, None, room)
    return Judgement(candidate, mount, room, space_reason(room, free_bytes, free_inodes))


class Choice(NamedTuple):
    """The first usable candidate, or None; those before it, each {path, reason}; and what to warn of."""

    chosen: Judgement | None
    rejected: list[dict[str, str]]
    warnings: list[str]


LATE = (
    "%(new)s can be used now, and stays unused: %(old)s holds data. To move: drain the node, set storage_candidates: "
    "[%(new)s] for it and run site.yml, then delete the setting and %(old)s (docs/operate/troubleshooting.md)."
)


def choose(candidates: list[str], node: Node, free_bytes: int, free_inodes: int) -> Choice:
    """Take the first usable candidate; one that holds data already is kept although its space ran low.

    Data is not left behind for a candidate that was mounted later: while one further down holds some, it is kept.
    """
    choice = Choice(None, [], [])
    for candidate in candidates:
        judgement = judge(candidate, node, free_bytes, free_inodes)
        directory = directory_of(candidate)
        there = judgement.space is not None and directory in node.data_directories
        if judgement.reason and not there:
            choice.rejected.append({"path": candidate, "reason": judgement.reason})
        elif choice.chosen is None or (
            directory in node.data_in_use and directory_of(choice.chosen.path) not in node.data_directories
        ):
            passed = choice.chosen
            choice = choice._replace(chosen=judgement)
            if passed:
                told = "usable, but %s holds data" % directory
                choice.rejected.append({"path": passed.path, "reason": told})
                choice.warnings.append(LATE % {"new": passed.path, "old": directory})
            if judgement.reason:
                choice.warnings.append(
                    "%s runs low: %s. Free some: it already holds data and is kept." % (candidate, judgement.reason)
                )
    return choice
