"""H-11: the submit host has room where users and Slurm write, and the account's home can be written."""

from __future__ import annotations

import os
import pwd
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="H-11",
    title="space and home on the submit host",
    tier="quick",
    step="submit",
    cause="leftovers, logs or users' files fill the submit host: sbatch, logins and Slurm's own daemons fail there",
    fix="du -xsh PATH/* | sort -h | tail -3; df -i PATH",
)


PLACES = ("/", "/tmp", "/run", "/var", "/var/tmp")
STATE = "StateSaveLocation"
# Full: what is left is for root alone, or for nobody. Nearly full: somebody should look.
LEFT, FULL, MUCH = 64 * 2**20, 0.99, 0.92


def observe(node: Node) -> Any:
    """Measure them once, and Slurm's state where this host is its controller too."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        home = ""
    state = reading.slurm_setting(node.run(["scontrol", "show", "config"], 8).stdout, STATE)
    found = {}
    for place in dict.fromkeys([*PLACES, state, home]):
        # A home whose server hangs would hang for this process too.
        if not place or node.run(["ls", "-d", place], 3).code != 0:
            continue
        try:
            seen = os.statvfs(place)
        except OSError:
            continue
        found[place] = {
            "size": seen.f_blocks * seen.f_frsize,
            "free": seen.f_bavail * seen.f_frsize,
            "used": 1 - seen.f_bfree / seen.f_blocks if seen.f_blocks else 0.0,
            "inodes": 1 - seen.f_ffree / seen.f_files if seen.f_files else 0.0,
            "read_only": bool(seen.f_flag & os.ST_RDONLY),
        }
    return {"places": found, "home": home}


def judge(observed: Any, context: Context) -> Finding:
    """None is full; below nine tenths but for a home, which many share; the home can be written."""
    places, home = observed["places"], observed["home"]
    expected = f"less than {MUCH:.0%} used"
    full = [said(name, seen) for name, seen in places.items() if is_full(seen)]
    if full:
        return failed("; ".join(full), expected)
    if places.get(home, {}).get("read_only"):
        return failed(
            f"{home} is read-only",
            "a home directory that can be written",
            "home is mounted read-only on the submit host, or its file system became so after an error",
            f"findmnt -o TARGET,OPTIONS -T {home}; dmesg -T | tail; mount -o remount,rw",
        )
    much = [said(name, seen) for name, seen in places.items()
            if name != home and seen["size"] and max(seen["used"], seen["inodes"]) > MUCH]  # fmt: skip
    return warned("; ".join(much), expected) if much else passed("enough everywhere", expected)


def is_full(seen: Any) -> bool:
    """Return whether an account cannot write a file of any size any more."""
    # Some file systems have no such count, and those that cannot be written are images.
    if not seen["size"] or seen["read_only"]:
        return False
    return bool(seen["free"] < min(LEFT, seen["size"] / 50) or seen["used"] > FULL or seen["inodes"] > FULL)


def said(name: str, seen: Any) -> str:
    """Return how full a place is for a reader."""
    return f"{name} is {seen['used']:.0%} full, with {seen['inodes']:.0%} of its inodes used"
