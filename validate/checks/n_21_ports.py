"""N-21: the fabric's ports are up, as many and as fast as on the other nodes."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, compare, failed, passed, undecided, warned
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
    beside = compare(context.fleet, observed, dict, ["absent"])
    names = sorted(beside.other)
    if names:
        said = "; ".join(f"{name} {' '.join(observed.get(name) or ['missing'])}" for name in names)
        return failed(said, "; ".join(f"{name} {' '.join(beside.other[name].usual)}" for name in names))
    # What is down beside a port that works, on the other nodes as well, is hardly a cable of this one: a second port of
    # an adapter that nobody uses.
    alike = beside.nodes > 1 and not beside.split and len(down) < len(observed)
    if down and alike and all("DOWN" in text for text in down):
        cause = "these ports have no link on the other nodes either: no cable, or the switch behind them is off"
        fix = "ibstat on both; look at their switch; nothing where no cable is meant to be: a warning refuses no node"
        return warned("; ".join(down), "every port ACTIVE", cause, fix)
    if down:
        return failed("; ".join(down), "every port ACTIVE")
    if beside.split:
        return undecided(beside, "ibstat on both; lspci | grep -i -e mellanox -e infiniband -e EFA", " ".join)
    return passed(f"{len(observed)} ports" if observed else "no such fabric on these nodes")
