"""What Slurm's configuration on a node says, as the account reads it that runs this. Part of the probe."""

from __future__ import annotations

import errno
import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Finding, failed, passed
from validate.probing import Node

CLOSED = os.strerror(errno.EACCES)
# Where commands look for slurm.conf.
DIRECTORIES = ("/etc/slurm", "/opt/slurm/etc", "/run/slurm/conf")


def setting(text: str, name: str) -> str:
    """Return a value of ``scontrol show config``, '' where it is not there."""
    found = re.search(rf"^{re.escape(name)}\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    return found.group(1) if found else ""


def conf(node: Node) -> str:
    """Return the slurm.conf that this host's commands read: given, built in, or fetched from the controller."""
    given = os.environ.get("SLURM_CONF")
    names = [given] if given else []
    # /run/slurm/conf is where sackd and a configless slurmd keep what they fetched.
    names += [f"{directory}/slurm.conf" for directory in DIRECTORIES]
    # Path.exists raises where a directory on the way is closed.
    return next((name for name in names if os.path.exists(node.path(name))), names[0])  # noqa: PTH110


def plugstack(node: Node) -> dict[str, Any]:
    """Return Slurm's plugin stack as this account reads it: files with their problem, and the lines naming pyxis.

    ``closed`` are directories of it that keep the account out: what is in them seems not to be there.
    """
    config = conf(node)
    shut: list[str] = []
    if not os.path.exists(node.path(config)):  # noqa: PTH110 - see conf
        shut = [reading.closed(node, name) for name in (*DIRECTORIES, str(Path(config).parent))]
    configured = re.search(r"^\s*PlugStackConfig\s*=\s*(\S+)", node.read(config) or "", re.IGNORECASE | re.MULTILINE)
    main = configured.group(1) if configured else str(Path(config).parent / "plugstack.conf")
    files: dict[str, str] = {}
    lines: list[dict[str, Any]] = []
    todo = [main]
    while todo and len(files) < 50:
        name = todo.pop(0)
        if name in files:
            continue
        files[name] = node.problem(name)
        for line in (node.read(name) or "").splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["include"] and len(words) > 1:
                pattern = words[1] if words[1].startswith("/") else str(Path(name).parent / words[1])
                todo += sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern is absolute
                shut.append(reading.closed(node, str(Path(pattern).parent)))
            elif len(words) > 1 and "pyxis" in words[1]:
                lines.append({"file": name, "flag": words[0], "plugin": words[1], "arguments": words[2:]})
    return {"main": main, "files": files, "pyxis": lines, "closed": sorted({name for name in shut if name})}


def runtime_path(line: Mapping[str, Any]) -> str:
    """Return pyxis's runtime path out of a line of ``plugstack``."""
    given = [word.partition("=")[2] for word in line["arguments"] if word.startswith("runtime_path=")]
    return given[0] if given else "/run/pyxis"


def shown(line: Mapping[str, Any]) -> str:
    """Return a line of ``plugstack`` for a reader."""
    return f"{line['file']}: {line['flag']} {line['plugin']}"


def optional(line: Mapping[str, Any]) -> Finding | None:
    """Return that pyxis may fail without ending the job, None where it is required."""
    if line["flag"] == "required":
        return None
    return failed(
        shown(line),
        "a required line",
        "under optional a job runs on the node itself where the plugin fails",
        "write required into that line, then playbooks/reconfigure.yml",
    )


def unreadable(observed: Mapping[str, Any], declared: bool) -> Finding | None:
    """Return what keeps Slurm from reading its plugin stack, None for nothing; ``declared`` is pyxis."""
    if observed.get("closed"):
        names = ", ".join(observed["closed"])
        return failed(
            f"{names}: {CLOSED}",
            "directories of Slurm's configuration that users can enter and read",
            f"users cannot enter {names}: their commands find no configuration there, or not all of it",
            f"chmod 0755 {' '.join(observed['closed'])}",
        )
    main = observed["main"]
    # An absent slurm.conf is looked for elsewhere, an absent plugstack.conf beside it is not.
    if observed["files"].get(main) == os.strerror(errno.ENOENT):
        if not declared:
            return passed("no plugin stack, and no pyxis is declared")
        return failed(
            f"{main}: {observed['files'][main]}",
            "the plugin stack of the configuration that was fetched here or that the site shares",
            f"this host reads {main}: a stray slurm.conf beside the one it fetched, or that file was removed",
            "ls -l /etc/slurm/slurm.conf /run/slurm/conf: remove the slurm.conf that is not the site's; where "
            "plugstack.conf is gone, playbooks/site.yml",
        )
    problems = [f"{name}: {problem}" for name, problem in observed["files"].items() if problem]
    strange = [name for name in observed["files"] if not name.endswith(".conf")]
    if problems or strange:
        return failed(
            "; ".join([*problems, *(f"{name} is included and no .conf" for name in strange)]),
            "every included file readable for users and named *.conf",
            "Slurm refuses every job of a user who cannot read one file of the plugin stack (aws-parallelcluster#6459)",
            "remove the stray file, or give it mode 0644; include *.conf only",
        )
    return None
