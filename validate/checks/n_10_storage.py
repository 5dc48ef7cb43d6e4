"""N-10: every runtime's directories are local, executable and writable for this account."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validate import reading, slurm
from validate.model import Beside, Check, Context, Finding, compare, errored, failed, passed, skipped, undecided
from validate.probing import Node

CHECK = Check(
    id="N-10",
    title="runtimes' storage: local, exec, writable",
    tier="quick",
    step="host",
    cause="the account cannot write where containers are kept",
    fix="findmnt -T PATH; ls -ld PATH; then playbooks/site.yml, which makes the directories",
    after=("N-33", "N-05", "N-28", "C-10"),
)


# Where jobs and the suite itself keep what is theirs for a while: all users share these.
COMMON = {"temporary files": "/tmp", "lasting temporary files": "/var/tmp", "shared memory": "/dev/shm"}
# N-11 says that a disk is full; a quota that is used up it does not see.
FULL, CLOSED, READ_ONLY, MISSING, QUOTA = (
    os.strerror(number) for number in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EDQUOT)
)
CONFIGURATION = "/etc/enroot/enroot.conf"
# Users write below these nowhere: a directory that is missing there was to be made for them.
OF_ROOT = ("/", "/run", "/var", "/var/lib", "/var/cache", "/opt", "/srv", "/mnt", "/home")
MAKE = (
    "systemctl restart slipway-storage{}; systemd-tmpfiles --create --prefix={}; "
    "then playbooks/site.yml, which makes the directories and what makes them at boot"
)
LOCAL = ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH", "pyxis")
GOOD = "local, executable, writable, on the same mount as the other nodes"


def observe(node: Node) -> Any:
    """Find what holds each path, and write there as enroot would."""
    table = reading.mounts(node)
    found: dict[str, dict[str, Any]] = {}
    for key, path in reading.enroot_paths(node).items():
        found[key] = {**reading.place_of(path, table), **reading.write(path)}
        # A prolog may give each job on each node a directory of its own.
        if not (key == "ENROOT_TEMP_PATH" and os.environ.get("TMPDIR")):
            found[key]["shape"] = shape(path, node.name)
    for key, path in COMMON.items():
        found[key] = {**reading.place_of(path, table), **reading.write(path), "mode": mode(path)}
    for line in slurm.plugstack(node)["pyxis"]:
        runtime = slurm.runtime_path(line)
        # slurmd makes the last component alone, as root.
        parent = os.path.dirname(os.path.realpath(runtime))  # noqa: PTH120 - it may not exist
        there = os.path.isdir(parent)  # noqa: PTH112
        found["pyxis"] = {**reading.place_of(runtime, table), "write": ""}
        if not there:
            at = reading.obstacle(os.path.realpath(runtime))
            problem = f"{parent} is missing" if at["enters"] else f"{parent} is not reached"
            found["pyxis"].update(write=problem, obstacle=at)
    configuration = {"file": CONFIGURATION, "problem": node.problem(CONFIGURATION)}
    configuration["closed"] = reading.closed(node, f"{CONFIGURATION}.d")
    return {**found, "configuration": configuration}


def shape(path: str, name: str) -> str:
    """Return a path as it is the same on all nodes: it may hold the job's number and the node's name."""
    for text, word in ((os.environ.get("SLURM_JOB_ID", ""), "JOB"), (name, "NODE")):
        path = re.sub(rf"\b{re.escape(text)}\b", word, path) if text else path
    return path


def mode(path: str) -> int:
    """Return a directory's mode, 0 where it cannot be seen."""
    try:
        return Path(path).stat().st_mode & 0o7777
    except OSError:
        return 0


def judge(observed: Any, context: Context) -> Finding:
    """Nothing shared, nothing noexec that is executed from, all writable, and mounted where the others have it."""
    if "enroot" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name enroot")
    configuration = observed.get("configuration") or {}
    places = {key: place for key, place in observed.items() if key != "configuration"}
    finding = unread(places, configuration)
    if finding:
        return finding
    named = compare(context.fleet, paths(observed), paths)
    if named.other:
        return elsewhere(named, configuration, context.node)
    beside = compare(context.fleet, mount_points(places), mount_points, merit=freedom)
    finding = next(filter(None, (look(places, beside, context.fleet) for look in (written, shared, noexec))), None)
    if finding:
        return finding
    if beside.other:
        return mounted_otherwise(places, beside, context.fleet)
    open_to_all = [place["path"] for place in places.values() if place.get("mode", 0) & 0o1002 == 0o002]
    if open_to_all:
        return failed(
            "; ".join(f"{path} has no sticky bit" for path in open_to_all),
            "1777",
            "every user can remove and replace the files of others there",
            f"chmod 1777 {' '.join(open_to_all)}",
        )
    for differing, fix, show in (
        (named, f"diff {CONFIGURATION} of both nodes; playbooks/site.yml writes it anew", str),
        (beside, "findmnt -T PATH on both; mount what is missing; /etc/fstab", shown),
    ):
        if differing.split:
            return undecided(differing, fix, show)
    return passed("; ".join(f"{key} {place['type']} on {place['mount']}" for key, place in places.items()))


