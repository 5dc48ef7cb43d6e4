"""N-20: every GPU's PCIe link has the width that it could have."""

from __future__ import annotations

from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
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
    rows = reading.csv(observed["stdout"])
    if observed["code"] != 0 or not rows or any(len(row) != 3 for row in rows):
        return errored((observed["stderr"] or observed["stdout"]).strip()[:200] or "nvidia-smi said nothing")
    narrow = [f"GPU {row[0]}: {row[1]} of {row[2]} lanes" for row in rows if row[1] != row[2]]
    return failed("; ".join(narrow), "all lanes") if narrow else passed(f"{len(rows)} links")
