"""N-04: the driver enumerates the GPUs quickly."""

from __future__ import annotations

import re
import time
from typing import Any

from validate import smi
from validate.model import FAIL, Check, Context, Finding, compare, failed, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="N-04",
    title="nvidia-smi lists all GPUs in time",
    tier="quick",
    step="host",
    cause="a slow or hung nvidia-smi is the first sign of a wedged driver",
    fix="nvidia-smi -pm 1; where it hangs: drain, collect nvidia-bug-report, reset the GPU or reboot",
    after=("N-03",),
    needs=("gpu_devices",),
    seconds=20,
)


SECONDS = 5.0
# What nvidia-smi says where it fails -> cause, fix.
TROUBLES = (
    (
        r"Driver/library version mismatch",
        "the driver was upgraded and the module not reloaded (nct#394)",
        (
            "reboot the node; or drain it, stop nvidia-persistenced, nvidia-fabricmanager and nvidia-dcgm, rmmod what "
            "lsmod | grep ^nvidia lists, nvidia last, and modprobe nvidia; hold the driver's packages"
        ),
    ),
    (
        r"couldn't communicate with the NVIDIA driver",
        "the nvidia module is not loaded, or does not answer",
        "modprobe nvidia; where there is none for this kernel: dkms status, uname -r; dmesg -T | grep -i nvrm",
    ),
    (r"GPU is lost|Unable to determine the device handle", "a GPU fell off the bus (Xid 79)", smi.LOST),
    (
        r"No devices were found",
        "the driver is loaded and could not start any GPU",
        "dmesg -T | grep -i nvrm says why; lspci -d 10de: shows what is on the bus; power the node off and on",
    ),
    (
        r"libnvidia-ml",
        "the driver's library libnvidia-ml is missing or not found",
        (
            "ldconfig -p | grep libnvidia-ml; install the driver's libraries of the version that "
            "/proc/driver/nvidia/version names; ldconfig"
        ),
    ),
    (
        r"Insufficient Permissions",
        "the driver's device files are closed to users",
        "ls -l /dev/nvidiactl /dev/nvidia0: 0666; find what sets it: udev rules, NVreg_DeviceFileMode of the module",
    ),
)


def observe(node: Node) -> Any:
    """Ask for index, UUID and name, and take the time."""
    began = time.monotonic()
    output = node.run(["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"], 15)
    found = bool(node.which("nvidia-smi"))
    return {**output.record(), "found": found, "seconds": round(time.monotonic() - began, 2)}


def judge(observed: Any, context: Context) -> Finding:
    """As many as Slurm has, within five seconds; a kind without NVIDIA's driver may lack it, and must not hang."""
    nvidia = "nvidia" in context.profile.has
    if not nvidia and not observed.get("found", True):
        return skipped(f"no nvidia-smi here, and the profile {context.profile.kind} has no NVIDIA driver")
    if observed["code"] is None:
        return failed("no answer within 15 s", "an answer within 5 s")
    if not nvidia:
        return passed(f"it answers within {observed['seconds']} s")
    if observed["code"] not in smi.ANSWERED:
        said = (observed["stdout"] + observed["stderr"]).strip() or f"exit code {observed['code']}"
        return failed(said[:300], f"{context.slurm['gpus']} GPUs", *trouble(said, observed.get("found", True)))
    finding = listed(observed, context)
    return finding if finding.status == FAIL else corrupted(observed) or finding


def trouble(said: str, found: bool) -> tuple[str, str]:
    """Return cause and fix of what nvidia-smi said when it failed."""
    if not found:
        return (
            "nvidia-smi is not installed, or not on a job's PATH",
            (
                "install the driver's utilities of the version that /proc/driver/nvidia/version names: Ubuntu's "
                "nvidia-utils-VERSION, EL's nvidia-driver-cuda"
            ),
        )
    return next(
        ((cause, fix) for pattern, cause, fix in TROUBLES if re.search(pattern, said, re.IGNORECASE)),
        ("nvidia-smi fails", "nvidia-smi; dmesg -T | grep -i nvrm"),
    )


def listed(observed: Any, context: Context) -> Finding:
    """Return what is wrong with the list of GPUs, or that nothing is."""
    gpus, lines = context.slurm["gpus"], smi.csv(observed["stdout"])
    for row in lines:
        word = next((value for value in row[1:] if smi.UNREAD.search(value)), "")
        if word:
            return smi.unread(row[0], word)
    rows = listing(observed)
    if len(rows) != gpus:
        return failed(
            f"{len(rows)} GPUs",
            f"{gpus} GPUs",
            f"the driver lists {len(rows)} of the {gpus} GPUs that Slurm has",
            "lspci -d 10de: shows what is on the bus, dmesg -T | grep -i -e nvrm -e xid what became of it; power the "
            "node off and on; where a GPU stays away: reseat or return it",
        )
    twice = sorted({row[1] for row in rows if [other[1] for other in rows].count(row[1]) > 1})
    if twice:
        cause = "several GPUs have one UUID: none of them can be chosen by it"
        fix = "nvidia-smi -q | grep -e UUID -e Serial; return the GPU"
        return failed(f"{', '.join(twice)} twice", "a UUID for each GPU", cause, fix)
    beside = compare(context.fleet, models(observed), models)
    if beside.other and len({row[2] for row in rows}) > 1:
        usual = beside.other["models"].usual
        cause = "the node has other models of GPUs than most of its kind"
        return warned(models(observed)["models"], f"{usual}, {beside.on}", cause, "nvidia-smi -L; replace the odd one")
    if observed["seconds"] > SECONDS:
        return warned(f"{observed['seconds']} s", f"{SECONDS:g} s", "persistence mode is off, or the driver is slow")
    return passed(f"{models(observed)['models']} in {observed['seconds']} s" if rows else "none, as in Slurm")


def corrupted(observed: Any) -> Finding | None:
    """Return that a GPU's infoROM is corrupted; None where nvidia-smi does not say so.

    Such a GPU may compute rightly. But it no longer keeps what its memory's errors need, and prologs and operators that
    go by nvidia-smi's exit code refuse the node, as DCGM's diagnostics do.
    """
    said = re.findall(r"infoROM is corrupted at gpu \S+", observed["stdout"] + observed["stderr"], re.IGNORECASE)
    if not said and observed["code"] != smi.CORRUPTED:
        return None
    return failed(
        "; ".join(dict.fromkeys(said)) or f"exit code {smi.CORRUPTED}: infoROM is corrupted",
        "no warning",
        "a GPU's own store of settings and of its memory's errors (infoROM) is corrupted: nvidia-smi ends with 14",
        "drain; power the node off and on; where it says so again: the vendor flashes the infoROM, or takes the GPU "
        "back (nvidia-smi -q has its serial number)",
    )


def listing(seen: Any) -> list[list[str]]:
    """Return index, UUID and name of the GPUs that nvidia-smi lists."""
    return [row for row in smi.csv(seen["stdout"]) if len(row) == 3 and row[1].startswith(("GPU-", "MIG-"))]


def models(seen: Any) -> dict[str, str]:
    """Return how many GPUs of which models there are."""
    names = [row[2] for row in listing(seen)]
    found = ", ".join(f"{names.count(name)} of {name}" for name in sorted(set(names)))
    return {"models": found} if found else {}
