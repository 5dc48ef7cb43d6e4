"""C-10: every file system that the site declares is there, and the home directory where the other nodes have it."""

from __future__ import annotations

import os
import pwd
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, failed, passed, undecided, warned
from validate.probing import Node

CHECK = Check(
    id="C-10",
    title="home and the site's file systems on the node",
    tier="quick",
    step="host",
    cause="a mount is missing on this node, or its server does not answer",
    fix="findmnt PATH; systemctl list-units '*.mount' --failed; mount PATH",
    after=("N-33", "N-30"),
    seconds=60,
)


HOME = "home"
PATIENCE = 4
HUNG = f"no answer within {PATIENCE} s"


def observe(node: Node) -> Any:
    """List each one, then find what is mounted there: an automounter mounts it only then."""
    home = account_home()
    places = {**{name: name for name in node.settings.get("site_mounts") or ()}, HOME: home}
    problems = {name: problem(node, path) for name, path in places.items()}
    table, found = reading.mounts(node), {}
    for name, path in places.items():
        # What hangs for ls would hang for this process too.
        mount = reading.mount_of(path if problems[name] == HUNG else os.path.realpath(path), table)
        access = "ro" if "ro" in reading.restrictions(mount["options"]) else "rw"
        found[name] = {"problem": problems[name], "mount": mount["point"], "access": access}
        if name == HOME:
            found[name] |= {"path": home, "type": mount["type"]}
    return found


def problem(node: Node, path: str) -> str:
    """Return why a directory cannot be listed, '' where it can."""
    # An automounter wants a real access, and a dead server never answers one: a process of its own can be given up.
    output = node.run(["ls", "-U", "-1", path or "/nonexistent"], PATIENCE)
    if output.code == 0 or (output.code is None and output.stdout):
        return ""
    lines = [line for line in output.stderr.splitlines() if "ls: " in line]
    return HUNG if output.code is None else (lines or [f"ls ended with {output.code}"])[-1].rpartition(": ")[2]


def account_home() -> str:
    """Return the home directory of the account as this node has it, '' for an account that it does not know."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def judge(observed: Any, context: Context) -> Finding:
    """Each is a mount, can be read, and written where the other nodes may."""
    hung = [name for name, seen in observed.items() if seen["problem"] == HUNG]
    if hung:
        return failed(
            "; ".join(f"{name} on {observed[name]['mount']}: {HUNG}" for name in hung),
            "a directory that can be listed",
            "its server does not answer",
            "findmnt PATH; ping its server; dmesg -T | grep -i 'not responding'; then mount PATH anew",
        )
    bad = [f"{name}: {seen['problem'] or 'not mounted, it lies on ' + seen['mount']}"
           for name, seen in observed.items()
           if name != HOME and (seen["problem"] or seen["mount"] == "/")]  # fmt: skip
    if bad:
        return failed("; ".join(bad), "mounted and readable")
    beside = compare(context.fleet, accesses(observed), accesses, merit=lambda _name, access: access == "rw")
    other = list(beside.other)
    if other:
        return failed(
            "; ".join(f"{name} on {observed[name]['mount']} is {accesses(observed)[name]}" for name in other),
            "; ".join(f"{name} {beside.other[name].usual}" for name in other) + f", {beside.on}",
            "mounted read-only, or its file system became so after an error",
            "findmnt -o TARGET,OPTIONS,FS-OPTIONS PATH; dmesg -T | tail; mount -o remount,rw PATH; /etc/fstab",
        )
    # An account may have no home directory; that only one node lacks it is a fault.
    own = said(observed[HOME])
    home = compare(context.fleet, homes(observed), homes, merit=lambda _name, text: " on / (" not in text)
    if home.other:
        path, usual = observed[HOME]["path"], context.fleet[home.like][HOME]["path"]
        words = (
            "passwd of this node names another home directory for the account",
            f"getent passwd USER, here and on {home.like}; usermod -d {usual} USER, or mend the directory of accounts",
        )
        return failed(f"home: {own}", f"{home.other[HOME].usual}, {home.on}", *(words if path != usual else ()))
    if home.split:
        return undecided(home, "findmnt -T HOME on both; getent passwd USER on both; mount what is missing")
    if observed[HOME]["problem"] and observed[HOME]["path"] not in reading.NO_HOME:
        return warned(
            f"home: {own}",
            "a home directory that can be listed",
            "the account has no home directory on these nodes: caches and settings of containers have no place, and "
            "programs that need one fail",
            "findmnt -T HOME; getent passwd USER, here and on the submit host; mount what is missing, or "
            "mkhomedir_helper USER; an account that is to have none has /nonexistent in passwd",
        )
    return passed("; ".join([f"home: {own}", *(name for name in observed if name != HOME)]))


def accesses(seen: Any) -> dict[str, str]:
    """Return how each place is mounted: ro or rw; results stored before that was looked at do not say."""
    return {name: place["access"] for name, place in seen.items() if "access" in place}


def homes(seen: Any) -> dict[str, str]:
    """Return the home directory as a reader sees it; one that is not there lies on / as well."""
    return {HOME: said(seen[HOME])}


def said(home: dict[str, str]) -> str:
    """Return what a home directory is and lies on."""
    what = f"{home['path']}, {home['problem']}" if home["problem"] else home["path"]
    return f"{what} on {home['mount']} ({home['type']})"
