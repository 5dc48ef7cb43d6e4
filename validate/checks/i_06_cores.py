"""I-06: the container has the cores that the job was given."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="I-06",
    title="cores in the container = allocation",
    tier="standard",
    step="container",
    cause="the affinity plugin is missing, or cores are not confined",
    fix="TaskPlugin=task/affinity,task/cgroup; ConstrainCores=yes",
    after=("C-01",),
)


def observe(node: Node) -> Any:
    """Count the processor's cores that this process may use."""
    return {"cores": len(os.sched_getaffinity(0)), "allocated": os.environ.get("SLURM_CPUS_ON_NODE", "")}


def judge(observed: Any, context: Context) -> Finding:
    """No more than allocated."""
    said = f"{observed['cores']} cores, SLURM_CPUS_ON_NODE={observed['allocated'] or '(not set)'}"
    if not observed["allocated"].isdigit():
        return failed(said, "a number of cores from Slurm")
    return passed(said) if observed["cores"] <= int(observed["allocated"]) else failed(said, "no more than allocated")
