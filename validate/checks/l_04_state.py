"""L-04: the node is as usable after container jobs as before."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="L-04",
    title="node state unharmed by container jobs",
    tier="quick",
    step="after",
    cause="a failing prolog, epilog or SPANK epilog drains the node after a job (pyxis#123)",
    fix="scontrol show node; journalctl -u slurmd | grep -i epilog; scontrol update state=resume once it is mended",
    who="operator",
    # Where pyxis cannot make its directory, Slurm drains a node after the first batch job.
    after=("N-30", "N-10", "N-28"),
)


def observe(node: Node) -> Any:
    """Ask Slurm about this node."""
    name = os.environ.get("SLURMD_NODENAME", "")
    text = node.run(["scontrol", "--oneliner", "show", "node", name], 8).stdout
    state = re.search(r"\sState=(\S+)", text)
    reason = re.search(r"\sReason=(.*?)\s*$", text)
    return {"state": state.group(1) if state else "", "reason": reason.group(1) if reason else ""}


def judge(observed: Any, context: Context) -> Finding:
    """Neither drained nor down, at the end of the job and after its epilog."""
    if not observed["state"]:
        return errored("scontrol said nothing of this node")
    if any(word in observed["state"] for word in ("DRAIN", "DOWN", "FAIL", "INVALID")):
        return failed(f"{observed['state']}: {observed['reason'] or 'no reason'}", "neither drained nor down")
    later = (context.cluster.get("afterwards") or {}).get(context.node)
    if later:
        return failed(f"after the job: {later}", "neither drained nor down nor completing")
    return passed(observed["state"])
