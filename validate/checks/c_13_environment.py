"""C-13: the job's environment reaches the container."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-13",
    title="environment reaches the container",
    tier="standard",
    step="container",
    cause="a hook or TaskProlog changes it (pyxis#163)",
    fix="srun --container-image=… env on this node; look at TaskProlog and enroot's environ.d",
    after=("C-01",),
)


NAMES = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURMD_NODENAME", "SLURM_PROCID")


def observe(node: Node) -> Any:
    """Read what Slurm sets."""
    return {name: os.environ.get(name, "") for name in NAMES}


def judge(observed: Any, context: Context) -> Finding:
    """All of it is there, and of this node."""
    missing = [name for name in NAMES if not observed[name]]
    if missing:
        return failed(f"not set: {', '.join(missing)}", "Slurm's variables inside")
    if observed["SLURMD_NODENAME"] != context.node:
        return failed(f"SLURMD_NODENAME={observed['SLURMD_NODENAME']}", context.node)
    return passed("Slurm's variables are there")