def unread(places: Mapping[str, Any], configuration: Mapping[str, Any]) -> Finding | None:
    """Return the finding of a configuration that users cannot read; older results do not say all."""
    if not places.keys() >= {*reading.ENROOT_KEYS}:
        return errored("an observation without enroot's four paths")
    if configuration.get("closed"):
        return failed(
            f"{configuration['closed']} keeps users out",
            "a directory that users can enter and read",
            f"users cannot enter {configuration['closed']}: enroot finds nothing of what is in it",
            f"chmod 0755 {configuration['closed']}",
        )
    if configuration.get("problem") not in (None, "", MISSING):
        return failed(
            f"{configuration['file']}: {configuration['problem']}",
            "a file that users can read",
            f"users cannot read {configuration['file']}: enroot silently takes its own defaults for everything",
            f"chmod 0644 {configuration['file']}; ls -ld /etc/enroot; playbooks/site.yml writes it anew",
        )
    return None


def elsewhere(named: Beside, configuration: Mapping[str, Any], node: str) -> Finding:
    """Return the finding of a node whose enroot has other paths than most."""
    missing = configuration.get("problem") == MISSING
    file = configuration.get("file", CONFIGURATION)
    return failed(
        "; ".join(f"{key} is {named.own[key]}" for key in named.other) + f"; {file} is missing" * missing,
        "; ".join(f"{key} {seen.usual}" for key, seen in named.other.items()) + f", {named.on}",
        f"{file} is missing on this node: enroot takes its own defaults"
        if missing
        else f"{file}, or a file of {file}.d, names other paths here than on the other nodes",
        f"diff <(ssh {named.like} cat {file}) <(ssh {node} cat {file}); playbooks/site.yml writes it anew",
    )


