"""N-20: every GPU's PCIe link has the width that it could have."""

from __future__ import annotations

from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="N-20",
    title="PCIe links at full width",
    tier="standard",
    step="host",
    cause="a card that sits loosely, or a broken lane",
    fix="reseat the card; lspci -vv -s BUS | grep LnkSta",
    after=("N-04",),
    needs=("nvidia",),
)


def observe(node: Node) -> Any:
    """Ask nvidia-smi; the width does not train down in idle as the generation does."""
    query = "--query-gpu=index,pcie.link.width.current,pcie.link.width.max"
    return node.run(["nvidia-smi", query, "--format=csv,noheader,nounits"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """Current equals maximum."""
    rows, problem = smi.of_gpus(observed, 3)
    if problem:
        return problem
    # As in a virtual machine that has no PCIe link of its own.
    if all(value in smi.ABSENT for row in rows for value in row[1:]):
        return skipped(f"the driver knows of no PCIe link here: {rows[0][1]}")
    strange = [row for row in rows if not all(value.isdigit() for value in row[1:])]
    if strange:
        return smi.unlike(f"GPU {strange[0][0]}: {strange[0][1]} of {strange[0][2]} lanes")
    narrow = [f"GPU {row[0]}: {row[1]} of {row[2]} lanes" for row in rows if row[1] != row[2]]
    if narrow:
        return failed("; ".join(narrow), "all lanes")
    return smi.of_all(rows, context.slurm["gpus"]) or passed(f"{len(rows)} links")
