"""N-01: whether a host answered, and why nothing was measured where it did not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from validate import causes, diagnosis
from validate.model import NO_RESULT, PASS, Verdict

ANSWERED = "N-01"
MEND = "mend what the reason says (scontrol show node {name})" + diagnosis.RESUME
REASONS = {
    "down": "bring it back: scontrol show node {name}; systemctl status slurmd on it" + diagnosis.RESUME,
    "drained": MEND,
    "failing": MEND,
    "invalid_reg": "on {name}: slurmd -C beside its line in slurm.conf, slurmd -G (with "
    "SLURM_CONF=/run/slurm/conf/slurm.conf where it fetches it) beside gres.conf; restart slurmd"
    + diagnosis.RESUME,
    "powered_down": "scontrol update nodename={name} state=power_up; the cloud's console where it does not come",
    "unknown to Slurm": "add it to slurm.conf, or take it out of the inventory",
    "not_responding": "systemctl status slurmd on the node; is it up?",
}


def of(node: Mapping[str, Any], host: Mapping[str, Any] | None, stopped: bool) -> Verdict:
    """Return N-01 of a host: it answered, or why nothing was measured on it; ``stopped`` says that the run was."""
    name, state = node["name"], str(node.get("state", ""))
    expected = "a record before the deadline"
    step = "submit" if node["role"] == "login" else "host"
    if host is not None and "hello" in host["steps"].get(step, {}):
        return Verdict(name, ANSWERED, PASS, "answered", expected)
    if node.get("unreached"):
        cause, fix = "ssh does not reach it, or finds no Python 3.9 there", f"ssh {name} python3 --version; is it up?"
        return Verdict(name, ANSWERED, NO_RESULT, node["unreached"].splitlines()[0], expected, cause, fix, "admin")
    if node["unusable"]:
        by = f" by {node['reason_by']} at {node['reason_at']}" if node.get("reason_by") else ""
        reason = f": {node['reason']}{by}" if node.get("reason") else ""
        what = node["unusable"] if node["unusable"] == "unknown to Slurm" else f"Slurm: {node['unusable']}{reason}"
        found = diagnosis.of_drained(str(node.get("reason") or ""), name) if node.get("in_slurm", True) else None
        if found:
            return Verdict(name, ANSWERED, NO_RESULT, what, expected, found.cause, found.fix, found.who)
        fix = REASONS.get(node["unusable"], "scontrol show node {name}").format(name=name)
        return Verdict(name, ANSWERED, NO_RESULT, what, expected, what, fix, "operator")
    said = str(host["said"].get(step, "")).strip() if host is not None else ""
    if host is None or (stopped and not said and not host["refused"]):
        cause = "the run was stopped before this host had answered" if stopped else "nothing came back of this host"
        return Verdict(name, ANSWERED, NO_RESULT, "not run", expected, cause, "run it again", "operator")
    if host["refused"]:
        return _refused(name, host["refused"], expected)
    found = diagnosis.of_launch(said)
    observed = found.line or f"nothing, node {state}"
    return Verdict(name, ANSWERED, NO_RESULT, observed, expected, found.cause, found.fix, found.who)


def _refused(name: str, refused: Mapping[str, Any], expected: str) -> Verdict:
    jobs, said = refused.get("jobs") or [], str(refused.get("said") or "")
    rule = diagnosis.of(said, causes.REFUSED)
    if jobs:
        what = "busy, " + ", ".join(f"job {job[0]} of {job[1]}" for job in jobs[:5] if len(job) > 1)
        fix = "wait for it, or use a reservation: validate_reservation"
        return Verdict(name, ANSWERED, NO_RESULT, what, expected, what, fix, "operator")
    if rule:
        return Verdict(name, ANSWERED, NO_RESULT, rule.line, expected, rule.cause, rule.fix, rule.who)
    line = next((line for line in said.splitlines() if "error" in line), said[:200])
    fix = f"squeue -w {name}; scontrol show node {name}"
    return Verdict(name, ANSWERED, NO_RESULT, line or "refused", expected, "Slurm gave no allocation", fix, "operator")
