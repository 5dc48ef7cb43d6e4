"""N-24: the node's clock is that of the submit host."""

from __future__ import annotations

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
    fix="chronyc tracking; systemctl enable --now chrony",
)


SECONDS = 1.0
# A record needs time to arrive: a clock that seems late by less than this is not.
DELAY = 3.0


def observe(node: Node) -> Any:
    """Read it."""
    return time.time()


def judge(observed: Any, context: Context) -> Finding:
    """It is neither ahead nor behind."""
    if context.received is None:
        return errored("the time of arrival is not known")
    ahead = observed - context.received
    if ahead > SECONDS or ahead < -DELAY - SECONDS:
        said = f"{abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
        return failed(said, f"within {SECONDS:g} s of the submit host")
    return passed("within the accuracy of the measurement")
