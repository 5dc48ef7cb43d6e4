"""N-03: the node has the GPUs that Slurm promises, and the job may open them."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from validate.model import Check, Context, Finding, compare, failed, passed, undecided
from validate.probing import Node

CHECK = Check(
    id="N-03",
    title="GPUs: Slurm = devices = profile",
    tier="quick",
    step="host",
    cause="the GPUs that Slurm promises are not those that the node has",
    fix="scontrol show node NODE; ls -l /dev/nvidia*; lspci; gres.conf",
    after=("N-33",),
    beside=("N-04",),
)


PATTERNS = {"amd": "dri/renderD*", "neuron": "neuron[0-9]*"}


def observe(node: Node) -> Any:
    """List the device files, and which of them this step can open."""
    found: dict[str, dict[str, Any]] = {}
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
    found["nvidia"]["driver"] = node.path("/proc/driver/nvidia/version").exists()
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
    beside = compare(context.fleet, own, lambda seen: seen[vendor]["numbers"])
    twice = sorted(name for name, number in own.items() if list(own.values()).count(number) > 1)
    other = sorted(beside.other)
    if twice or other:
        return failed(
            ", ".join(f"{name} is {own[name]}" for name in twice or other),
            "a device file for each GPU"
            if twice
            else ", ".join(f"{name} {beside.other[name].usual}" for name in other),
            "device files were made by hand with wrong numbers: one GPU answers for another",
            "rm them; nvidia-modprobe -c INDEX as root makes each anew; else reboot",
        )
    if len({slurm, len(devices), len(openable), slurm if wanted is None else wanted}) == 1:
        fix = "ls -l /dev/nvidia* on both: rm those that were made by hand; nvidia-modprobe -c INDEX makes them anew"
        return undecided(beside, fix) if beside.split else passed(said)
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
        what = f"{said}: {', '.join(closed)} cannot be opened"
        if unloaded(context, vendor, observed[vendor].get("driver")):
            return failed(what, expected, *UNLOADED)
        return failed(
            what,
            expected,
            "the job was given all GPUs and its cgroup denies some, or a driver is wedged",
            "scontrol show node; slurmd's log; nvidia-smi",
        )
    return failed(said, expected, *counted(context, vendor, devices, observed[vendor].get("driver")))


UNLOADED = ("the driver is not loaded", "modprobe nvidia; dkms status; dmesg -T | grep -i nvrm")


def unloaded(context: Context, vendor: str, driver: bool | None) -> bool:
    """Return whether NVIDIA's GPUs are on the bus and nothing drives them; its device files stay behind."""
    return vendor == "nvidia" and driver is False and bool(on_bus(context, vendor))


def on_bus(context: Context, vendor: str) -> int | None:
    """Return how many GPUs the PCI bus shows; None where that was not looked at."""
    hello = context.steps.get("host", {}).get("hello") or {}
    count: int | None = (hello.get("hardware") or {}).get(vendor)
    return count


def counted(context: Context, vendor: str, devices: list[str], driver: bool | None) -> tuple[str, str]:
    """Return cause and fix of another number of device files than Slurm or the profile has."""
    slurm, wanted = context.slurm["gpus"], context.profile.gpus
    bus = on_bus(context, vendor)
    if len(devices) < slurm and bus is not None and bus < slurm:
        return (
            f"a GPU fell off the bus: {bus} of {slurm} are there",
            "dmesg -T | grep -i -e nvrm -e pcie; reboot; where it stays away: reseat or return it",
        )
    if len(devices) < slurm and unloaded(context, vendor, driver):
        return UNLOADED
    if len(devices) < slurm:
        # Their numbers say which of them are not there.
        names = [f"nvidia{number}" for number in range(slurm)] if vendor == "nvidia" else []
        lost = [f"/dev/{name}" for name in names if name not in devices]
        return (
            f"device files are missing: {', '.join(lost) or f'{slurm - len(devices)} of {slurm}'}",
            "nvidia-smi -L shows whether the driver has them; nvidia-modprobe -c INDEX makes the files anew",
        )
    if len(devices) > slurm:
        return (
            f"Slurm promises fewer GPUs than the node has: {slurm} of {len(devices)}",
            "correct Gres= of the node in slurm.conf and its line in gres.conf; scontrol reconfigure",
        )
    return (
        f"the node has another number of GPUs than its kind: {slurm} and not {wanted}",
        (
            f"mend the node and its gres.conf; where it is meant to have {slurm}, say so in the inventory: "
            f"validate_profiles: {{{context.profile.kind}: {{gpus: {slurm}}}}}"
        ),
    )
