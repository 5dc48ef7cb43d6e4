"""N-29: Slurm's daemons run here, and what runs here starts at boot where it does on the other nodes."""

from __future__ import annotations

import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, errored, failed, passed, warned
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
# Compared with the other nodes alone: whether they are wanted is not for us to say.
BOOT = (*UNITS, "docker")
# Not containerd: docker's unit starts it, enabled or not.
MORE = ("docker.socket", "slipway-storage.service", "nvidia-persistenced.service", "nvidia-fabricmanager.service")
SOCKET = "docker.socket"


def observe(node: Node) -> Any:
    """Ask systemd for the units that are enabled, and for the last words of those that do not run."""
    services = [f"{unit}.service" for unit in BOOT]
    states = reading.properties(node, [*services, *MORE], reading.STATE)
    boot = reading.loaded(states)
    found = {}
    for unit in UNITS:
        if unit not in boot or boot[unit]["enabled"] in ("disabled", "masked", ""):
            continue
        said = ""
        if boot[unit]["state"] != "active":
            lines = node.run(["journalctl", "-u", f"{unit}.service", "-n", "20", "-o", "cat", "--no-pager"], 5).stdout
            wanted = [line for line in lines.splitlines() if re.search(r"error|fatal|fail|denied", line, re.IGNORECASE)]
            said = (wanted or lines.splitlines() or [""])[-1][:300]
        found[unit] = {"state": boot[unit]["state"], "said": said}
    known = all("LoadState" in states.get(name, {}) for name in services)
    return {"known": known, "units": found, "boot": boot, "platform": reading.platform(node)}


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
    own = starting(observed)
    beside = compare(context.fleet, own, starting, merit=lambda _name, starts: starts)
    lost = beside.lost
    if lost:
        return failed(
            f"{', '.join(lost)}: runs, and is {observed['boot'][lost[0]]['enabled']}",
            f"enabled, {beside.on}",
            f"{lost[0]} does not start after a reboot",
            f"systemctl enable {' '.join(lost)}",
        )
    alone = [unit for unit, starts in own.items() if unit in UNITS and not starts]
    if alone and beside.nodes < 2 and not observed.get("platform"):
        return warned(
            f"{', '.join(alone)}: runs, and is {observed['boot'][alone[0]]['enabled']}",
            "enabled, unless the platform starts it otherwise",
            f"{alone[0]} does not start after a reboot, unless something else starts it",
            f"systemctl enable {' '.join(alone)}",
        )
    return passed(", ".join(observed["units"]) or "none is enabled here")


def starting(observed: Any) -> dict[str, bool]:
    """Return of each daemon that runs whether it starts by itself; older results do not say."""
    found = reading.starting(observed.get("boot") or {})
    # The daemon's unit requires it.
    return {**found, SOCKET: True} if SOCKET in found and found.get("docker") else found
