"""N-14: nvidia_uvm is loaded before the first job uses it."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-14",
    title="/dev/nvidia-uvm exists and is open to users",
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
    mode = f"{path.stat().st_mode & 0o7777:04o}" if path.exists() else ""
    return {"exists": path.exists(), "character": path.is_char_device(), "mode": mode}


def judge(observed: Any, context: Context) -> Finding:
    """It is a character device."""
    # Only the mode: some sites' cgroups give it to jobs with GPUs alone.
    if observed["character"] and int(observed.get("mode") or "0666", 8) & 0o006 != 0o006:
        return failed(
            f"/dev/nvidia-uvm has the mode {observed['mode']}",
            "0666",
            "the mode of /dev/nvidia-uvm keeps users out: CUDA does not start",
            "chmod 0666 /dev/nvidia-uvm; find what sets it: udev rules, NVreg_DeviceFileMode; nvidia-modprobe -u",
        )
    if observed["character"]:
        return passed("there")
    return failed("a plain file" if observed["exists"] else "missing", "a character device")
