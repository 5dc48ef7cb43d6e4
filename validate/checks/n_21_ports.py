"""N-21: the fabric's ports are up, as many and as fast as on the other nodes."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-21",
    title="fabric ports active",
    tier="quick",
    step="host",
    cause="a cable, transceiver or the subnet manager",
    fix="ibstat; reseat or replace the cable; on EFA fi_info -p efa",
)


def observe(node: Node) -> Any:
    """Read every port's state and rate."""
    found = {}
    for path in sorted(node.path("/sys/class/infiniband").glob("*/ports/*")):
        where = "/" + str(path.relative_to(node.root))
        name = f"{path.parent.parent.name}/{path.name}"
        found[name] = [(node.read(f"{where}/{item}") or "").strip() for item in ("state", "rate")]
    return found


def judge(observed: Any, context: Context) -> Finding:
    """All active, and the list that most nodes have."""
    down = [f"{name}: {state}" for name, (state, _rate) in observed.items() if "ACTIVE" not in state]
    usual, count = majority(context.fleet)
    if count > 1 and observed != usual:
        names = sorted(name for name in {*observed, *usual} if observed.get(name) != usual.get(name))
        said = "; ".join(f"{name} {' '.join(observed.get(name) or ['missing'])}" for name in names)
        return failed(said, "; ".join(f"{name} {' '.join(usual.get(name) or ['absent'])}" for name in names))
    if down:
        return failed("; ".join(down), "every port ACTIVE")
    return passed(f"{len(observed)} ports" if observed else "no such fabric on these nodes")
