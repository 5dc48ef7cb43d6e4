"""I-01: a job with one GPU has one GPU."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="I-01",
    title="a one-GPU job sees one GPU",
    tier="quick",
    step="one_gpu",
    cause="devices are not confined: ConstrainDevices is off, or this slurmd was started before it was set (pyxis#47)",
    fix="ConstrainDevices=yes in cgroup.conf; restart slurmd on this node",
    after=("C-01", "N-03", "C-02", "H-05"),
    needs=("gpu_devices",),
)


def observe(node: Node) -> Any:
    """Open them all, whatever CUDA_VISIBLE_DEVICES says."""
    return {"openable": node.openable(node.devices()), "visible": os.environ.get("CUDA_VISIBLE_DEVICES", "")}


def judge(observed: Any, context: Context) -> Finding:
    """Exactly one can be opened."""
    if len(observed["openable"]) == 1:
        return passed(f"{observed['openable'][0]}, CUDA_VISIBLE_DEVICES={observed['visible']}")
    if not observed["openable"]:
        return failed(
            "0 GPUs can be opened",
            "1 GPU",
            "the job has no GPU device: enroot mounts none into the container, or Slurm allows none",
            "srun --gres=gpu:1 ls -l /dev, with and without --container-image; ENROOT_RESTRICT_DEV in enroot.conf; "
            "ls -l /etc/enroot/hooks.d/98-nvidia.sh",
        )
    return failed(f"{len(observed['openable'])} GPUs can be opened: {', '.join(observed['openable'])}", "1 GPU")
