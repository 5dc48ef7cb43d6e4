"""A-04: Apptainer's cache and temporary directories are not in the home directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="A-04",
    title="apptainer: cache and temporary directories",
    tier="quick",
    step="host",
    cause="nothing sets them, so that images fill ~/.apptainer/cache and the quota of the home directory",
    fix="apptainer_cache_dir and apptainer_tmp_dir; playbooks/site.yml writes /etc/profile.d; apptainer cache clean",
    after=("A-06", "N-10"),
)


def observe(node: Node) -> Any:
    """Read what is set in a job, and where it lies."""
    home, table = os.environ.get("HOME", "/"), reading.mounts(node)
    defaults = {"CACHEDIR": f"{home}/.apptainer/cache", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
    found = {}
    for name, default in defaults.items():
        given = os.environ.get(f"APPTAINER_{name}") or os.environ.get(f"SINGULARITY_{name}") or ""
        path = reading.existing(given or default)
        found[name] = {
            "given": given, "path": given or default, "type": reading.mount_of(path, table)["type"],
            "writable": os.access(path, os.W_OK), "in_home": Path(given or default).is_relative_to(home),
        }  # fmt: skip
    return {"installed": bool(node.which("apptainer")), "directories": found}


def judge(observed: Any, context: Context) -> Finding:
    """Set, writable, not in the home directory; the temporary one not in memory and not shared."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    bad = []
    for name, seen in observed["directories"].items():
        if not seen["writable"]:
            return failed(f"{seen['path']} cannot be written", "writable for users", "", f"ls -ld {seen['path']}")
        if seen["in_home"]:
            bad.append(f"{name} is {seen['path']}, in the home directory")
        elif name == "TMPDIR" and seen["type"] in ("tmpfs", *reading.SHARED):
            bad.append(f"{name} is {seen['path']}, on {seen['type']}")
    if bad:
        return warned("; ".join(bad), "on a local disk, outside the home directory")
    return passed(", ".join(f"{seen['path']} on {seen['type']}" for seen in observed["directories"].values()))
