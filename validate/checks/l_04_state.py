"""L-04: the node is as usable after container jobs as before."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import NO_RESULT, Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="L-04",
    title="node state unharmed by container jobs",
    tier="quick",
    step="after",
    cause="Slurm took the node away during or after the run's job, for the reason that it gives (pyxis#123)",
    fix="scontrol show node NODE; journalctl -u slurmd -n 30; scontrol update nodename=NODE state=resume "
    "once it is mended",
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
        reason = text_of(observed["reason"])
        said = f"{observed['state']}: {reason or 'no reason'}"
        return failed(said, "neither drained nor down", *reason_of(reason, context.node))
    later = (context.cluster.get("afterwards") or {}).get(context.node)
    if later:
        why = reason_of(later, context.node)
        return failed(f"after the job: {later}", "neither drained nor down nor completing", *why)
    unknown = context.cluster.get("afterwards_unknown")
    if unknown:
        cause, fix = "Slurm did not say what became of the node after the job", "scontrol show node; run it again"
        return Finding(NO_RESULT, f"not looked at after the job: {unknown}", "Slurm's answer", cause, fix)
    return passed(observed["state"])


def text_of(reason: str) -> str:
    """Return Slurm's reason without who gave it and when, and without the fields that follow it."""
    # Only the control node has it.
    from ansible_collections.slipway.containers.plugins.module_utils import slurm_text  # noqa: PLC0415 - see above

    found = slurm_text.REASON.search(f" Reason={reason}")
    return (found["given"] or found["bare"] or "").strip() if found else reason


def reason_of(text: str, node: str) -> tuple[str, str, str]:
    """Return cause, fix and who of Slurm's reason; empty ones for another, which the check's own stand for."""
    # Only the control node has it.
    from validate import diagnosis  # noqa: PLC0415 - see above

    found = diagnosis.of_drained(text, node)
    return (found.cause, found.fix, found.who) if found else ("", "", "")
