"""I-08: every task of a container step with GPUs for each task has one."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="I-08",
    title="each task has a GPU (--gpus-per-task)",
    tier="standard",
    step="sample",
    cause="the container is the first task's, whose cgroup has only its own GPU: open upstream (pyxis#73)",
    fix="srun --gpu-bind=none, or --gres and CUDA_VISIBLE_DEVICES=$SLURM_LOCALID",
    who="user",
    after=("C-01", "I-01", "N-03"),
    needs=("gpu_devices",),
    seconds=70,
)


PROGRAM = (
    "n=0; for f in /dev/nvidia[0-9]*; do ( : < $f ) 2> /dev/null && n=$((n+1)); done; echo task=$SLURM_PROCID opened=$n"
)


def observe(node: Node) -> Any:
    """Start two tasks."""
    if len(node.openable(node.devices())) < 2:
        return {"devices": 1}
    output = node.contained(["sh", "-c", PROGRAM], ["--overlap", "--ntasks=2", "--gpus-per-task=1"])
    return {"devices": 2, **output.record()}


def judge(observed: Any, context: Context) -> Finding:
    """Both open at least one."""
    if observed["devices"] < 2:
        return (
            skipped("the node has one GPU") if context.slurm["gpus"] < 2 else failed("one GPU in the job", "all GPUs")
        )
    found = re.findall(r"task=(\d+) opened=(\d+)", observed["stdout"])
    if len(found) != 2:
        return failed(observed["stderr"].strip()[-400:] or "nothing", "two tasks that start")
    said = ", ".join(f"task {task}: {count}" for task, count in sorted(found))
    return passed(said) if all(int(count) for _task, count in found) else failed(said, "at least one for each task")
