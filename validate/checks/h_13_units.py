"""H-13: no unit that Slurm's users need has failed on the submit host."""

from __future__ import annotations

import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-13",
    title="no failed unit on the submit host",
    tier="quick",
    step="submit",
    cause="a daemon or a mount of the submit host did not start, or ended with an error",
    fix="systemctl status UNIT; journalctl -u UNIT -n 20; then systemctl restart UNIT",
)


UNITS = re.compile(r"^(slurm|sackd|munge|sssd|nslcd|autofs|remote-fs|chrony|ntp|home|docker\.)")


def observe(node: Node) -> Any:
    """List what failed."""
    return reading.failed_units(node)


def judge(observed: Any, context: Context) -> Finding:
    """None of these is among it."""
    if observed["code"] != 0:
        said = observed["stderr"]
        return reading.unasked(said, said.strip()[:200] or "systemctl said nothing")
    names = reading.unit_names(observed)
    ours = [name for name in names if UNITS.match(name)]
    if ours:
        return failed(", ".join(ours), "no failed unit", fix=CHECK.fix.replace("UNIT", ours[0]))
    return passed(f"none of these; others: {', '.join(names[:5])}" if names else "none")
