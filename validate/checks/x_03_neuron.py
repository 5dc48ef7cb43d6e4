"""X-03: a container on a Trainium or Inferentia node has its devices."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="X-03",
    title="Neuron devices in the container",
    tier="quick",
    step="container",
    cause="the devices are not in the container, or the driver lost some",
    fix="ls -l /dev/neuron*; ENROOT_RESTRICT_DEV no; lsmod | grep neuron; dmesg -T | grep -i neuron; neuron-ls",
    after=("C-01",),
    beside=("N-03",),
    needs=("neuron",),
)


def observe(node: Node) -> Any:
    """Open them."""
    return {"openable": node.openable(node.devices("neuron[0-9]*")), "there": len(node.devices("neuron[0-9]*"))}


def judge(observed: Any, context: Context) -> Finding:
    """As many as Slurm has, or where it has no gres for them, as the node has outside."""
    outside = len((context.others.get("N-03") or {}).get("neuron", {}).get("devices", []))
    wanted = context.slurm["gpus"] or outside
    said = f"{len(observed['openable'])} of {observed['there']} open, {outside} on the node"
    return (
        passed(said) if wanted and len(observed["openable"]) == wanted else failed(said, f"{wanted or 'some'} devices")
    )
