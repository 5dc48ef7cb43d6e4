"""N-17: the NVSwitch fabric is ready."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-17",
    title="NVSwitch fabric ready",
    tier="quick",
    step="host",
    cause="the fabric manager does not run, or is of another version than the driver: CUDA error 802",
    fix="systemctl status nvidia-fabricmanager; install the version of the driver, then restart it",
    after=("N-04", "N-13"),
    needs=("nvidia", "fabric"),
    seconds=25,
)


def observe(node: Node) -> Any:
    """Read the fabric sections of nvidia-smi -q."""
    output = node.run(["nvidia-smi", "-q"], 20)
    found = re.findall(r"^\s+Fabric\n\s+State\s+: (.+)\n\s+Status\s+: (.+)$", output.stdout, re.MULTILINE)
    return {"code": output.code, "fabric": [list(pair) for pair in found], "stderr": output.stderr[:500]}


def judge(observed: Any, context: Context) -> Finding:
    """Completed and Success for every GPU."""
    states = [" / ".join(pair) for pair in observed["fabric"]]
    if observed["code"] != 0 or not states:
        return errored(observed["stderr"].strip() or "nvidia-smi -q names no fabric")
    bad = sorted({state for state in states if state != "Completed / Success"})
    return failed(", ".join(bad), "Completed / Success") if bad else passed(f"{len(states)} GPUs ready")
