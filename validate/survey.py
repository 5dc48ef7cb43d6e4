"""What Slurm says before anything is run: questions, and the roster out of their answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import slurm_text

from validate.errors import CannotStart

QUESTIONS: dict[str, dict[str, Any]] = {
    "ping": {"words": ["scontrol", "ping"], "seconds": 15},
    "nodes": {"words": ["scontrol", "--oneliner", "show", "node"], "seconds": 30},
    "config": {"words": ["scontrol", "show", "config"], "seconds": 15},
    "host": {"words": ["hostname", "-s"], "seconds": 5},
}
GPUS = re.compile(r"\bgpu(?::[^:,()\s]+)?:(\d+)")
REASON_BY = re.compile(r"\sReason=.*\[(\S+?)@(\S+)\]")
# A node in one of these states takes no job, whatever we ask.
UNUSABLE_FLAGS = ("not_responding", "powered_down", "powering_down", "power_down", "reboot_issued", "invalid_reg")


def roster(nodes_text: str) -> list[dict[str, Any]]:
    """Return Slurm's nodes from ``scontrol --oneliner show node``, with GPUs, and who gave which reason when."""
    lines = [line for line in nodes_text.splitlines() if line.startswith("NodeName=")]
    found = []
    for line, node in zip(lines, slurm_text.parse_nodes("\n".join(lines))):
        given = REASON_BY.search(line)
        gres = re.search(r"\sGres=(\S+)", line)
        partitions = re.search(r"\sPartitions=(\S+)", line)
        found.append(
            {
                **node,
                "role": "compute",
                "in_slurm": True,
                "gpus": sum(int(count) for count in GPUS.findall(gres.group(1))) if gres else 0,
                "partitions": partitions.group(1).split(",") if partitions else [],
                "reason_by": given.group(1) if given else "",
                "reason_at": given.group(2) if given else "",
                "unusable": unusable(node),
            }
        )
    return found


def lost(nodes_text: str, used: Iterable[str], completing: str) -> dict[str, str]:
    """Return which of the nodes are unusable now, and why; ``completing`` is what to say of one that completes."""
    found = {}
    for node in roster(nodes_text):
        if node["name"] in used and node["unusable"]:
            found[node["name"]] = f"{node['unusable']}: {node['reason'] or 'no reason'}"
        elif node["name"] in used and completing and "completing" in (node["state"], *node["flags"]):
            found[node["name"]] = completing
    return found


def unusable(node: Mapping[str, Any]) -> str:
    """Return why Slurm gives nobody this node, '' where it does."""
    if node["down"]:
        return "down"
    if node["drained"]:
        return "drained"
    return next((flag for flag in UNUSABLE_FLAGS if flag in node["flags"]), "")


def expected(found: list[dict[str, Any]], inventory: Iterable[str] | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the expected nodes, each with its entry, and the names that only Slurm knows.

    ``inventory`` is None where there is none: then Slurm's own list is what is expected. A node that the inventory
    names in full and Slurm in short is the same one.
    """
    if inventory is None:
        return found, []
    by_name = {name: node for node in found for name in (node["hostname"], node["name"])}
    chosen: dict[str, dict[str, Any]] = {}
    for name in inventory:
        node = by_name.get(name) or by_name.get(name.partition(".")[0])
        entry = node or {"name": name, "role": "compute", "in_slurm": False, "gpus": 0, "unusable": "unknown to Slurm"}
        chosen.setdefault(entry["name"], entry)
    return list(chosen.values()), sorted({node["name"] for node in found} - set(chosen))


def limited(nodes: list[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return only the nodes that are named; CannotStart for a name that no node has."""
    wanted = list(names)
    unknown = sorted(set(wanted) - {node["name"] for node in nodes})
    if unknown:
        there = ", ".join(node["name"] for node in nodes[:20])
        raise CannotStart(f"no such node: {', '.join(unknown)}; there are {there}{', …' * (len(nodes) > 20)}")
    return [node for node in nodes if node["name"] in wanted] if wanted else nodes
