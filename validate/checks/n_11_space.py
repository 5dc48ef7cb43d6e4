"""N-11: there is room and there are inodes where containers, jobs and the system write."""

from __future__ import annotations

import os
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-11",
    title="space and inodes",
    tier="quick",
    step="host",
    cause="leftovers of jobs, logs or images",
    fix="du -xsh PATH/* | sort -h | tail -3; enroot list; remove what no job uses",
)


PLACES = ("/", "/tmp", "/run", "/var", "/var/tmp", "/dev/shm")
USED = 0.90


def observe(node: Node) -> Any:
    """Measure every place once; enroot's own directories by their nearest parent."""
    places = [*PLACES, *(reading.existing(path) for path in reading.enroot_paths(node).values())]
    found = {}
    for place in dict.fromkeys(places):
        try:
            seen = os.statvfs(place)
        except OSError:
            continue
        found[place] = {
            "size": seen.f_blocks * seen.f_frsize,
            "free": seen.f_bavail * seen.f_frsize,
            # What root keeps for itself does not count as used.
            "used": 1 - seen.f_bfree / seen.f_blocks if seen.f_blocks else 0.0,
            "inodes": 1 - seen.f_favail / seen.f_files if seen.f_files else 0.0,
        }
    paths = reading.enroot_paths(node)
    return {"places": found, "data": reading.existing(paths["ENROOT_DATA_PATH"])}


def judge(observed: Any, context: Context) -> Finding:
    """Below nine tenths everywhere, with room for the largest image."""
    expect = context.profile.expect
    problems = []
    for place, seen in observed["places"].items():
        if seen["size"] and seen["used"] > USED:
            problems.append(f"{place} is {seen['used']:.0%} full ({seen['free'] / 2**30:.1f} GiB free)")
        elif seen["inodes"] > USED:
            problems.append(f"{place} has used {seen['inodes']:.0%} of its inodes")
    data, minimum = observed["places"].get(observed["data"]), expect.get("space_gib", 20)
    if data and data["free"] < minimum * 2**30:
        problems.append(f"{observed['data']} has {data['free'] / 2**30:.1f} GiB free")
    shared, wanted = observed["places"].get("/dev/shm"), expect.get("shared_memory_gib", 8)
    if shared and shared["size"] < wanted * 2**30:
        problems.append(f"/dev/shm holds {shared['size'] / 2**30:.1f} GiB")
    expected = f"below {USED:.0%} everywhere, {minimum} GiB for images, {wanted} GiB of /dev/shm"
    return failed("; ".join(problems), expected) if problems else passed("enough everywhere", expected)
