"""C-02: the container sees exactly the GPUs of the node."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-02",
    title="GPUs in the container = on the node",
    tier="quick",
    step="container",
    cause="enroot's NVIDIA hook is missing, NVIDIA_VISIBLE_DEVICES is wrong, or a CDI file is stale",
    fix="ls -l /etc/enroot/hooks.d/98-nvidia.sh; srun env | grep NVIDIA_VISIBLE_DEVICES",
    after=("C-01", "N-03", "N-04", "N-15"),
    needs=("gpu_devices",),
    seconds=20,
)


def observe(node: Node) -> Any:
    """List the devices that can be opened, and what nvidia-smi says in here."""
    devices = node.openable(node.devices())
    output = node.run(["nvidia-smi", "-L"], 15) if node.which("nvidia-smi") else None
    return {"openable": devices, "uuids": re.findall(r"UUID: ((?:GPU|MIG)-[\w-]+)", output.stdout) if output else None}


def judge(observed: Any, context: Context) -> Finding:
    """The same devices and the same UUIDs as outside."""
    outside = (context.others.get("N-03") or {}).get("nvidia", {}).get("openable", [])
    missing = [name for name in outside if name not in observed["openable"]]
    more = [name for name in observed["openable"] if name not in outside]
    if missing or more:
        said = f"missing {', '.join(missing) or 'none'}, more {', '.join(more) or 'none'}"
        return failed(said, f"the {len(outside)} devices of the node")
    if "nvidia" in context.profile.has:
        host = re.findall(r"(GPU-[\w-]+)", str((context.others.get("N-04") or {}).get("stdout", "")))
        if observed["uuids"] is None:
            return failed("no nvidia-smi in the container", "nvidia-smi, mounted by the hook")
        if sorted(observed["uuids"]) != sorted(host):
            return failed(f"{len(observed['uuids'])} UUIDs", f"the {len(host)} UUIDs of the node")
    return passed(f"{len(outside)} devices")
