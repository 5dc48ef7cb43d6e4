"""C-02: the container sees exactly the GPUs of the node."""

from __future__ import annotations

import os
import re
from typing import Any

from validate import reading
from validate.model import ERROR, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-02",
    title="GPUs in the container = on the node",
    tier="quick",
    step="container",
    cause="enroot's NVIDIA hook is missing, NVIDIA_VISIBLE_DEVICES is wrong, or a CDI file is stale",
    fix="ls -l /etc/enroot/hooks.d/98-nvidia.sh; srun env | grep NVIDIA_VISIBLE_DEVICES",
    after=("C-01", "N-03", "N-04", "N-15"),
    beside=("N-03", "N-04"),
    needs=("gpu_devices",),
    seconds=20,
)


CHOSEN, CAPABILITIES = "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"
# Values of NVIDIA_VISIBLE_DEVICES with which NVIDIA's hook leaves the GPUs out.
NONE = ("void", "none")


def observe(node: Node) -> Any:
    """List the devices that can be opened, what nvidia-smi says in here, and what decides over both."""
    there = node.devices()
    devices = node.openable(there)
    output = node.run(["nvidia-smi", "-L"], 15) if node.which("nvidia-smi") else None
    return {
        "openable": devices,
        "uuids": re.findall(r"UUID: ((?:GPU|MIG)-[\w-]+)", output.stdout) if output else None,
        "there": there,
        # Without the node's own /dev, enroot mounts a few devices one by one.
        "restricted": any(mount["point"] == "/dev/null" for mount in reading.mounts(node)),
        "variables": {name: os.environ.get(name, "") for name in (CHOSEN, CAPABILITIES)},
    }


def judge(observed: Any, context: Context) -> Finding:
    """The same devices and the same UUIDs as outside."""
    nvidia = "nvidia" in context.profile.has
    unseen = [name for name in ("N-03", *["N-04"] * nvidia) if not context.others.get(name)]
    if unseen:
        cause = f"{unseen[0]} has no observation of the node with which the container could be compared"
        return Finding(ERROR, "nothing to compare with", "an observation", cause, f"see {unseen[0]} of this node")
    outside = context.others["N-03"].get("nvidia", {}).get("openable", [])
    missing = [name for name in outside if name not in observed["openable"]]
    more = [name for name in observed["openable"] if name not in outside]
    if missing or more:
        said = f"missing {', '.join(missing) or 'none'}, more {', '.join(more) or 'none'}"
        return failed(said, f"the {len(outside)} devices of the node", *why(observed, missing))
    if nvidia:
        host = re.findall(r"(GPU-[\w-]+)", str(context.others["N-04"].get("stdout", "")))
        if observed["uuids"] is None:
            return failed("no nvidia-smi in the container", "nvidia-smi, mounted by the hook", *why_without(observed))
        parts = [uuid for uuid in observed["uuids"] if uuid.startswith("MIG-")]
        if parts:
            return failed(
                f"{len(parts)} MIG devices",
                f"the {len(host)} GPUs of the node, each of them whole",
                "MIG mode is on: a program gets parts of GPUs",
                "drain; nvidia-smi -mig 0, as root; where the driver says that it is pending: nvidia-smi --gpu-reset; "
                "where MIG is meant: a kind of its own (docs/operate/kinds.md)",
            )
        if sorted(observed["uuids"]) != sorted(host):
            return failed(f"{len(observed['uuids'])} UUIDs", f"the {len(host)} UUIDs of the node")
    return passed(f"{len(outside)} devices")


def why(observed: Any, missing: list[str]) -> tuple[str, str]:
    """Return cause and fix of other devices than the node's, as far as the container itself shows them."""
    chosen = observed.get("variables", {}).get(CHOSEN, "")
    closed = [name for name in missing if name in observed.get("there", ())]
    if closed:
        return (
            f"the device files are there and do not open: {', '.join(closed)}",
            "ls -l /dev/nvidia* inside and outside; scontrol show config | grep -i Constrain; restart slurmd",
        )
    if missing and chosen in NONE:
        return (
            f"{CHOSEN}={chosen} keeps the GPUs out",
            f"grep -r {CHOSEN} /etc/enroot/environ.d; echo ${CHOSEN} in the job",
        )
    if missing and observed.get("restricted"):
        return (
            "enroot hides the node's /dev (ENROOT_RESTRICT_DEV), and no hook brings the GPUs in",
            "ENROOT_RESTRICT_DEV no in /etc/enroot/enroot.conf; or ls -l /etc/enroot/hooks.d/98-nvidia.sh (mode 0755)",
        )
    if missing and chosen not in ("", "all"):
        return f"{CHOSEN}={chosen} chooses some of the GPUs", f"grep -r {CHOSEN} /etc/enroot/environ.d; echo ${CHOSEN}"
    return "", ""


def why_without(observed: Any) -> tuple[str, str]:
    """Return cause and fix of a container that has the GPUs and not nvidia-smi."""
    given = observed.get("variables", {}).get(CAPABILITIES, "")
    if given and not {"all", "utility"} & set(given.split(",")):
        fix = f"{CAPABILITIES}=compute,utility in /etc/enroot/environ.d/50-nvidia.env"
        return f"{CAPABILITIES}={given} lacks utility", fix
    return "enroot's NVIDIA hook does not run", "ls -l /etc/enroot/hooks.d/98-nvidia.sh; it must be executable"
