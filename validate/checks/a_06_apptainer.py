"""A-06: apptainer runs the image, in the version and mode that most nodes have."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from typing import Any

from validate.model import Beside, Check, Context, Finding, compare, failed, passed, skipped, undecided
from validate.probing import Node

CHECK = Check(
    id="A-06",
    title="apptainer: it starts, one version, one mode",
    tier="quick",
    step="host",
    cause="an upgrade replaced the setuid package by the other, or half of the nodes",
    fix="install the package that the site declares; apptainer --version; ls -l starter-suid",
    # What keeps the same image from starting under enroot keeps it from starting here.
    after=("N-05", "N-30", "N-08", "C-01"),
    seconds=60,
)


PATIENCE = 30
# They write the ranges of /etc/subuid and /etc/subgid into a namespace, as root.
MAPPING = ("newuidmap", "newgidmap")


def observe(node: Node) -> Any:
    """Ask for its version, look for the setuid starter and the account's range of ids, and start the image."""
    if not node.which("apptainer"):
        return {}
    starters = [path for pattern in ("usr/libexec/*/bin/starter-suid", "usr/lib/*/apptainer/bin/starter-suid")
                for path in node.path("/").glob(pattern)]  # fmt: skip
    suid = any(path.stat().st_mode & 0o4000 for path in starters)
    ranges = {name: given(node.read(f"/etc/{name}") or "") for name in ("subuid", "subgid")}
    return {
        "version": node.run(["apptainer", "--version"], 8).stdout.strip(),
        "mode": "suid" if suid else "userns",
        "subids": [name for name, found in ranges.items() if found],
        "ranges": {name: found for name, found in ranges.items() if found},
        "mapping": {name: raised(node.which(name)) for name in MAPPING},
        "problem": start(node),
    }


def given(text: str) -> str:
    """Return the account's range of ids in a file of subuid's form in words, '' where it has none."""
    try:
        names = (str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return ""
    lines = [line.split(":") for line in text.splitlines() if re.fullmatch(r"[^:#]+:\d+:\d+\s*", line)]
    ranges = [(name in names, int(start), int(start) + int(count)) for name, start, count in lines]
    own = [(start, end) for mine, start, end in ranges if mine]
    others = [(start, end) for mine, start, end in ranges if not mine]
    shared = any(start < last and first < end for start, end in own for first, last in others)
    return f"{sum(end - start for start, end in own)} ids" + ", shared with another account" * shared if own else ""


def raised(path: str) -> str:
    """Return whether a program gets rights that its caller has not: distributions do it in either way."""
    if not path:
        return "missing"
    with contextlib.suppress(OSError):
        if os.stat(path).st_mode & 0o4000 or os.getxattr(path, "security.capability"):  # noqa: PTH116
            return "setuid or with capabilities"
    return "neither setuid nor with capabilities"


def start(node: Node) -> str:
    """Return why the image does not start, '' where it does or is no file of this node's."""
    image = str(node.settings.get("image") or "")
    if not image.startswith("/") or "apptainer" not in (node.settings.get("runtimes") or ()) or node.problem(image):
        return ""
    output = node.run(["apptainer", "--silent", "exec", image, "true"], PATIENCE)
    if output.code is None:
        return f"no answer within {PATIENCE} s"
    # With --silent it prints nothing but what the system itself says: once more with its words.
    if output.code and not output.stderr.strip():
        output = node.run(["apptainer", "exec", image, "true"], PATIENCE / 2)
    lines = output.stderr.strip().splitlines() or [f"it ended with {output.code}"]
    return lines[-1][:300] if output.code else ""


STARTS_NOT = (
    "apptainer does not start a container on this node",
    "apptainer --debug exec IMAGE true as this account; ls -l /dev/fuse starter-suid /etc/apptainer/apptainer.conf",
)
# Recorded from apptainer 1.4, with its squashfuse_ll.
CAUSES = (
    (
        r"fuse: device not found",
        "/dev/fuse is missing on this node, and apptainer mounts images by it",
        "modprobe fuse; ls -l /dev/fuse; where it stays away: mknod -m 0666 /dev/fuse c 10 229",
    ),
    (
        r"mount source \S+ doesn't exist",
        "apptainer mounts a directory of the node into every container (bind path), and it is missing on this node",
        "grep -n '^bind path' /etc/apptainer/apptainer.conf; ls -ld them: is their file system mounted?",
    ),
)


def judge(observed: Any, context: Context) -> Finding:
    """As on the other nodes."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if observed.get("problem"):
        said = observed["problem"]
        why = next(((cause, fix) for words, cause, fix in CAUSES if re.search(words, said)), STARTS_NOT)
        return failed(said, "apptainer exec IMAGE true", *why)
    if not observed or not observed["version"]:
        return failed("no apptainer", "apptainer installed")
    own = compared(observed)
    beside = compare(context.fleet, own, compared)
    usual = {name: beside.other[name].usual if name in beside.other else own[name] for name in ("version", "mode")}
    if {*beside.other} & {*usual}:
        return failed(f"{own['version']}, {own['mode']}", f"{', '.join(usual.values())}, {beside.on}")
    if beside.other:
        return of_ids(own, beside)
    if beside.split:
        return undecided(beside, "compare both: apptainer --version, /etc/subuid; playbooks/site.yml on both")
    return passed(f"{own['version']}, {own['mode']}")


def of_ids(own: dict[str, Any], beside: Beside) -> Finding:
    """Return the finding of a node that gives the account other ids than most, or cannot give them."""
    if beside.other.keys() & {*MAPPING}:
        names = [name for name in MAPPING if name in beside.other]
        return failed(
            ", ".join(f"{name}: {own[name]}" for name in names),
            ", ".join(f"{name}: {beside.other[name].usual}" for name in names) + f", {beside.on}",
            f"{names[0]} lost its rights on this node, or is not installed: --fakeroot and builds fail",
            "apt-get install --reinstall uidmap, or dnf reinstall shadow-utils; ls -l and getcap of both",
        )
    if "ranges" in beside.other and "ids" not in beside.other:
        return failed(
            f"ranges of the account: {own['ranges']}",
            f"{beside.other['ranges'].usual}, {beside.on}",
            "this node gives the account another number of ids, or ids of another account: --fakeroot and builds fail",
            "compare /etc/subuid and /etc/subgid with another node; apptainer_subid_users, playbooks/site.yml",
        )
    return failed(
        f"the account is in {said(own['ids'])}",
        f"in {said(beside.other['ids'].usual)}, {beside.on}",
        "this node gives the account no range of ids for its containers: --fakeroot and builds fail",
        "compare /etc/subuid and /etc/subgid with another node; apptainer_subid_users, playbooks/site.yml",
    )


def compared(seen: Any) -> dict[str, Any]:
    """Return version, mode, the account's ranges of ids and what writes them; older results do not say all."""
    known = {"version": seen["version"], "mode": seen["mode"], "ids": tuple(seen.get("subids", ()))}
    ranges = "; ".join(f"/etc/{name} {found}" for name, found in (seen.get("ranges") or {}).items())
    return {**known, **({"ranges": ranges} if "ranges" in seen else {}), **(seen.get("mapping") or {})}


def said(names: tuple[str, ...]) -> str:
    """Return the files of ranges for a reader."""
    return " and ".join(f"/etc/{name}" for name in names) or "neither of /etc/subuid and /etc/subgid"
