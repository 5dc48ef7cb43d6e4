"""M-02: tasks on several nodes find each other by PMIx in containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from validate import groups, ranks
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-02",
    title="PMIx between nodes",
    tier="standard",
    step="group",
    cause="a firewall between slurmds, or PMIx versions that hang together (5.0.8 and 5.0.9 before Slurm 25.11.2)",
    fix="srun -N2 -w THIS,OTHER --mpi=pmix --container-image=… hostname; open the ports of srun and slurmd",
    after=("C-01", "M-01"),
    seconds=410,
)


TASKS = 2
# Until the tasks of the group, and those of a pair, have found each other (s).
GROUP, PAIR = 70, 45
LINK = (
    "the link between {0} and {1}: each is well with others, and both together are not, whichever of them starts",
    "on both: ping the other; ip route get ADDRESS; iptables -S, nft list ruleset; then their cables",
)
UNKNOWN = (
    "no node and no pair of those that were tried is to blame: what is wrong appears among many nodes only",
    "srun --mpi=pmix on more and more of these nodes; SrunPortRange, PMIx's version, ulimit -n of slurmd",
)


def observe(node: Node) -> Any:
    """Start two tasks on every node of the group; where some are missing, pairs say which node or link it is."""
    tasks, output = start(node, node.nodes)
    if complete(tasks, node.nodes):
        return answers(node, tasks, well=True, fault="", said="")
    fault = ranks.fault(tasks, range(TASKS * len(node.nodes)), TASKS * len(node.nodes))
    found = groups.pairs(
        node.nodes, lambda pair: paired(node, pair), lambda seen, _all: seen, node.leaves, further=True
    )
    unexplained = all(entry["seen"] and not entry.get("link") for entry in found.values())
    if unexplained:
        again, _output = start(node, node.nodes)
        if complete(again, node.nodes):
            return answers(node, again, well=True, fault=fault, said=output[-1000:])
    seen = answers(node, tasks, well=False, fault=fault, said=output[-1000:])
    for name, entry in seen.items():
        entry.update(pairs=found.get(name), unexplained=unexplained and name == node.nodes[0])
    return seen


def answers(node: Node, tasks: list[dict[str, Any]], **more: Any) -> dict[str, dict[str, Any]]:
    """Return what is known of the group, with each node's own tasks."""
    count = len(node.nodes)
    return {
        name: {"nodes": count, "tasks": [task for task in tasks if task.get("host") == name], "pairs": None, **more}
        for name in node.nodes
    }


def complete(tasks: list[dict[str, Any]], names: Sequence[str]) -> bool:
    """Return whether all tasks of these nodes found each other."""
    size = TASKS * len(names)
    return len(tasks) == size and not ranks.fault(tasks, range(size), size)


def start(node: Node, names: Sequence[str], seconds: float = GROUP, at: str = "") -> tuple[list[dict[str, Any]], str]:
    """Return what the tasks on these nodes said, and what srun did."""
    options = ["--overlap", f"--ntasks={TASKS * len(names)}", f"--ntasks-per-node={TASKS}", "--mpi=pmix"]
    output = node.contained(ranks.WORDS, options, seconds=seconds, nodes=names, start=at)
    return ranks.read(output.stdout), output.stderr


def paired(node: Node, names: Sequence[str]) -> bool:
    """Return whether two nodes find each other, where one of them starts: a third's way to them is not theirs."""
    tasks = start(node, names, PAIR, "" if node.name in names else names[-1])[0]
    return complete(tasks, names)


def judge(observed: Any, context: Context) -> Finding:
    """All ranks are there; blamed is who fails with a good partner too, or the link of two."""
    size = TASKS * observed["nodes"]
    if observed["well"]:
        mine = ", ".join(str(task["rank"]) for task in observed["tasks"])
        said = f"ranks {mine} of {size} on {observed['nodes']} nodes"
        return passed(said + f", at the second try; before: {observed['fault'][:200]}" * bool(observed["fault"]))
    found = observed["pairs"] or {}
    expected = f"ranks 0 to {size - 1} on {observed['nodes']} nodes"
    again, fault = found.get("again"), observed["fault"][:200]
    well = [seen["with"] for seen in (found, again) if seen and seen["seen"]]
    # Results stored before links were looked for have none.
    link = found.get("link", found["with"] if again and again["seen"] else "")
    if link:
        said = f"not with {link}; well with {', '.join(well) or 'none'}"
        cause, fix = LINK
        return failed(said, expected, cause.format(*sorted((context.node, link))), fix)
    if observed.get("unexplained"):
        said = f"the group of {observed['nodes']} is not well: {fault}; well with {', '.join(well)}"
        return failed(said, expected, *UNKNOWN)
    if well:
        other = f", not with {found['with']}" if not found["seen"] else f"; the group of {observed['nodes']} is not"
        return passed(f"well with {well[0]}{other}: {fault}")
    said = observed["said"].strip()[-300:] or observed["fault"]
    with_whom = f" with {found['with']}" + (f" and {again['with']}" if again else "") if found else ""
    return failed(f"no ranks{with_whom}: {said or 'nothing said'}", expected)
