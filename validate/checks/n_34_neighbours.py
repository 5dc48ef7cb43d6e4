"""N-34: the names of other nodes lead to those nodes."""

from __future__ import annotations

import itertools
import os
import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-34",
    title="names of other nodes lead to them",
    tier="quick",
    step="host",
    cause="/etc/hosts or DNS of this node has another address for that node, or none: jobs over several nodes fail",
    fix="getent ahosts NAME, here and on another node; grep NAME /etc/hosts; resolvectl flush-caches",
    after=("N-30",),
    seconds=15,
)


# The nodes after this one in its allocation: each is then looked up by as many others.
NEIGHBOURS = 2
ENOUGH = 50


def observe(node: Node) -> Any:
    """Look up the next nodes of the allocation, and say which addresses are this node's own."""
    hosts = os.environ.get("SLURM_JOB_NODELIST", "")
    names = node.run(["scontrol", "show", "hostnames", hosts], 3).stdout.split() if hosts else []
    at = names.index(node.name) + 1 if node.name in names else 0
    chosen = [name for name in names[at:] + names[:at] if name != node.name][:NEIGHBOURS]
    text = node.run(["ip", "-o", "address", "show", "scope", "global"], 3).stdout
    return {
        "own": sorted(re.findall(r"\binet6? ([\da-f.:]+)", text)),
        "neighbours": {name: addresses(node, name) for name in chosen},
    }


def addresses(node: Node, name: str) -> list[str] | None:
    """Return the addresses of a name, None where nobody said whether it has any."""
    output = node.run(["getent", "ahosts", name], 3)
    # getent(1): 2 for a name that is not there.
    return sorted({line.split()[0] for line in output.stdout.splitlines()}) if output.code in (0, 2) else None


def judge(observed: Any, context: Context) -> Finding:
    """Each leads to an address that the node itself has, where any name does."""
    wrong = {}
    for name, found in observed["neighbours"].items():
        own = (context.fleet.get(name) or {}).get("own", [])
        # Where addresses are translated no name leads to one.
        if own and found is not None and not {*found} & {*own} and leads(context):
            wrong[name] = (", ".join(found) or "not found", ", ".join(own))
    if not wrong:
        return passed(", ".join(observed["neighbours"]) or "no other node in its allocation")
    return failed(
        "; ".join(f"{name}: {found}" for name, (found, _own) in wrong.items()),
        "; ".join(f"{name}: {own}" for name, (_found, own) in wrong.items()),
        fix=CHECK.fix.replace("NAME", next(iter(wrong))),
    )


def leads(context: Context) -> bool:
    """Return whether names lead to nodes at all, as far as some of them say it."""
    for seen in itertools.islice(context.fleet.values(), ENOUGH):
        for name, found in seen["neighbours"].items():
            if {*(found or ())} & {*(context.fleet.get(name) or {}).get("own", ())}:
                return True
    return False
