"""N-11: there is room and there are inodes where containers, jobs and the system write."""

from __future__ import annotations

import os
import re
from typing import Any

from validate import reading, slurm
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-11",
    title="space and inodes",
    tier="quick",
    step="host",
    cause="leftovers of jobs, logs or images",
    fix="du -xsh PATH/* | sort -h | tail -3; enroot list; remove what no job uses",
    beside=("N-04",),
)


PLACES = ("/", "/tmp", "/run", "/var", "/var/tmp", "/var/log", "/var/spool", "/dev/shm")
USED = 0.90
# Where every job writes, an empty file system that is this small is as good as full.
WRITTEN, LEAST = ("/", "/tmp", "/var/tmp"), 64 * 2**20
# Where the daemons keep what is theirs unless they are told otherwise.
SPOOL, DOCKER = "/var/spool/slurmd", "/var/lib/docker"
BIGGEST = 3
SMALL = (
    "/dev/shm was mounted with a small size: NCCL and loaders of data end there with a bus error",
    "findmnt /dev/shm; mount -o remount,size=50% /dev/shm; correct fstab, or profile.expect in validate_profiles",
)


def daemons(node: Node) -> list[str]:
    """Return the directories of slurmd and Docker, and those of Apptainer for this account."""
    text = node.read(slurm.conf(node)) or ""
    found = re.search(r"^\s*SlurmdSpoolDir\s*=\s*(\S+)", text, re.IGNORECASE | re.MULTILINE)
    spool = (found.group(1) if found else SPOOL).replace("%n", node.name).replace("%h", node.name)
    root = re.search(r'"data-root"\s*:\s*"([^"]+)"', node.read("/etc/docker/daemon.json") or "")
    places = [spool, root.group(1) if root else DOCKER]
    return places + [os.environ[name] for name in ("APPTAINER_CACHEDIR", "APPTAINER_TMPDIR") if os.environ.get(name)]


def biggest(node: Node, place: str) -> list[str]:
    """Return the largest entries of a directory with their sizes (GiB), as far as this account may look."""
    entries = node.path(place).glob("*")
    output = node.run(["timeout", "3", "du", "-xsk", "--", *(str(path) for path in sorted(entries)[:200])], 4)
    lines = [line.split("\t", 1) for line in output.stdout.splitlines()]
    sizes = sorted(((int(size), path) for size, path in lines if size.isdigit()), reverse=True)[:BIGGEST]
    return [f"{path} {size / 2**20:.1f} GiB" for size, path in sizes if size]


def observe(node: Node) -> Any:
    """Measure every place once; enroot's own directories by their nearest parent; N-10 says which do not answer."""
    paths = reading.enroot_paths(node)
    named = [*paths.values(), *daemons(node)]
    hung = reading.silent(node, [*PLACES, *named])
    # A closed directory is measured by the nearest that this account may enter.
    near = {path: reading.existing(path) for path in named if path not in hung}
    places = [*(place for place in PLACES if place not in hung), *near.values()]
    found: dict[str, dict[str, Any]] = {}
    for place in dict.fromkeys(places):
        try:
            seen = os.statvfs(place)
        except OSError:
            continue
        found[place] = {
            "device": os.stat(place).st_dev,  # noqa: PTH116 - beside statvfs
            "size": seen.f_blocks * seen.f_frsize,
            "free": seen.f_bavail * seen.f_frsize,
            # What root keeps for itself does not count as used.
            "used": 1 - seen.f_bfree / seen.f_blocks if seen.f_blocks else 0.0,
            "inodes": 1 - seen.f_favail / seen.f_files if seen.f_files else 0.0,
        }
    full = [place for place, seen in found.items() if max(seen["used"], seen["inodes"]) > USED]
    # Two of them are enough to begin with, and cost a bounded time.
    for place in full[:2]:
        found[place]["biggest"] = biggest(node, place)
    return {"places": found, "data": near.get(paths["ENROOT_DATA_PATH"], "")}


def judge(observed: Any, context: Context) -> Finding:
    """Below nine tenths everywhere, with room for the largest image."""
    expect = context.profile.expect
    problems = []
    told = set()
    for place, seen in observed["places"].items():
        # Places on one file system are one problem; older results do not say which are.
        if seen.get("device", place) in told:
            continue
        told.add(seen.get("device", place))
        if seen["size"] and seen["used"] > USED:
            large = f": {', '.join(seen['biggest'])}" if seen.get("biggest") else ""
            problems.append(f"{place} is {seen['used']:.0%} full ({seen['free'] / 2**30:.1f} GiB free{large})")
        elif seen["size"] and place in WRITTEN and seen["free"] < LEAST:
            problems.append(f"{place} has {seen['free'] / 2**20:.0f} MiB free")
        elif seen["inodes"] > USED:
            problems.append(f"{place} has used {seen['inodes']:.0%} of its inodes")
    data, minimum = observed["places"].get(observed["data"]), expect.get("space_gib", 20)
    if data and data["free"] < minimum * 2**30:
        problems.append(f"{observed['data']} has {data['free'] / 2**30:.1f} GiB free")
    shared, wanted = observed["places"].get("/dev/shm"), expect.get("shared_memory_gib", 8)
    small = bool(shared) and shared["size"] < wanted * 2**30
    if shared and small:
        problems.append(f"/dev/shm holds {shared['size'] / 2**30:.2f} GiB")
    expected = f"below {USED:.0%} everywhere, {minimum} GiB for images, {wanted} GiB of /dev/shm"
    if small and len(problems) == 1:
        return failed(problems[0], expected, *SMALL)
    return failed("; ".join(problems), expected) if problems else passed("enough everywhere", expected)