def written(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding | None:
    """Return the finding of the first place that cannot be written, with all that cannot."""
    bad = {key: place for key, place in places.items() if place["write"] not in ("", FULL)}
    if not bad:
        return None
    said = "; ".join(f"{key} {place['path']}: {place['write']}" for key, place in bad.items())
    key, place = next(iter(bad.items()))
    if place["write"] == READ_ONLY:
        cause = f"the file system on {place['mount']} is read-only, or became so after an error"
        return failed(said, GOOD, cause, f"dmesg -T | tail; then mount -o remount,rw {place['mount']}; /etc/fstab")
    if place["write"] == QUOTA:
        return failed(said, GOOD, "the account's quota is used up there", f"quota -s; du -sh {place['path']}")
    if key in beside.other and beside.other[key].usual[0] != place["mount"]:
        return mounted_otherwise(places, beside, fleet)
    at = place.get("obstacle")
    if not at or (place["write"] != CLOSED and key != "pyxis"):
        return failed(said, GOOD)
    alike = beside.nodes > 1 and key not in beside.split
    return failed(f"{said} ({at['path']} is {at['owner']}'s, mode {at['mode']})", GOOD, *way_in(place, at, alike))


def way_in(place: Mapping[str, Any], at: Mapping[str, Any], alike: bool) -> tuple[str, str]:
    """Return why the account is refused at a directory, and what lets it in.

    ``alike`` says that the place lies on the same mount as on the other nodes.
    """
    if place["path"] in COMMON.values() and at["path"] == place["path"]:
        fix = f"chown root:root {at['path']}; chmod 1777 {at['path']}"
        return f"{at['path']} is not open to users: its mode or owner was changed", fix
    if at["path"] == place["path"]:
        fix = f"chown {at['me']}: {at['path']}; chmod 0700 {at['path']}"
        return f"{at['path']} is {at['owner']}'s with the mode {at['mode']}: the account cannot write there", fix
    mounted = at["path"] == place["mount"]
    if at["empty"] and at["enters"] and not mounted and not alike:
        return f"a disk is not mounted: {at['path']} is an empty directory on {place['mount']}", mounting(at["path"])
    path = place.get("real", place["path"])
    path = path if within(path, at["path"]) else place["path"]
    parent = os.path.dirname(path) == at["path"]  # noqa: PTH120 - a text
    # What users may enter and not write was made for them to enter: what is to be in it is missing.
    if at["enters"] and within(path, at["path"]) and (not parent or at["path"] in OF_ROOT or (mounted and at["empty"])):
        rest = path[len(at["path"].rstrip("/")) + 1 :]
        empty = mounted and at["empty"]
        first = f"{at['path'].rstrip('/')}/{rest.partition('/')[0]}"
        return missing(first, at["path"] if empty else "", place["write"] != CLOSED)
    mode = "1777" if parent and place["write"] == CLOSED and at["path"] not in OF_ROOT else "a+rx"
    return (
        f"the directory {at['path']} above it is not open to users",
        f"chmod {mode} {at['path']}; then playbooks/site.yml, which sets it for good",
    )


def missing(path: str, empty: str = "", slurmd: bool = False) -> tuple[str, str]:
    """Return cause and fix of a directory that is not there.

    ``empty`` is the mount that has nothing in it; ``slurmd`` has to be started again where its plugin makes a part.
    """
    why = f"{empty} is mounted and empty, as after it was formatted" if empty else "what makes it at boot did not run"
    return f"{path} is missing on this node: {why}, or it was removed", MAKE.format(" slurmd" * slurmd, path)


def mounting(point: str) -> str:
    """Return what to type where a disk is not mounted."""
    return f"findmnt {point}; systemctl list-units --failed '*.mount'; mount {point}; then playbooks/site.yml"


def shared(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding | None:
    """Return the finding of places that nodes share."""
    bad = [key for key in LOCAL if key in places and places[key]["type"] in reading.SHARED]
    if not bad:
        return None
    if all(key in beside.other for key in bad):
        return mounted_otherwise(places, beside, fleet)
    return failed(
        "; ".join(f"{key} {places[key]['path']} is on {places[key]['type']}, which nodes share" for key in bad),
        "a local file system",
        "the path lies on a shared file system: they overwrite each other's containers",
        "storage_candidates in the inventory: a local disk; then playbooks/site.yml",
    )


def noexec(places: Mapping[str, Any], _beside: Beside, _fleet: Mapping[str, Any]) -> Finding | None:
    """Return the finding of a data path from which nothing can be executed."""
    place = places.get("ENROOT_DATA_PATH") or {"options": ""}
    if "noexec" not in place["options"].split(","):
        return None
    return failed(
        f"ENROOT_DATA_PATH {place['path']} is mounted noexec",
        "a data path mounted exec",
        "containers cannot execute anything from a noexec mount (enroot#156)",
        f"mount -o remount,exec {place['mount']}; correct fstab",
    )


def mounted_otherwise(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding:
    """Return the finding of places that lie on another mount than on the other nodes."""
    said = "; ".join(f"{key} is on the mount {shown(beside.own[key])}" for key in beside.other)
    expected = "; ".join(f"{key} on {shown(seen.usual)}" for key, seen in beside.other.items()) + f", {beside.on}"
    key, seen = next(iter(beside.other.items()))
    place, usual, alike = places[key], seen.usual[0], fleet[seen.like][key]
    own = place["mount"]
    if own == usual:
        return failed(
            said,
            expected,
            "other mount options than on the other nodes: users cannot write there, or execute what lies there",
            f"findmnt -o TARGET,OPTIONS -T PATH, here and on {seen.like}; mount -o remount,rw,exec {own}; "
            "correct fstab",
        )
    # The same path that leads elsewhere: a link is missing, or another one.
    if place.get("path") == alike.get("path") and place.get("real") != alike.get("real"):
        if not place.get("there"):
            return failed(said, expected, *missing(place["path"], slurmd=key == "pyxis"))
        return failed(
            said,
            expected,
            f"{place['path']} leads to {place['real']} here, and to {alike['real']} on the other nodes",
            f"ls -ld {place['path']}, here and on {seen.like}; remove what lies there if nobody needs it; "
            "then systemctl restart slipway-storage; playbooks/site.yml makes ours anew",
        )
    if within(usual, own):
        return failed(said, expected, f"a disk is not mounted: {usual} is a mount on the other nodes", mounting(usual))
    return failed(
        said,
        expected,
        f"something is mounted on {own} on this node alone",
        f"findmnt {own}, here and on {seen.like}; umount {own}; correct fstab",
    )


def within(point: str, other: str) -> bool:
    """Return whether a mount point lies below another one."""
    return point != other and point.startswith(other.rstrip("/") + "/")


def paths(observed: Any) -> dict[str, str]:
    """Return enroot's paths as they are the same on all nodes; older results have none."""
    return {key: place["shape"] for key, place in observed.items() if "shape" in place}


def mount_points(observed: Any) -> dict[str, Any]:
    """Return which mount holds each path, and what its options keep from users."""
    places = {key: place for key, place in observed.items() if key != "configuration"}
    return {key: (place["mount"], reading.restrictions(place["options"])) for key, place in places.items()}


def freedom(_key: str, mount: tuple[str, list[str]]) -> float:
    """Return how much may be done on a mount."""
    return -len(mount[1])


def shown(mount: tuple[str, list[str]] | None) -> str:
    """Return a mount point with what its options keep from users, as a person reads it."""
    if mount is None:
        return "none"
    point, kept = mount
    return f"{point} ({', '.join(kept)})" if kept else point
