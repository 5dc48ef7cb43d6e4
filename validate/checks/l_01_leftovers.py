"""L-01: no container of a job that is gone lies on the node."""

from __future__ import annotations

import os
import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="L-01",
    title="no stale containers before",
    tier="quick",
    step="host",
    cause="jobs that were killed leave their containers' trees behind (pyxis#161)",
    fix="enroot remove NAME as their owner; clean up in the epilog",
    after=("N-05", "N-30"),
)


NAME = re.compile(r"pyxis_(\d+)(?:[._].*)?$")


def observe(node: Node) -> Any:
    """List this account's unpacked containers and images, with the jobs that Slurm knows."""
    paths = reading.enroot_paths(node)
    found = []
    for key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH"):
        try:
            found += sorted(os.listdir(paths[key]))  # noqa: PTH208 - names are all that is wanted
        except OSError:
            continue
    jobs = node.run(["squeue", "-h", "-o", "%A"], 8)
    return {"names": found[:200], "jobs": jobs.stdout.split() if jobs.code == 0 else None}


def judge(observed: Any, context: Context) -> Finding:
    """Every pyxis container belongs to a job that lives."""
    if observed["jobs"] is None:
        return errored("squeue did not say which jobs live")
    matches = [(name, NAME.match(name)) for name in observed["names"]]
    stale = [name for name, match in matches if match and match.group(1) not in observed["jobs"]]
    if stale:
        return failed(f"{len(stale)} without a job: {', '.join(stale[:5])}", "none without a job")
    return passed(f"{len(observed['names'])} containers, none of a dead job" if observed["names"] else "none")
