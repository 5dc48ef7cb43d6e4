"""N-16: persistence mode on every GPU."""

from __future__ import annotations

from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-16",
    title="persistence mode on every GPU",
    tier="quick",
    step="host",
    cause="nvidia-persistenced does not run: every container start initialises the driver",
    fix="nvidia-smi -pm 1; systemctl enable --now nvidia-persistenced. Ubuntu's own unit has "
    "--no-persistence-mode and no [Install]: systemctl edit it first",
    after=("N-04",),
    needs=("nvidia",),
)


QUERY = "index,persistence_mode"


def observe(node: Node) -> Any:
    """Ask nvidia-smi."""
    return node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """It is on for all."""
    rows, problem = smi.of_gpus(observed, 2)
    if problem:
        return problem
    off = [row[0] for row in rows if row[1] == "Disabled"]
    if off:
        return failed(f"off on GPU {', '.join(off)}", "Enabled on all")
    strange = [f"GPU {row[0]}: {row[1]}" for row in rows if row[1] != "Enabled"]
    if strange:
        return smi.unlike("; ".join(strange))
    return smi.of_all(rows, context.slurm["gpus"]) or passed("Enabled on all")
