"""Why a directory of a runtime cannot be written, or lies elsewhere than on other nodes, and what mends that.

Part of the probe. A place is what N-10 observes of one path: ``path``, ``mount``, ``options``, ``write`` and more.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from typing import Any

from validate import reading
from validate.model import Beside, Finding, failed

# Where jobs and the suite itself keep what is theirs for a while: all users share these.
COMMON = {"temporary files": "/tmp", "lasting temporary files": "/var/tmp", "shared memory": "/dev/shm"}
# N-11 says that a disk is full; a quota that is used up it does not see.
FULL, CLOSED, READ_ONLY, MISSING, QUOTA, EXISTS, FILE = (
    os.strerror(number)
    for number in (
        errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EDQUOT, errno.EEXIST, errno.ENOTDIR
    )
)  # fmt: skip
HUNG = "its file system does not answer"
# Users write below these nowhere: a directory that is missing there was to be made for them.
OF_ROOT = ("/", "/run", "/var", "/var/lib", "/var/cache", "/opt", "/srv", "/mnt", "/home")
# What a running system stands on is not unmounted.
SYSTEM = ("/", "/run", "/var", "/usr", "/tmp", "/var/tmp", "/dev/shm")
MAKE = (
    "systemctl restart slipway-storage{}; systemd-tmpfiles --create --prefix={}; "
    "then playbooks/site.yml, which makes the directories and what makes them at boot"
)
# What our own paths hold is no account's name.
OURS = ("slipway", "enroot", "pyxis")
# In the place of a job's number.
JOB = "JOB"
GOOD = "local, executable, writable, on the same mount as the other nodes"


def shape(path: str, name: str) -> str:
    """Return a path as it is the same on all nodes: it may hold the job's number and the node's name."""
    for text, word in ((os.environ.get("SLURM_JOB_ID", ""), JOB), (name, "NODE")):
        path = re.sub(alone(text), word, path) if text else path
    return path


def alone(word: str) -> str:
    """Return a pattern of a word that is no part of another one; job_71 holds 71, and nvme71 does not."""
    return rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])"


def for_each_job(shaped: str, path: str) -> bool:
    """Return whether a path holds its job's number, so that a prolog makes it."""
    return shaped != path and bool(re.search(alone(JOB), shaped))


def point_of(place: Mapping[str, Any]) -> str:
    """Return a place's mount point as it is the same on all nodes, '' where a job decides it.

    Older results have it only as it is.
    """
    return place.get("point", place["mount"]) or ""


