"""N-17: the NVSwitch fabric is ready."""

from __future__ import annotations

import re
from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed
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


# What it prints of eight GPUs is longer than what is kept of a command, so the rest is left out where it is printed.
QUERY = """
said=$(nvidia-smi -q)
code=$?
[ $code = 0 ] || [ $code = 14 ] || { echo "$said"; exit $code; }
grep -A 3 '^ *Fabric *$' <<< "$said" || true
"""
READY = "Completed / Success"


def observe(node: Node) -> Any:
    """Read the fabric sections of nvidia-smi -q."""
    output = node.run(["bash", "-c", QUERY], 20)
    found = re.findall(r"^\s+Fabric\n\s+State\s+: (.+)\n\s+Status\s+: (.+)$", output.stdout, re.MULTILINE)
    said = output.stdout[:500] if output.code != 0 else ""
    pairs = [list(pair) for pair in found]
    return {"code": output.code, "fabric": pairs, "stderr": output.stderr[:500] or said, "whole": True}


def judge(observed: Any, context: Context) -> Finding:
    """Completed and Success for every GPU."""
    states = [" / ".join(pair) for pair in observed["fabric"]]
    if observed["code"] != 0 or not states:
        return smi.unlike(observed["stderr"].strip() or "nvidia-smi -q names no fabric")
    broken = next((number for number, state in enumerate(states) if smi.UNREAD.search(state)), None)
    if broken is not None:
        return smi.unread(str(broken), states[broken])
    bad = sorted({state for state in states if state != READY})
    # A fabric that nothing has set up yet is "In Progress".
    if all(value in smi.ABSENT for pair in observed["fabric"] for value in pair):
        return failed(", ".join(bad), READY, *without(context.profile.kind))
    if bad:
        return failed(", ".join(bad), READY)
    # Older results hold the first GPUs only.
    fewer = smi.of_all(states, context.slurm["gpus"]) if observed.get("whole") else None
    return fewer or passed(f"{len(states)} GPUs ready")


def without(kind: str) -> tuple[str, str]:
    """Return cause and fix of GPUs none of which is part of a fabric."""
    cause = "the driver knows of no fabric here, as with GPUs older than Hopper, or with one alone in a virtual machine"
    fix = "nvidia-smi nvlink --status shows whether the GPUs have links; where that is how it is meant: "
    return cause, f"{fix}N-17 in the skip of {kind} in validate_profiles, or a kind of its own without fabric"
