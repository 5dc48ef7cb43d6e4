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
from validate.model import Finding, failed, passed, warned
from validate.probing import Node

CLOSED = os.strerror(errno.EACCES)
# Where sackd and a configless slurmd keep what they fetched.
CACHE = "/run/slurm/conf"
# Where slurm.conf is looked for besides, where the library does not say which directory is built into it.
DIRECTORIES = ("/etc/slurm", "/opt/slurm/etc", CACHE, "/usr/local/etc", "/etc/slurm-llnl")
LIBRARIES = ("lib*/slurm*/libslurmfull.so", "lib/*-linux-gnu/slurm*/libslurmfull.so")


def setting(text: str, name: str) -> str:
    """Return a value of ``scontrol show config``, '' where it is not there."""
    found = re.search(rf"^{re.escape(name)}\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    return found.group(1) if found else ""


def partition(text: str, name: str = "") -> dict[str, str]:
    """Return the fields of a partition out of ``scontrol --oneliner show partition``: the default one without a name.

    {} where there is none.
    """
    rows = (dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.splitlines())
    key, wanted = ("PartitionName", name) if name else ("Default", "YES")
    return next((row for row in rows if row.get(key) == wanted), {})


def built_in(node: Node) -> list[str]:
    """Return the slurm.conf that is built into the library of this host's commands; [] where it cannot be found."""
    program = node.which("scontrol")
    prefix = Path(os.path.realpath(program)).parent.parent
    for pattern in LIBRARIES if program else ():
        for library in sorted(prefix.glob(pattern)):
            try:
                found = re.findall(rb"\0(/[!-$&-~]+/slurm\.conf)(?=\0)", library.read_bytes())
            except OSError:
                continue
            return [name.decode() for name in found if name.decode() != f"{CACHE}/slurm.conf"]
    return []


def places(node: Node) -> list[str]:
    """Return where this host's commands look for slurm.conf, in their order (read_config.c of Slurm).

    Slurm gives a job the path that slurmd itself reads, so that no node has to ask its controller; what
    ``scontrol show config`` calls SLURM_CONF is the controller's own path.
    """
    given = os.environ.get("SLURM_CONF")
    if given:
        return [given]
    built = built_in(node)
    return [*built, f"{CACHE}/slurm.conf"] if built else [f"{directory}/slurm.conf" for directory in DIRECTORIES]


def there(node: Node, name: str) -> bool:
    """Return whether a file is there, as far as this account can see."""
    # Path.exists raises where a directory on the way is closed.
    return os.path.exists(node.path(name))  # noqa: PTH110


def conf(node: Node) -> str:
    """Return the slurm.conf that this host's commands read, the first that they look for where none is there."""
    names = places(node)
    return next((name for name in names if there(node, name)), names[0])


def plugstack(node: Node) -> dict[str, Any]:
    """Return Slurm's plugin stack as this account reads it: files with their problem, and the lines naming pyxis.

    ``closed`` are directories of it that keep the account out: what is in them seems not to be there. ``conf`` is the
    slurm.conf that it belongs to, '' for none, ``places`` where one is looked for, and ``others`` are those elsewhere
    that have a plugin stack beside them.
    """
    names, config = places(node), conf(node)
    shut: list[str] = []
    if not there(node, config):
        shut = [reading.closed(node, name) for name in (*DIRECTORIES, str(Path(config).parent))]
    configured = re.search(r"^\s*PlugStackConfig\s*=\s*(\S+)", node.read(config) or "", re.IGNORECASE | re.MULTILINE)
    main = configured.group(1) if configured else str(Path(config).parent / "plugstack.conf")
    files: dict[str, str] = {}
    lines: list[dict[str, Any]] = []
    todo = [main] if there(node, config) else []
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
    real = os.path.realpath(config)
    beside = [f"{directory}/slurm.conf" for directory in DIRECTORIES if there(node, f"{directory}/plugstack.conf")]
    return {
        "main": main, "files": files, "pyxis": lines, "closed": sorted({name for name in shut if name}),
        "conf": config if there(node, config) else "", "places": names, "given": bool(os.environ.get("SLURM_CONF")),
        "others": [name for name in beside if there(node, name) and os.path.realpath(name) != real],
    }  # fmt: skip


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
    if observed.get("conf") == "":
        return unconfigured(observed)
    # An absent slurm.conf is looked for elsewhere, an absent plugstack.conf beside it is not.
    if observed["files"].get(main) == os.strerror(errno.ENOENT):
        return missing(observed) if declared else passed("no plugin stack, and no pyxis is declared")
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


def unconfigured(observed: Mapping[str, Any]) -> Finding:
    """Return that there is no slurm.conf on this host; where commands work without one, they fetch it."""
    looked = ", ".join(observed["places"])
    if observed["given"]:
        return failed(
            f"SLURM_CONF={looked}: {os.strerror(errno.ENOENT)}",
            "the slurm.conf that SLURM_CONF names",
            f"SLURM_CONF names {looked}, which is not there: every command of Slurm fails here",
            "grep -rs SLURM_CONF /etc/profile.d /etc/environment ~/.bashrc; correct it, or unset SLURM_CONF",
        )
    return warned(
        f"no slurm.conf here: neither {looked}",
        "the slurm.conf that slurmd reads",
        "this host has no slurm.conf: slurmd has not fetched it since the boot, or keeps it elsewhere",
        "systemctl status slurmd; ps -o args -C slurmd; systemctl restart slurmd fetches it anew",
    )


def missing(observed: Mapping[str, Any]) -> Finding:
    """Return that the plugin stack is not there that belongs to the slurm.conf of this host."""
    main = observed["main"]
    # Older results name neither slurm.conf nor what is beside it.
    config, others = observed.get("conf") or str(Path(main).parent / "slurm.conf"), observed.get("others") or []
    cause = f"this host reads {config}, and the plugin stack {main} is not there: no command here knows pyxis"
    fix = (
        "playbooks/site.yml registers pyxis; where slurmd or sackd fetches the configuration, compare it with the "
        "controller's, then systemctl restart slurmd (sackd)"
    )
    if Path(main).parent != Path(config).parent:
        fix = f"grep -i PlugStackConfig {config}: correct it, or write {main}; playbooks/site.yml registers pyxis"
    elif others:
        cause = f"this host reads {config}, without a plugin stack, and not {others[0]}, which has one: one is stray"
        fix = f"diff {config} {others[0]}: remove the one that is not the site's, and look for SLURM_CONF"
    return failed(
        f"{main}: {observed['files'][main]}",
        "the plugin stack of the configuration that was fetched here or that the site shares",
        cause,
        fix,
    )
