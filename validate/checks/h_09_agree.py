"""H-09: the submit hosts have the same Slurm plugin stack and enroot."""

from __future__ import annotations

import hashlib
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, compare, failed, passed, undecided
from validate.probing import Node

CHECK = Check(
    id="H-09",
    title="submit hosts agree",
    tier="standard",
    step="submit",
    cause="a login node missed the last change of the stack",
    fix="playbooks/site.yml on that host; compare the files with those of another login node",
    after=("H-04",),
)


def observe(node: Node) -> Any:
    """Hash what the plugin stack names, and enroot's configuration."""
    stack = slurm.plugstack(node)
    files = [*stack["files"], *(line["plugin"] for line in stack["pyxis"]), "/etc/enroot/enroot.conf"]
    found = {}
    for name in files:
        try:
            found[name] = hashlib.sha256(node.path(name).read_bytes()).hexdigest()[:16]
        except OSError as error:
            found[name] = str(error.strerror)
    return found


def judge(observed: Any, context: Context) -> Finding:
    """As on most submit hosts."""
    beside = compare(context.fleet, observed, dict, "missing")
    if beside.other:
        return failed("; ".join(sorted(beside.other)), beside.on.replace("nodes", "submit hosts"))
    if beside.split:
        return undecided(beside, "diff the file on both submit hosts; playbooks/site.yml on both")
    if beside.nodes < 2:
        return passed(f"{len(observed)} files; no other submit host to compare with")
    return passed(f"as on {beside.nodes} submit hosts")
