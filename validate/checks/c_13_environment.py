"""C-13: the job's environment reaches the container."""

from __future__ import annotations

import os
from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-13",
    title="environment reaches the container",
    tier="standard",
    step="container",
    cause="a hook or TaskProlog changes it (pyxis#163)",
    fix="srun --container-image=… env on this node; look at TaskProlog and enroot's environ.d",
    after=("C-01", "N-07"),
    files=(*CONTAINER_FILES, "/etc/slurm/slurm.conf", "/run/slurm/conf/slurm.conf"),
)


NAMES = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURMD_NODENAME", "SLURM_PROCID")
# Given to the step by srun --export; Slurm's own variables are set on the node, whatever becomes of the others.
GIVEN = "SLIPWAY_VALIDATE"


def observe(node: Node) -> Any:
    """Read what Slurm sets, and what was in the environment of srun."""
    seen = {name: os.environ.get(name, "") for name in NAMES}
    return {**seen, GIVEN: os.environ.get(GIVEN, ""), "given": node.scratch}


def judge(observed: Any, context: Context) -> Finding:
    """All of it is there, and of this node."""
    missing = [name for name in NAMES if not observed[name]]
    if missing:
        return failed(f"not set: {', '.join(missing)}", "Slurm's variables inside")
    if observed["SLURMD_NODENAME"] != context.node:
        return failed(f"SLURMD_NODENAME={observed['SLURMD_NODENAME']}", context.node)
    # Results stored before it was given do not have it.
    if observed.get(GIVEN, "") != observed.get("given", ""):
        return failed(
            f"{GIVEN}={observed[GIVEN] or '(not set)'}",
            f"{observed['given']}, as given to srun --export",
            "what users export does not reach their containers: a hook, enroot's environ.d or a TaskProlog removes it",
            f"{GIVEN}=x srun --export=ALL,{GIVEN} --container-image=… env on this node; ls /etc/enroot/environ.d "
            "/etc/enroot/hooks.d; scontrol show config | grep -i TaskProlog",
        )
    return passed("Slurm's variables are there, and one that was given to srun")
