"""N-34: the names of other nodes lead to those nodes."""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validate.model import Check, Context, Finding, failed, over, passed, warned
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
LOST = (
    "other nodes do not find this node by its name: an old address in DNS or the site's /etc/hosts, or none, or here",
    "getent ahosts {name}, on another node; ip -br address, here; correct DNS or /etc/hosts; resolvectl flush-caches",
)
FEW = "names lead to few of these nodes; jobs over several nodes need that where they go by names"


def observe(node: Node) -> Any:
    """Look up the next nodes of the allocation, and say which addresses are this node's own."""
    hosts = os.environ.get("SLURM_JOB_NODELIST", "")
    names = node.run(["scontrol", "show", "hostnames", hosts], 3).stdout.split() if hosts else []
    at = names.index(node.name) + 1 if node.name in names else 0
    chosen = [name for name in names[at:] + names[:at] if name != node.name][:NEIGHBOURS]
    text = node.run(["ip", "-o", "address", "show", "scope", "global"], 3).stdout
    return {
        "name": node.name,
        "own": sorted(re.findall(r"\binet6? ([\da-f.:]+)", text)),
        "neighbours": {name: addresses(node, name) for name in chosen},
    }


def addresses(node: Node, name: str) -> list[str] | None:
    """Return the addresses of a name, None where nobody said whether it has any."""
    output = node.run(["getent", "ahosts", name], 3)
    # getent(1): 2 for a name that is not there.
    return sorted({line.split()[0] for line in output.stdout.splitlines()}) if output.code in (0, 2) else None


@dataclass(frozen=True)
class Lookups:
    """What the nodes of a kind found: ``own`` by node, ``nowhere`` are names that lead elsewhere on all who asked.

    ``share`` of all lookups led to the node.
    """

    own: Mapping[str, frozenset[str]]
    nowhere: Mapping[str, str]
    share: float

    def leads(self, neighbours: Mapping[str, Any]) -> dict[str, bool]:
        """Return of each name whether it leads to its node, where both are known."""
        return {
            name: bool({*found} & self.own[name])
            for name, found in neighbours.items()
            if found is not None and self.own.get(name)
        }


def together(fleet: list[Any]) -> Lookups:
    """Return what all lookups say together."""
    nodes = [seen for seen in fleet if isinstance(seen.get("own"), list) and isinstance(seen.get("neighbours"), dict)]
    # docker0 and its like have one address on all nodes, which leads to none.
    held = collections.Counter(address for seen in nodes for address in {*seen["own"]})
    own = {str(seen.get("name")): frozenset(address for address in seen["own"] if held[address] == 1) for seen in nodes}
    known = Lookups(own, {}, 0)
    answers: list[bool] = []
    good, bad = set[str](), collections.defaultdict[str, list[str]](list)
    for seen in nodes:
        leads = known.leads(seen["neighbours"])
        answers += leads.values()
        good |= {name for name, right in leads.items() if right}
        # Who finds no other node either says nothing of this one.
        for name in leads if any(leads.values()) else ():
            bad[name].append(", ".join(seen["neighbours"][name]) or "not found")
    nowhere = {name: found[0] for name, found in bad.items() if name not in good and len(found) > 1}
    return Lookups(own, nowhere, sum(answers) / len(answers) if answers else 0)


def judge(observed: Any, context: Context) -> Finding:
    """Each leads to an address that the node itself has, where any name does; and so does this node's own."""
    lookups = over(context.fleet, together)
    if context.node in lookups.nowhere:
        cause, fix = LOST
        own = ", ".join(sorted(lookups.own[context.node]))
        return failed(f"{context.node}: {lookups.nowhere[context.node]}", own, cause, fix.format(name=context.node))
    leads = lookups.leads(observed["neighbours"])
    wrong = [name for name, right in leads.items() if not right and name not in lookups.nowhere]
    # Where addresses are translated no name leads to one, and not every site gives its nodes names.
    if not wrong or not lookups.share:
        return passed(", ".join(observed["neighbours"]) or "no other node in its allocation")
    said = "; ".join(f"{name}: {', '.join(observed['neighbours'][name]) or 'not found'}" for name in wrong)
    expected = "; ".join(f"{name}: {', '.join(sorted(lookups.own[name]))}" for name in wrong)
    fix = CHECK.fix.replace("NAME", wrong[0])
    return failed(said, expected, fix=fix) if lookups.share >= 0.5 else warned(said, expected, FEW, fix)
