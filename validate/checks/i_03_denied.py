"""I-03: a job with one GPU is refused by the others."""

from __future__ import annotations

import errno
import os
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="I-03",
    title="other jobs' GPUs are refused",
    tier="standard",
    step="one_gpu",
    cause="the device rules of the job's cgroup are not applied",
    fix="slurmd's log for cgroup and eBPF errors; ConstrainDevices=yes; restart slurmd",
    after=("C-01", "I-01", "N-03"),
    needs=("gpu_devices",),
)


def observe(node: Node) -> Any:
    """Open each device that is visible, and keep why it was refused."""
    found = {}
    for name in node.devices():
        try:
            os.close(os.open(node.path("/dev") / name, os.O_RDONLY))
            found[name] = ""
        except OSError as error:
            found[name] = errno.errorcode.get(error.errno or 0, "EIO")
    return found


def judge(observed: Any, context: Context) -> Finding:
    """One opens; each of the others says EPERM, or is not even there."""
    if context.slurm["gpus"] < 2:
        return skipped("the node has one GPU")
    opened = [name for name, why in observed.items() if not why]
    other = [f"{name}: {why}" for name, why in observed.items() if why not in ("", "EPERM")]
    if len(opened) != 1 or other:
        return failed(
            f"{len(opened)} opened; {', '.join(other) or 'no other answer'}", "one opened, EPERM for the others"
        )
    return passed(f"{len(observed) - 1} refused with EPERM")
