"""N-04: the driver enumerates the GPUs quickly."""

from __future__ import annotations

import time
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped, warned
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
    if observed["code"] != 0:
        said = (observed["stdout"] + observed["stderr"]).strip()
        return failed(said[:300] or f"exit code {observed['code']}", f"{context.slurm['gpus']} GPUs")
    rows = [row for row in reading.csv(observed["stdout"]) if len(row) == 3 and row[1].startswith(("GPU-", "MIG-"))]
    if len(rows) != context.slurm["gpus"]:
        return failed(f"{len(rows)} GPUs", f"{context.slurm['gpus']} GPUs")
    if observed["seconds"] > SECONDS:
        return warned(f"{observed['seconds']} s", f"{SECONDS:g} s", "persistence mode is off, or the driver is slow")
    return passed(f"{len(rows)} of {rows[0][2]} in {observed['seconds']} s" if rows else "none, as in Slurm")
