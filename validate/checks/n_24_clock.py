"""N-24: the node's clock is that of the submit host."""

from __future__ import annotations

import math
import time
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-24",
    title="clock",
    tier="quick",
    step="host",
    cause="no time service: munge refuses from five minutes on, and logs do not fit together",
    fix="chronyc tracking; systemctl enable --now chrony (RHEL and its kin: chronyd)",
)


SECONDS = 1.0
# Where it is not known when the submit host asked.
DELAY = 3.0


def observe(node: Node) -> Any:
    """Read it."""
    return time.time()


def judge(observed: Any, context: Context) -> Finding:
    """It is neither ahead nor behind."""
    if context.received is None:
        return errored("the time of arrival is not known")
    if not math.isfinite(observed):
        return errored(f"the node's clock says {observed}")
    ahead = observed - context.received
    # A record may take long to arrive, but it was not observed before the submit host asked for the step.
    hello = context.steps.get("host", {}).get("hello") or {}
    # The first record was made right after that, whatever the others waited for.
    behind = min(observed, hello.get("epoch") or observed) - (hello.get("began") or context.received - DELAY)
    if ahead > SECONDS or behind < -SECONDS:
        ahead = ahead if ahead > SECONDS else behind
        said = f"{abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
        return failed(said, f"within {SECONDS:g} s of the submit host")
    return passed("within the accuracy of the measurement")
