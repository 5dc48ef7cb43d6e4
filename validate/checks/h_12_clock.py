"""H-12: the submit host's clock is that of slurmctld."""

from __future__ import annotations

import re
import time
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="H-12",
    title="clock of the submit host",
    tier="quick",
    step="submit",
    cause="no time service on the submit host or on the controller: munge refuses from five minutes on",
    fix="date; chronyc tracking, here and on the controller; systemctl enable --now chrony (RHEL and its kin: chronyd)",
    after=("H-01",),
)


SECONDS = 3.0


def observe(node: Node) -> Any:
    """Ask slurmctld for its time, which sdiag prints, and read this host's before and after."""
    before = time.time()
    output = node.run(["sdiag"], 8)
    found = re.search(r"^sdiag output at .*\((\d{9,})\)", output.stdout, re.MULTILINE)
    said = "" if found else output.text[-300:]
    controller = int(found.group(1)) if found else None
    return {"before": before, "after": time.time(), "controller": controller, "code": output.code, "said": said}


def judge(observed: Any, context: Context) -> Finding:
    """The controller's lies between them."""
    controller = observed["controller"]
    if controller is None and observed["code"] == 0:
        return skipped("sdiag of this Slurm does not say slurmctld's time as a number")
    if controller is None:
        return errored(observed["said"] or "sdiag did not say slurmctld's time")
    # The controller says whole seconds.
    late, early = controller - observed["after"], observed["before"] - controller - 1
    apart = max(late, early)
    if apart > SECONDS:
        return failed(f"{apart:.0f} s {'behind' if late > early else 'ahead of'} slurmctld", f"within {SECONDS:g} s")
    return passed("as slurmctld's")
