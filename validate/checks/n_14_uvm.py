"""N-14: nvidia_uvm is loaded before the first job uses it."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-14",
    title="/dev/nvidia-uvm exists",
    tier="quick",
    step="host",
    cause="nvidia_uvm is not loaded at boot: the first container meets CUDA error 999",
    fix="modprobe nvidia_uvm; nvidia-modprobe -u -c=0; write nvidia_uvm to /etc/modules-load.d/nvidia.conf",
    after=("N-03",),
    needs=("nvidia",),
)


def observe(node: Node) -> Any:
    """Look at the device."""
    path = node.path("/dev/nvidia-uvm")
    return {"exists": path.exists(), "character": path.is_char_device()}


def judge(observed: Any, context: Context) -> Finding:
    """It is a character device."""
    if observed["character"]:
        return passed("there")
    return failed("a plain file" if observed["exists"] else "missing", "a character device")
