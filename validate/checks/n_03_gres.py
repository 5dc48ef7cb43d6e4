"""N-03: the node has the GPUs that Slurm promises, and the job may open them."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-03",
    title="GPUs: Slurm = devices = profile",
    tier="quick",
    step="host",
    cause="a GPU fell off the bus, or gres.conf does not fit the node",
    fix="fewer devices: dmesg -T | grep -i nvrm, then reboot; more than Slurm has: correct gres.conf",
)


PATTERNS = {"amd": "dri/renderD*", "neuron": "neuron[0-9]*"}


def observe(node: Node) -> Any:
    """List the device files, and which of them this step can open."""
    found = {}
    for vendor, pattern in (("nvidia", "nvidia[0-9]*"), *PATTERNS.items()):
        devices = node.devices(pattern) if "/" not in pattern else [f"dri/{name}" for name in node.devices(pattern)]
        seen = {name: status for name in devices if (status := status_of(node, name))}
        found[vendor] = {
            "devices": devices,
            "openable": node.openable(devices),
            # What opening it really reaches.
            "numbers": {name: f"{os.major(at.st_rdev)}:{os.minor(at.st_rdev)}" for name, at in seen.items()},
            "modes": {name: f"{at.st_mode & 0o7777:04o}" for name, at in seen.items()},
        }
    return found


def status_of(node: Node, name: str) -> os.stat_result | None:
    """Return what the file system says of a device file."""
    with contextlib.suppress(OSError):
        return node.path(f"/dev/{name}").stat()
    return None


def judge(observed: Any, context: Context) -> Finding:
    """All of them agree."""
    vendor = next((name for name in PATTERNS if name in context.profile.has), "nvidia")
    devices, openable = observed[vendor]["devices"], observed[vendor]["openable"]
    slurm, wanted = context.slurm["gpus"], context.profile.gpus
    said = f"Slurm {slurm}, devices {len(devices)}, usable in the job {len(openable)}"
    expected = f"{slurm if wanted is None else wanted} of each"
    own = observed[vendor].get("numbers") or {}
    usual, count = majority(context.fleet, lambda seen: seen[vendor]["numbers"])
    twice = sorted(name for name, number in own.items() if list(own.values()).count(number) > 1)
    other = sorted(name for name in own if count > 1 and name in usual and usual[name] != own[name])
    if twice or other:
        return failed(
            ", ".join(f"{name} is {own[name]}" for name in twice or other),
            "a device file for each GPU" if twice else ", ".join(f"{name} {usual[name]}" for name in other),
            "device files were made by hand with wrong numbers: one GPU answers for another",
            "remove them; nvidia-modprobe -c INDEX, or udevadm trigger, makes them anew; else reboot",
        )
    if len({slurm, len(devices), len(openable), slurm if wanted is None else wanted}) == 1:
        return passed(said)
    if len(openable) < len(devices) == slurm:
        closed = [name for name in devices if name not in openable]
        modes = observed[vendor].get("modes") or {}
        shut = [name for name in closed if int(modes.get(name, "0666"), 8) & 0o006 != 0o006]
        if shut:
            return failed(
                f"{said}: {', '.join(f'{name} has the mode {modes[name]}' for name in shut)}",
                "0666",
                "the file's mode or owner keeps users out",
                f"chmod 0666 {' '.join(f'/dev/{name}' for name in shut)}; find what sets it: udev rules, "
                "NVreg_DeviceFileMode of the module; nvidia-modprobe makes it anew",
            )
        return failed(
            f"{said}: {', '.join(closed)} cannot be opened",
            expected,
            "the job was given all GPUs and its cgroup denies some, or a driver is wedged",
            "scontrol show node; slurmd's log; nvidia-smi",
        )
    return failed(said, expected)
