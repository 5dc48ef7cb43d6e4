"""H-11: the submit host has room where users and Slurm write, and the account can write its home and /tmp."""

from __future__ import annotations

import errno
import os
import pwd
from concurrent.futures import ThreadPoolExecutor
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
# An automounter asks a directory of accounts and a server before it shows a home.
PATIENCE, HOME_PATIENCE = 3, 8
MISSING = os.strerror(errno.ENOENT)
SILENT = "no answer within"
OWN_HOME = "a home directory that its account can write"
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
    places = [place for place in dict.fromkeys([*PLACES, state, home]) if place]
    # A home whose server hangs would hang for this process too; side by side they take as long as the slowest.
    with ThreadPoolExecutor(len(places)) as pool:
        problems = dict(zip(places, pool.map(lambda place: problem_of(node, place, place == home), places)))
    found = {}
    for place in (place for place in places if not problems[place]):
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
    own = {} if home in reading.NO_HOME else {"own": {"account": account, **entered(node, home, problems[home])}}
    return {"places": found, "home": home, "shared": {name: seen_of(name) for name in SHARED if name in found}, **own}


def problem_of(node: Node, place: str, home: bool) -> str:
    """Return why a directory cannot be seen, or a home not be entered, '' where it can."""
    patience = HOME_PATIENCE if home else PATIENCE
    # The dot has an automounter mount it.
    output = node.run(["ls", "-d", f"{place}/." if home else place], patience)
    if output.code is None:
        return f"{SILENT} {patience} s"
    lines = output.stderr.strip().splitlines() or [f"ls ended with {output.code}"]
    return "" if output.code == 0 else lines[-1].rpartition(": ")[2]


def entered(node: Node, home: str, problem: str) -> dict[str, Any]:
    """Return what is known of a home: why the account cannot enter it, whose it is, and the mount that it lies on."""
    silent = problem.startswith(SILENT)
    # The links of a home that hangs would hang as well.
    mount = reading.mount_of(home if silent else os.path.realpath(home), reading.mounts(node))
    seen = {} if problem else seen_of(home)
    return {"problem": problem, **seen, "type": mount["type"], "security": mount["security"]}


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
            f"findmnt -o TARGET,OPTIONS -T {home}; dmesg -T | tail; mount -o remount,rw the TARGET that it names",
        )
    closed = of_home(home, observed.get("own") or {}) or of_shared(observed.get("shared") or {})
    if closed:
        return closed
    much = [said(name, seen) for name, seen in places.items()
            if name != home and seen["size"] and max(seen["used"], seen["inodes"]) > MUCH]  # fmt: skip
    return warned("; ".join(much), expected) if much else passed("enough everywhere", expected)


def of_home(home: str, own: Any) -> Finding | None:
    """Return why the home directory is none for its account, None where it is; older results do not say."""
    problem, account = own.get("problem", ""), own.get("account", "ACCOUNT")
    if problem.startswith(SILENT):
        return failed(
            f"{home}: {problem}",
            OWN_HOME,
            "the server of the home directories does not answer this submit host: logins hang there",
            f"findmnt -T {home}; ping its server; dmesg -T | grep -i 'not responding'; then mount it anew",
        )
    if problem == MISSING:
        return failed(
            f"{home}: {problem}",
            OWN_HOME,
            "the home directory is not on the submit host: it is not mounted there, was never made, or passwd names "
            "another",
            f"findmnt -T {home}; getent passwd {account}, here and on a compute node; mount what is missing, or "
            f"mkhomedir_helper {account}",
        )
    if problem or not own.get("writable", True):
        whose = "" if problem else f": {own['owner']}'s, mode {own['mode']:04o}"
        return closed_home(home, account, f"{home}: {problem}" if problem else f"{home} cannot be written{whose}", own)
    return None


def closed_home(home: str, account: str, words: str, own: Any) -> Finding:
    """Return the finding of a home that its account cannot write; ``words`` say what was seen of it."""
    kind, security = own.get("type", ""), own.get("security", "")
    if kind == "afs" or security.startswith("krb5"):
        return warned(
            f"{words}; it lies on {kind}" + f" with sec={security}" * bool(security),
            OWN_HOME,
            f"the server of the home directories wants a Kerberos ticket, and {account} seems to have none in this run",
            f"as {account} on the submit host: klist; kinit{'; aklog' * (kind == 'afs')}; or name in validate_user an "
            f"account whose home needs no ticket; where there is a ticket: namei -l {home}",
        )
    return failed(
        words,
        OWN_HOME,
        "the home directory on the submit host belongs to somebody else, or is closed to its own account",
        f"getent passwd {account}; namei -l {home}; if it is {account}'s own home: chown {account}: {home}; "
        f"chmod u+rwx {home}; else correct passwd",
    )


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
