"""N-29: Slurm's daemons run here."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-29",
    title="Slurm's daemons run",
    tier="quick",
    step="host",
    cause="a daemon of Slurm, or munge, does not run on this host",
    fix="systemctl status UNIT; journalctl -u UNIT -n 30; then systemctl restart UNIT",
)


UNITS = ("munge", "slurmd", "slurmctld", "slurmdbd", "sackd")


def observe(node: Node) -> Any:
    """Ask systemd for the units that are enabled, and for the last words of those that do not run."""
    found = {}
    known = True
    for unit in UNITS:
        output = node.run(["systemctl", "show", f"{unit}.service", "--property=LoadState,ActiveState,UnitFileState"], 5)
        state = dict(re.findall(r"^(\w+)=(.*)$", output.stdout, re.MULTILINE))
        known = known and "LoadState" in state
        if state.get("LoadState") != "loaded" or state.get("UnitFileState") in ("disabled", "masked", ""):
            continue
        said = ""
        if state.get("ActiveState") != "active":
            lines = node.run(["journalctl", "-u", f"{unit}.service", "-n", "20", "-o", "cat", "--no-pager"], 5).stdout
            wanted = [line for line in lines.splitlines() if re.search(r"error|fatal|fail|denied", line, re.IGNORECASE)]
            said = (wanted or lines.splitlines() or [""])[-1][:300]
        found[unit] = {"state": state.get("ActiveState", ""), "said": said}
    return {"known": known, "units": found}


def judge(observed: Any, context: Context) -> Finding:
    """Each enabled one is active."""
    if not observed["known"]:
        return errored("systemd does not say which units there are")
    bad = {unit: seen for unit, seen in observed["units"].items() if seen["state"] != "active"}
    if bad:
        said = "; ".join(
            f"{unit} is {seen['state']}" + f": {seen['said']}" * bool(seen["said"]) for unit, seen in bad.items()
        )
        return failed(said, "active", f"{next(iter(bad))} does not run on this host")
    return passed(", ".join(observed["units"]) or "none is enabled here")
