"""N-19: GPU memory healthy."""

from __future__ import annotations

from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-19",
    title="GPU memory healthy",
    tier="quick",
    step="host",
    cause="uncorrectable memory errors",
    fix="pending: reset the GPU (nvidia-smi -r) or reboot; failure: return the GPU",
    after=("N-04",),
    needs=("nvidia",),
)


QUERY = "index,ecc.errors.uncorrected.volatile.total,remapped_rows.pending,remapped_rows.failure"


def observe(node: Node) -> Any:
    """Ask nvidia-smi."""
    return node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """No uncorrected error, nothing pending, nothing failed; a GPU without the counter says N/A."""
    rows = reading.csv(observed["stdout"])
    if observed["code"] != 0 or not rows or any(len(row) != 4 for row in rows):
        return errored((observed["stderr"] or observed["stdout"]).strip()[:200] or "nvidia-smi said nothing")
    good = ("0", "No", "[N/A]", "N/A", "[Not Supported]")
    bad = [row for row in rows if any(value not in good for value in row[1:])]
    if bad:
        said = "; ".join(f"GPU {row[0]}: {row[1]} uncorrected, pending {row[2]}, failure {row[3]}" for row in bad)
        return failed(said, "0 uncorrected, nothing pending or failed")
    return passed(f"{len(rows)} GPUs without an error")
