"""N-10: every runtime's directories are local, executable and writable for this account."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validate import reading, slurm, storage
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
    seconds=20,
)


CONFIGURATION = "/etc/enroot/enroot.conf"
LOCAL = ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH", "pyxis")


def observe(node: Node) -> Any:
    """Find what holds each path, and write there as enroot would."""
    table = reading.mounts(node)
    found: dict[str, dict[str, Any]] = {}
    paths = {**reading.enroot_paths(node), **storage.COMMON}
    runtimes = [slurm.runtime_path(line) for line in slurm.plugstack(node)["pyxis"]]
    hung, dead = reading.silent(node, [*paths.values(), *runtimes]), set[str]()
    for key, path in paths.items():
        if path in hung:
            found[key] = {**reading.given_up(node, path, table, dead), "write": storage.HUNG}
        else:
            # One that its shell cannot expand is none: what is written there says nothing.
            found[key] = {**reading.place_of(path, table), **(reading.write(path) if path else {"write": ""})}
        if key in storage.COMMON:
            found[key]["mode"] = 0 if path in hung else mode(path)
        else:
            found[key]["shape"] = storage.shape(path, node.name)
    for runtime in runtimes:
        if runtime in hung:
            found["pyxis"] = {**reading.given_up(node, runtime, table, dead), "write": storage.HUNG}
            continue
        # slurmd makes the last component alone, as root.
        parent = os.path.dirname(os.path.realpath(runtime))  # noqa: PTH120 - it may not exist
        there = os.path.isdir(parent)  # noqa: PTH112
        found["pyxis"] = {**reading.place_of(runtime, table), "write": ""}
        if not there:
            at = reading.obstacle(os.path.realpath(runtime))
            problem = f"{parent} is missing" if at["enters"] else f"{parent} is not reached"
            found["pyxis"].update(write=problem, obstacle=at)
    for place in found.values():
        place["point"] = storage.shape(place["mount"], node.name)
        if "obstacle" in place:
            place["obstacle"]["shape"] = storage.shape(place["obstacle"]["path"], node.name)
    # A prolog may give each job on each node a directory of its own, of any name, and mount it.
    if of_job(found["ENROOT_TEMP_PATH"]["path"]):
        found["ENROOT_TEMP_PATH"].update(shape=None, point=None)
    configuration = {"file": CONFIGURATION, "problem": node.problem(CONFIGURATION)}
    configuration["closed"] = reading.closed(node, f"{CONFIGURATION}.d")
    return {**found, "configuration": configuration}


def of_job(path: str) -> bool:
    """Return whether TMPDIR decides where a path lies, and not what all users share."""
    given = os.environ.get("TMPDIR", "").rstrip("/")
    inside = path.rstrip("/") == given or storage.within(path, given)
    return bool(given) and given not in storage.COMMON.values() and inside


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
    beside = compare(context.fleet, storage.mount_points(places), storage.mount_points, merit=storage.freedom)
    looks = (storage.written, shared, noexec)
    finding = next(filter(None, (look(places, beside, context.fleet) for look in looks)), None)
    if finding:
        return finding
    if beside.other:
        return storage.mounted_otherwise(places, beside, context.fleet)
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
        (beside, "findmnt -T PATH on both; mount what is missing; /etc/fstab", storage.shown),
    ):
        if differing.split:
            return undecided(differing, fix, show)
    return passed("; ".join(f"{key} {place['type']} on {place['mount']}" for key, place in places.items()))


def unread(places: Mapping[str, Any], configuration: Mapping[str, Any]) -> Finding | None:
    """Return the finding of a configuration that users cannot read; older results do not say all."""
    if not places.keys() >= {*reading.ENROOT_KEYS}:
        return errored("an observation without enroot's four paths")
    empty = [key for key in reading.ENROOT_KEYS if not places[key]["path"]]
    if empty:
        return failed(
            "; ".join(f"{key} is nothing" for key in empty),
            "paths",
            f"enroot expands {', '.join(empty)} to nothing: a quote or bracket that does not end, or a variable that "
            "is not set",
            f"grep -nE '{'|'.join(empty)}' {CONFIGURATION} {CONFIGURATION}.d/*.conf; playbooks/site.yml writes it anew",
        )
    if configuration.get("closed"):
        return failed(
            f"{configuration['closed']} keeps users out",
            "a directory that users can enter and read",
            f"users cannot enter {configuration['closed']}: enroot finds nothing of what is in it",
            f"chmod 0755 {configuration['closed']}",
        )
    if configuration.get("problem") not in (None, "", storage.MISSING):
        return failed(
            f"{configuration['file']}: {configuration['problem']}",
            "a file that users can read",
            f"users cannot read {configuration['file']}: enroot silently takes its own defaults for everything",
            f"chmod 0644 {configuration['file']}; ls -ld /etc/enroot; playbooks/site.yml writes it anew",
        )
    return None


def elsewhere(named: Beside, configuration: Mapping[str, Any], node: str) -> Finding:
    """Return the finding of a node whose enroot has other paths than most."""
    missing = configuration.get("problem") == storage.MISSING
    file = configuration.get("file", CONFIGURATION)
    return failed(
        "; ".join(f"{key} is {named.own[key]}" for key in named.other) + f"; {file} is missing" * missing,
        "; ".join(f"{key} {seen.usual}" for key, seen in named.other.items()) + f", {named.on}",
        f"{file} is missing on this node: enroot takes its own defaults"
        if missing
        else f"{file}, or a file of {file}.d, names other paths here than on the other nodes",
        f"diff <(ssh {named.like} cat {file}) <(ssh {node} cat {file}); playbooks/site.yml writes it anew",
    )


def shared(places: Mapping[str, Any], beside: Beside, fleet: Mapping[str, Any]) -> Finding | None:
    """Return the finding of places that nodes share."""
    bad = [key for key in LOCAL if key in places and places[key]["type"] in reading.SHARED]
    if not bad:
        return None
    if all(key in beside.other for key in bad):
        return storage.mounted_otherwise(places, beside, fleet)
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


def paths(observed: Any) -> dict[str, str]:
    """Return enroot's paths as they are the same on all nodes; older results have none, nor has what a job decides."""
    return {key: place["shape"] for key, place in observed.items() if place.get("shape")}