def written(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding | None:
    """Return the finding of the first place that cannot be written, with all that cannot."""
    bad = {key: place for key, place in places.items() if place["write"] not in ("", FULL)}
    if not bad:
        return None
    hung = [place for place in bad.values() if place["write"] == HUNG]
    if hung:
        point = hung[0]["mount"]
        anew = "" if point in SYSTEM or hung[0]["type"] == "autofs" else f"umount -l {point}; mount {point}; else "
        return failed(
            "; ".join(f"{place['path']} on {place['mount']} ({place['type']}): {HUNG}" for place in hung),
            GOOD,
            f"the file system on {point} does not answer: its server is dead, or its disk hangs",
            f"findmnt {point}; dmesg -T | grep -iE 'not responding|I/O error|blocked for more'; ping its server; "
            f"{anew}reboot",
        )
    said = "; ".join(f"{key} {place['path']}: {place['write']}" for key, place in bad.items())
    key, place = next(iter(bad.items()))
    if place["write"] == READ_ONLY:
        cause = f"the file system on {place['mount']} is read-only, or became so after an error"
        return failed(said, GOOD, cause, f"dmesg -T | tail; then mount -o remount,rw {place['mount']}; /etc/fstab")
    if place["write"] == QUOTA:
        return failed(said, GOOD, "the account's quota is used up there", f"quota -s; du -sh {place['path']}")
    if key in beside.other and beside.other[key].usual[0] != point_of(place):
        return mounted_otherwise(places, beside, fleet)
    if place["write"] in (EXISTS, FILE):
        path = place["path"]
        cause = f"{path}, or what is above it, is no directory: a link that leads nowhere, or a file"
        anew = f"install -d -m 1777 {path}" if path in COMMON.values() else "playbooks/site.yml makes it anew"
        return failed(said, GOOD, cause, f"namei -l {path}; mv what is no directory to /root; {anew}")
    at = place.get("obstacle")
    if not at or (place["write"] != CLOSED and key != "pyxis"):
        return failed(said, GOOD)
    alike = beside.nodes > 1 and key not in beside.split and bool(point_of(place))
    return failed(f"{said} ({at['path']} is {at['owner']}'s, mode {at['mode']})", GOOD, *way_in(place, at, alike))


def way_in(place: Mapping[str, Any], at: Mapping[str, Any], alike: bool) -> tuple[str, str]:
    """Return why the account is refused at a directory, and what lets it in.

    ``alike`` says that the place lies on the same mount as on the other nodes.
    """
    if place["path"] in COMMON.values() and at["path"] == place["path"]:
        fix = f"chown root:root {at['path']}; chmod 1777 {at['path']}"
        return f"{at['path']} is not open to users: its mode or owner was changed", fix
    if at["path"] == place["path"]:
        return of_another(at)
    mounted = at["path"] == place["mount"]
    if at["empty"] and at["enters"] and not mounted and not alike:
        return f"a disk is not mounted: {at['path']} is an empty directory on {place['mount']}", mounting(at["path"])
    # pyxis's directories are root's, whatever their path holds.
    if place["write"] == CLOSED and (of_account(at) or for_each_job(at.get("shape", at["path"]), at["path"])):
        return of_another(at)
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


def of_account(at: Mapping[str, Any]) -> bool:
    """Return whether a directory is meant for the account alone: its path holds the account's name or number."""
    words = {at["me"], str(at.get("uid", at["me"]))} - set(OURS)
    return any(re.search(alone(word), at["path"]) for word in words)


def of_another(at: Mapping[str, Any]) -> tuple[str, str]:
    """Return cause and fix of a directory that is there, and in which the account cannot write."""
    path, shaped = at["path"], at.get("shape", at["path"])
    cause = f"{path} is {at['owner']}'s with the mode {at['mode']}: the account cannot write there"
    if for_each_job(shaped, path):
        return f"{cause}, for whose job it was made", (
            f"have the prolog, or what else makes {shaped}, make it for its user: install -d -o "
            '"$SLURM_JOB_USER" -m 0700; scontrol show config | grep -i prolog'
        )
    if of_account(at):
        return cause, f"chown {at['me']}: {path}; chmod 0700 {path}"
    return cause, (
        f"where all users share it: chown root:root {path}; chmod 1777 {path}; where it is {at['me']}'s alone: "
        f"chown {at['me']}: {path}"
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


def mounted_otherwise(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding:
    """Return the finding of places that lie on another mount than on the other nodes."""
    said = "; ".join(
        f"{key} is on the mount {shown((places[key]['mount'], beside.own[key][1]))}" for key in beside.other
    )
    expected = "; ".join(f"{key} on {shown(seen.usual)}" for key, seen in beside.other.items()) + f", {beside.on}"
    key, seen = next(iter(beside.other.items()))
    place, usual, alike = places[key], seen.usual[0], fleet[seen.like][key]
    mount, own = place["mount"], point_of(place)
    if own == usual:
        return failed(
            said,
            expected,
            "other mount options than on the other nodes: users cannot write there, or execute what lies there",
            f"findmnt -o TARGET,OPTIONS -T PATH, here and on {seen.like}; mount -o remount,rw,exec {mount}; "
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
    here, there = for_each_job(own, mount), for_each_job(usual, alike["mount"])
    if here or there:
        nodes = ("this node", "the other nodes") if here else ("the other nodes", "this node")
        points = (own, usual) if here else (usual, own)
        return failed(
            said,
            expected,
            f"{points[0]} is mounted for each job on {nodes[0]}, and the jobs of {nodes[1]} have {points[1]}",
            f"scontrol show config | grep -iE 'prolog|container', here and on {seen.like}; the prolog's file on both; "
            "journalctl -u slurmd says where it failed",
        )
    if within(usual, own):
        return failed(said, expected, f"a disk is not mounted: {usual} is a mount on the other nodes", mounting(usual))
    return failed(
        said,
        expected,
        f"something is mounted on {mount} on this node alone",
        f"findmnt {mount}, here and on {seen.like}; umount {mount}; correct fstab",
    )


def within(point: str, other: str) -> bool:
    """Return whether a mount point lies below another one."""
    return point != other and point.startswith(other.rstrip("/") + "/")


def mount_points(observed: Any) -> dict[str, Any]:
    """Return which mount holds each path, and what its options keep from users; what a job decides is left out."""
    places = {key: place for key, place in observed.items() if key != "configuration"}
    return {
        key: (point_of(place), reading.restrictions(place["options"]))
        for key, place in places.items()
        if point_of(place)
    }


def freedom(_key: str, mount: tuple[str, list[str]]) -> float:
    """Return how much may be done on a mount."""
    return -len(mount[1])


def shown(mount: tuple[str, list[str]] | None) -> str:
    """Return a mount point with what its options keep from users, as a person reads it."""
    if mount is None:
        return "none"
    point, kept = mount
    return f"{point} ({', '.join(kept)})" if kept else point
