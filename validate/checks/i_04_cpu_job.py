"""I-04: a job without GPUs on a GPU node starts a container, and sees none."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="I-04",
    title="a job without GPUs sees none",
    tier="quick",
    step="sample",
    cause="enroot's NVIDIA hook fails without a device, or every container sees all GPUs",
    fix="ConstrainDevices=yes in cgroup.conf; NVIDIA_VISIBLE_DEVICES in enroot's environ.d",
    after=("C-01", "I-01"),
    needs=("gpu_devices",),
    seconds=70,
)


PROGRAM = "n=0; for f in /dev/nvidia[0-9]*; do ( : < $f ) 2> /dev/null && n=$((n+1)); done; echo opened=$n"


def observe(node: Node) -> Any:
    """Count the devices that open."""
    return node.contained(["sh", "-c", PROGRAM], ["--overlap", "--ntasks=1", "--gres=none"]).record()


def judge(observed: Any, context: Context) -> Finding:
    """The container starts, and none opens."""
    said = observed["stdout"].strip()
    if observed["code"] != 0 or not said.startswith("opened="):
        return failed(observed["stderr"].strip()[-400:] or "nothing", "a container without GPUs that starts")
    return passed("0 GPUs") if said == "opened=0" else failed(f"{said.partition('=')[2]} GPUs can be opened", "0 GPUs")
