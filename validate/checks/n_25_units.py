"""N-25: no unit that containers or Slurm need has failed."""

from __future__ import annotations

import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-25",
    title="no failed unit",
    tier="standard",
    step="host",
    cause="a daemon did not start, or ended with an error",
    fix="systemctl status UNIT; journalctl -u UNIT -n 20",
    after=("N-29", "D-01"),
)


UNITS = re.compile(
    r"^(slurm|munge|sackd|sssd|nvidia-|docker|containerd|apparmor|chrony|slipway-|systemd-tmpfiles|autofs|remote-fs|nslcd|"
    r"opensm|openibd)|^(?!proc-|sys-|dev-|run-).*\.(mount|automount)$"
)


def observe(node: Node) -> Any:
    """List what failed."""
    return reading.failed_units(node)


def judge(observed: Any, context: Context) -> Finding:
    """None of ours is among it."""
    if observed["code"] != 0:
        said = observed["stderr"]
        return reading.unasked(said, said.strip()[:200] or "systemctl said nothing")
    names = reading.unit_names(observed)
    ours = [name for name in names if UNITS.match(name)]
    if ours:
        first = ours[0]
        fix = f"systemctl status {first}; journalctl -u {first} -n 20; then systemctl restart {first}"
        if first.endswith((".mount", ".automount")):
            return failed(", ".join(ours), "no failed unit", "a file system could not be mounted", fix)
        return failed(", ".join(ours), "no failed unit", "", fix)
    if names:
        return warned(
            ", ".join(names[:8]),
            "no failed unit",
            "a unit failed that neither containers nor Slurm need",
            f"systemctl status {names[0]}; systemctl reset-failed {names[0]}, once that is settled",
        )
    return passed("none")
