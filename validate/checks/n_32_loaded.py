"""N-32: what root or Slurm loads on the node can be changed by root alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validate import reading, slurm
from validate.model import Check, Context, Finding, compare, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-32",
    title="what root and Slurm load is writable by root alone",
    tier="quick",
    step="host",
    cause="the mode or owner of a file that root or Slurm loads was changed: every user can become root with it",
    fix="chmod go-w FILE; chown root:root FILE; look who changed it, and what is in it",
    after=("N-28",),
)


ENROOT = ("/etc/enroot", "/etc/enroot/enroot.conf", "/etc/enroot/hooks.d", "/etc/enroot/environ.d",
          "/etc/enroot/mounts.d", "/usr/lib/enroot")  # fmt: skip
SLURM = ("slurm.conf", "plugstack.conf", "plugstack.conf.d", "cgroup.conf", "gres.conf", "prolog.d", "epilog.d")
SCRIPTS = r"^\s*(?:Prolog|Epilog|TaskProlog|TaskEpilog|HealthCheckProgram|RebootProgram)\s*=\s*(\S+)"
OTHERS = (
    "/etc/ld.so.preload", "/etc/docker/daemon.json", "/etc/apptainer/apptainer.conf", "/etc/cdi", "/usr/bin/enroot",
    "/etc/systemd/system/slurmd.service.d", "/etc/systemd/system/slurmd.service", "/etc/munge", "/var/lib/munge",
)  # fmt: skip
KEY = "/etc/munge/munge.key"


def observe(node: Node) -> Any:
    """Return what users may write of it, with owner and mode: a file, or a directory on the way to it."""
    config = slurm.conf(node)
    text = node.read(config) or ""
    directory = str(Path(config).parent)
    names = [*ENROOT, *OTHERS, KEY, *(f"{directory}/{name}" for name in SLURM)]
    names += [str(Path(directory, name)) for name in re.findall(SCRIPTS, text, re.IGNORECASE | re.MULTILINE)]
    names += re.findall(r"^\s*PluginDir\s*=\s*([^\s:]+)", text, re.IGNORECASE | re.MULTILINE)
    for line in slurm.plugstack(node)["pyxis"]:
        names.append(line["plugin"])
    for pattern in ("/etc/enroot/*.d/*", f"{directory}/*.d/*"):
        names += ["/" + str(path.relative_to(node.root)) for path in node.path("/").glob(pattern.lstrip("/"))]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        for path in [name, *parents(name)]:
            if path not in found and (seen := open_to(node, path)):
                found[path] = seen
    secrets = [KEY] if readable(node, KEY) else []
    return {"open": found, "secrets": secrets, "account": reading.account(os.getuid())}


def readable(node: Node, name: str) -> bool:
    """Return whether everybody may read a file, as this account can."""
    try:
        mode = node.path(name).stat().st_mode
    except OSError:
        return False
    return bool(mode & 0o004) and os.getuid() != 0 and not node.problem(name)


def parents(name: str) -> list[str]:
    """Return a path's directory, and what a link leads to with its directory."""
    real = os.path.realpath(name)
    return [str(Path(name).parent), real, str(Path(real).parent)]


def open_to(node: Node, name: str) -> dict[str, Any] | None:
    """Return owner and mode of a path that this account or everybody may change, None for another one."""
    try:
        status = node.path(name).stat()
    except OSError:
        return None
    mode = status.st_mode & 0o7777
    # A link to /dev/null takes a file out of use.
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    # A sticky bit does not keep a new file out of a directory of which all files are loaded.
    mine = os.getuid() != 0 and os.access(node.path(name), os.W_OK)
    if not mode & 0o002 and not mine:
        return None
    return {"mode": f"{mode:04o}", "owner": status.st_uid}


def judge(observed: Any, context: Context) -> Finding:
    """There is nothing of the kind; what the account of the run alone may change may be meant so."""
    mine = {name: seen for name, seen in observed["open"].items() if name in for_account(observed)}
    opened = {name: seen for name, seen in observed["open"].items() if name not in mine}
    secrets = " ".join(observed.get("secrets") or ())
    if secrets:
        return failed(
            "; ".join([f"{secrets} can be read by everybody", *(f"{name} can be written" for name in opened)]),
            "readable for munge alone",
            f"users may read {secrets}, with which they can be anybody for Slurm on every node",
            f"chown munge: {secrets}; chmod 0400 {secrets}; chmod 0700 {Path(secrets).parent}; it may have been "
            "copied: in a maintenance window make a new key on one host with runuser -u munge -- mungekey --create "
            "--force, or create-munge-key -f before munge 0.5.14; copy it to all hosts, of munge and with mode 0400 as "
            "here, and restart munge on all of them",
        )
    if opened:
        return failed(
            said(opened),
            "writable by root alone",
            f"users may change {next(iter(opened))}, which root or Slurm loads: every user can become root with it",
            f"{closing(opened)}; look at what is in it first",
        )
    if mine:
        beside = compare(context.fleet, for_account(observed), for_account, absent=False)
        return of_account(
            mine, observed.get("account") or "the account", [name for name in mine if name in beside.other]
        )
    return passed("nothing else is")


def for_account(seen: Any) -> dict[str, bool]:
    """Return what the account of the run may change, and everybody may not."""
    return {name: True for name, path in seen["open"].items() if not int(path["mode"], 8) & 0o002}


def of_account(mine: Mapping[str, Any], account: str, here_alone: Sequence[str]) -> Finding:
    """Return the finding of what the account of the run may change; ``here_alone`` it may on most nodes not."""
    may = f"{account}, which runs this, may change {next(iter(here_alone or mine))}, which root or Slurm loads"
    if here_alone:
        changed = {name: mine[name] for name in here_alone}
        cause = f"{may}, on this node alone: an owner, a group or a mode was changed"
        return failed(said(changed), "writable by root alone, as on the other nodes", cause, closing(changed))
    return warned(
        said(mine),
        "writable by root alone",
        f"{may}: as its owner, or through a group; no other user may by its mode",
        f"where {account} administers these hosts, this is no fault: name an ordinary account in validate_user; "
        f"else {closing(mine)}",
    )


def said(found: Mapping[str, Any]) -> str:
    """Return the first paths with mode and owner, for a reader."""
    lines = [f"{name} has the mode {seen['mode']}" + f" and is user {seen['owner']}'s" * bool(seen["owner"])
             for name, seen in found.items()]  # fmt: skip
    return "; ".join(lines[:6])


def closing(found: Mapping[str, Any]) -> str:
    """Return what leaves the paths to root."""
    chown = [name for name, seen in found.items() if seen["owner"]]
    return f"chmod go-w {' '.join(found)}" + f"; chown root:root {' '.join(chown)}" * bool(chown)
