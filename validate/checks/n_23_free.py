"""N-23: GPUs are free."""

from __future__ import annotations

from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-23",
    title="GPUs are free",
    tier="quick",
    step="host",
    cause="a process outside Slurm, or a leftover, holds GPU memory",
    fix="nvidia-smi; ls -l /proc/PID/cgroup; end it, and clean up in the epilog",
    after=("N-04",),
    needs=("nvidia",),
)


QUERY = "index,memory.used"


def observe(node: Node) -> Any:
    """Ask nvidia-smi."""
    return node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """Less than a GiB is in use on each, because the whole node is ours."""
    rows = reading.csv(observed["stdout"])
    if observed["code"] != 0 or not rows or any(len(row) != 2 or not row[1].isdigit() for row in rows):
        return errored((observed["stderr"] or observed["stdout"]).strip()[:200] or "nvidia-smi said nothing")
    used = [f"GPU {row[0]}: {row[1]} MiB" for row in rows if int(row[1]) >= 1024]
    return failed("; ".join(used), "below 1024 MiB on each") if used else passed("all free")
