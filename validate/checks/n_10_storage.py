"""N-10: every runtime's directories are local, executable and writable for this account."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, majority, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="N-10",
    title="runtimes' storage: local, exec, writable",
    tier="quick",
    step="host",
    cause="a disk is not mounted, a path lies on a shared file system, or its parent is not open to users",
    fix="findmnt -T PATH; ls -ld PATH; mount the disk, then playbooks/site.yml, which chooses it again",
    after=("N-05", "N-28", "C-10"),
)


# Where jobs and the suite itself keep what is theirs for a while: all users share these.
COMMON = {"temporary files": "/tmp", "lasting temporary files": "/var/tmp", "shared memory": "/dev/shm"}
# N-11 says that a disk is full; a quota that is used up it does not see.
FULL = os.strerror(errno.ENOSPC)


def observe(node: Node) -> Any:
    """Find what holds each path, and write there as enroot would."""
    table = reading.mounts(node)
    found: dict[str, dict[str, Any]] = {}
    for key, path in reading.enroot_paths(node).items():
        found[key] = {**place_of(path, table), "write": write(path)}
    for key, path in COMMON.items():
        found[key] = {**place_of(path, table), "write": write(path), "mode": mode(path)}
    for line in reading.plugstack(node)["pyxis"]:
        given = [word.partition("=")[2] for word in line["arguments"] if word.startswith("runtime_path=")]
        runtime = given[0] if given else "/run/pyxis"
        # slurmd makes the last component alone, as root.
        parent = os.path.dirname(os.path.realpath(runtime))  # noqa: PTH120 - it may not exist
        problem = "" if os.path.isdir(parent) else f"{parent} is missing"  # noqa: PTH112
        found["pyxis"] = {**place_of(runtime, table), "write": problem}
    return found


def place_of(path: str, table: list[dict[str, str]]) -> dict[str, str]:
    """Return a path with the mount that holds it."""
    mount = reading.mount_of(reading.existing(path), table)
    return {"path": path, "mount": mount["point"], "type": mount["type"], "options": mount["options"]}


def mode(path: str) -> int:
    """Return a directory's mode, 0 where it cannot be seen."""
    try:
        return Path(path).stat().st_mode & 0o7777
    except OSError:
        return 0


def write(path: str) -> str:
    """Return why a file cannot be written there, '' where it can."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".slipway-validate-") as stream:
            stream.write(b"x" * 4096)
            stream.flush()
    except OSError as error:
        return str(error.strerror)
    return ""


def judge(observed: Any, context: Context) -> Finding:
    """Nothing shared, nothing noexec that is executed from, all writable, and mounted where the others have it."""
    if "enroot" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name enroot")
    problems, closed, options_differ = [], False, False
    for key, place in observed.items():
        name = f"{key} {place['path']}"
        if place["write"] not in ("", FULL):
            problems.append(f"{name}: {place['write']}")
        elif place["type"] in reading.SHARED and key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH", "pyxis"):
            problems.append(f"{name} is on {place['type']}, which nodes share")
        elif "noexec" in place["options"].split(",") and key == "ENROOT_DATA_PATH":
            closed = True
            problems.append(f"{name} is mounted noexec")
    usual, count = majority(context.fleet, mount_points)
    if count > 1 and not problems:
        own = mount_points(observed)
        for key in (key for key in usual if own.get(key) != usual[key]):
            problems.append(f"{key} is on the mount {shown(own.get(key))}, on {count} nodes on {shown(usual[key])}")
            options_differ = options_differ or (key in own and own[key][0] == usual[key][0])
    open_to_all = [place["path"] for place in observed.values() if place.get("mode", 0) & 0o1002 == 0o002]
    if open_to_all and not problems:
        return failed(
            "; ".join(f"{path} has no sticky bit" for path in open_to_all),
            "1777",
            "every user can remove and replace the files of others there",
            f"chmod 1777 {' '.join(open_to_all)}",
        )
    if closed:
        cause = "containers cannot execute anything from a noexec mount (enroot#156)"
        return failed("; ".join(problems), "a data path mounted exec", cause, "mount -o remount,exec; correct fstab")
    if options_differ:
        return failed(
            "; ".join(problems),
            "mounted as on the other nodes",
            "other mount options than on the other nodes: users cannot write there, or execute what lies there",
            "findmnt -o TARGET,OPTIONS -T PATH, here and on another node; mount -o remount,rw,exec; correct fstab",
        )
    if problems:
        return failed("; ".join(problems), "local, executable, writable, on the same mount as the other nodes")
    return passed("; ".join(f"{key} {place['type']} on {place['mount']}" for key, place in observed.items()))


def mount_points(observed: Any) -> dict[str, tuple[str, list[str]]]:
    """Return which mount holds each path, and what its options keep from users."""
    return {key: (place["mount"], reading.restrictions(place["options"])) for key, place in observed.items()}


def shown(mount: tuple[str, list[str]] | None) -> str:
    """Return a mount point with what its options keep from users, as a person reads it."""
    if mount is None:
        return "none"
    point, kept = mount
    return f"{point} ({', '.join(kept)})" if kept else point
