"""N-32: what root or Slurm loads on the node can be changed by root alone."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, failed, passed
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
    return {"open": found, "secrets": [KEY] if readable(node, KEY) else []}


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
    """There is nothing of the kind."""
    opened = dict(observed["open"])
    secrets = " ".join(observed.get("secrets") or ())
    if secrets:
        return failed(
            "; ".join([f"{secrets} can be read by everybody", *(f"{name} can be written" for name in opened)]),
            "readable for munge alone",
            f"users may read {secrets}, with which they can be anybody for Slurm on every node",
            f"chown munge: {secrets}; chmod 0400 {secrets}; chmod 0700 {Path(secrets).parent}; it may have been "
            "copied: in a maintenance window make a new key on one host (mungekey --create --force), copy it to all "
            "hosts, and restart munge on all of them",
        )
    if not opened:
        return passed("nothing else is")
    said = [f"{name} has the mode {seen['mode']}" + f" and is user {seen['owner']}'s" * bool(seen["owner"])
            for name, seen in opened.items()]  # fmt: skip
    names = " ".join(opened)
    chown = [name for name, seen in opened.items() if seen["owner"]]
    return failed(
        "; ".join(said[:6]),
        "writable by root alone",
        f"users may change {next(iter(opened))}, which root or Slurm loads: every user can become root with it",
        f"chmod go-w {names}" + f"; chown root:root {' '.join(chown)}" * bool(chown) + "; look at what is in it first",
    )
