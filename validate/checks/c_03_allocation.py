"""C-03: the container has as many GPUs as the job was given."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-03",
    title="GPUs in the container = allocation",
    tier="quick",
    step="container",
    cause="more: devices are not confined (H-05); fewer: a GPU is lost (N-03)",
    fix="scontrol show config | grep Constrain; gres.conf",
    after=("C-01", "C-02", "N-03", "H-05"),
    needs=("gpu_devices",),
)


def observe(node: Node) -> Any:
    """Count, beside what Slurm says in the environment."""
    return {"openable": len(node.openable(node.devices())), "allocated": os.environ.get("SLURM_GPUS_ON_NODE", "")}


def judge(observed: Any, context: Context) -> Finding:
    """Equal."""
    said = f"{observed['openable']} devices, SLURM_GPUS_ON_NODE={observed['allocated'] or '(not set)'}"
    if str(observed["openable"]) == (observed["allocated"] or "0"):
        return passed(said)
    return failed(said, "the same number")
