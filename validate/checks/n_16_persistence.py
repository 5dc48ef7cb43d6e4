"""N-16: persistence mode on every GPU."""

from __future__ import annotations

from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-16",
    title="persistence mode on every GPU",
    tier="quick",
    step="host",
    cause="nvidia-persistenced does not run: every container start initialises the driver",
    fix="systemctl enable --now nvidia-persistenced",
    after=("N-04",),
    needs=("nvidia",),
)


QUERY = "index,persistence_mode"


def observe(node: Node) -> Any:
    """Ask nvidia-smi."""
    return node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """It is on for all."""
    rows = reading.csv(observed["stdout"])
    if observed["code"] != 0 or not rows or any(len(row) != 2 for row in rows):
        return errored((observed["stderr"] or observed["stdout"]).strip()[:200] or "nvidia-smi said nothing")
    off = [row[0] for row in rows if row[1] != "Enabled"]
    return failed(f"off on GPU {', '.join(off)}", "Enabled on all") if off else passed("Enabled on all")
