"""H-11: the submit host has room where users and Slurm write, and the account can write its home and /tmp."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path
from typing import Any

from validate import reading, slurm
from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="H-11",
    title="space and home on the submit host",
    tier="quick",
    step="submit",
    cause="leftovers, logs or users' files fill the submit host: sbatch, logins and Slurm's own daemons fail there",
    fix="du -xsh PATH/* | sort -h | tail -3; df -i PATH",
    seconds=20,
)


PLACES = ("/", "/tmp", "/run", "/var", "/var/tmp")
STATE = "StateSaveLocation"
# What all users share.
SHARED = ("/tmp", "/var/tmp")
PATIENCE = 3
MISSING = os.strerror(errno.ENOENT)
HUNG = f"no answer within {PATIENCE} s"
# Full: what is left is for root alone, or for nobody. Nearly full: somebody should look.
LEFT, FULL, MUCH = 64 * 2**20, 0.99, 0.92


def observe(node: Node) -> Any:
    """Measure them once, and Slurm's state where this host is its controller too."""
    try:
        entry = pwd.getpwuid(os.getuid())
        account, home = entry.pw_name, entry.pw_dir
    except KeyError:
        account, home = "", ""
    state = slurm.setting(node.run(["scontrol", "show", "config"], 8).stdout, STATE)
    found = {}
    for place in dict.fromkeys([*PLACES, state, home]):
        # A home whose server hangs would hang for this process too.
        if not place or node.run(["ls", "-d", place], PATIENCE).code != 0:
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
    own = {} if home in reading.NO_HOME else {"own": {"account": account, **entered(node, home)}}
    return {"places": found, "home": home, "shared": {name: seen_of(name) for name in SHARED if name in found}, **own}


def entered(node: Node, home: str) -> dict[str, Any]:
    """Return why the account cannot enter its home, '' where it can, and whose it is."""
    # The dot has an automounter mount it.
    output = node.run(["ls", "-d", f"{home}/."], PATIENCE)
    if output.code is None:
        return {"problem": HUNG}
    if output.code != 0:
        lines = output.stderr.strip().splitlines() or [f"ls ended with {output.code}"]
        return {"problem": lines[-1].rpartition(": ")[2]}
    return {"problem": "", **seen_of(home)}


def seen_of(place: str) -> dict[str, Any]:
    """Return a directory's mode and owner, and whether the account can make files in it."""
    try:
        status = Path(place).stat()
    except OSError as error:
        return {"problem": str(error.strerror)}
    owner = reading.account(status.st_uid)
    return {"mode": status.st_mode & 0o7777, "owner": owner, "writable": os.access(place, os.W_OK | os.X_OK)}


def judge(observed: Any, context: Context) -> Finding:
    """None is full; below nine tenths but for a home, which many share; home and /tmp can be written."""
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
    closed = of_home(home, observed.get("own") or {}) or of_shared(observed.get("shared") or {})
    if closed:
        return closed
    much = [said(name, seen) for name, seen in places.items()
            if name != home and seen["size"] and max(seen["used"], seen["inodes"]) > MUCH]  # fmt: skip
    return warned("; ".join(much), expected) if much else passed("enough everywhere", expected)


def of_home(home: str, own: Any) -> Finding | None:
    """Return why the home directory is none for its account, None where it is; older results do not say."""
    problem, expected = own.get("problem", ""), "a home directory that its account can write"
    account = own.get("account", "ACCOUNT")
    if problem == HUNG:
        return failed(
            f"{home}: {HUNG}",
            expected,
            "the server of the home directories does not answer this submit host: logins hang there",
            f"findmnt -T {home}; ping its server; dmesg -T | grep -i 'not responding'; then mount it anew",
        )
    if problem == MISSING:
        return failed(
            f"{home}: {problem}",
            expected,
            "the home directory is not on the submit host: it is not mounted there, was never made, or passwd names "
            "another",
            f"findmnt -T {home}; getent passwd {account}, here and on a compute node; mount what is missing, or "
            f"mkhomedir_helper {account}",
        )
    if problem or not own.get("writable", True):
        whose = "" if problem else f": {own['owner']}'s, mode {own['mode']:04o}"
        return failed(
            f"{home}: {problem}" if problem else f"{home} cannot be written{whose}",
            expected,
            "the home directory on the submit host belongs to somebody else, or is closed to its own account",
            f"namei -l {home}; chown {account}: {home}; chmod u+rwx {home}",
        )
    return None


def of_shared(places: Any) -> Finding | None:
    """Return which of the directories that all users share is closed to them, or open to each other's files."""
    for name, seen in places.items():
        if seen.get("problem") or not seen["writable"]:
            return failed(
                f"{name}: {seen.get('problem') or 'mode {:04o}'.format(seen['mode'])}",
                f"{name} 1777",
                f"users cannot write in {name} on the submit host: editors, compilers and sbatch's scripts fail",
                f"ls -ld {name}; findmnt -T {name}; chmod 1777 {name}",
            )
        if seen["mode"] & 0o1002 == 0o002:
            return failed(
                f"{name}: mode {seen['mode']:04o}",
                f"{name} 1777",
                f"every user can remove and replace the files of others in {name} on the submit host",
                f"chmod 1777 {name}",
            )
    return None


def is_full(seen: Any) -> bool:
    """Return whether an account cannot write a file of any size any more."""
    # Some file systems have no such count, and those that cannot be written are images.
    if not seen["size"] or seen["read_only"]:
        return False
    return bool(seen["free"] < min(LEFT, seen["size"] / 50) or seen["used"] > FULL or seen["inodes"] > FULL)


def said(name: str, seen: Any) -> str:
    """Return how full a place is for a reader."""
    return f"{name} is {seen['used']:.0%} full, with {seen['inodes']:.0%} of its inodes used"
