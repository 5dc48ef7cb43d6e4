"""What Slurm says before anything is run: questions, and the roster out of their answers. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import slurm_text

from validate.errors import CannotStart

QUESTIONS: dict[str, dict[str, Any]] = {
    "ping": {"words": ["scontrol", "ping"], "seconds": 15},
    "nodes": {"words": ["scontrol", "--oneliner", "show", "node"], "seconds": 30},
    "config": {"words": ["scontrol", "show", "config"], "seconds": 15},
    "host": {"words": ["hostname", "-s"], "seconds": 5},
    # Without --all Slurm hides those that the account may not use.
    "partitions": {"words": ["scontrol", "--all", "--oneliner", "show", "partition"], "seconds": 15},
    # Fails, or says nothing, where Slurm knows no topology.
    "topology": {"words": ["scontrol", "show", "topology"], "seconds": 15},
}
GPUS = re.compile(r"\bgpu(?::[^:,()\s]+)?:(\d+)")
REASON_BY = re.compile(r"\sReason=.*\[(\S+?)@(\S+)\]")
# An admin's state=fail; FAILING is said while a job still runs there.
FAILING = ("fail", "failing")
# A node in one of these states takes no job, whatever we ask.
UNUSABLE_FLAGS = ("not_responding", "powered_down", "powering_down", "power_down", "reboot_issued", "invalid_reg")


def roster(nodes_text: str, default: str = "") -> list[dict[str, Any]]:
    """Return Slurm's nodes from ``scontrol --oneliner show node``, with GPUs, and who gave which reason when.

    Of a node's partitions the ``default`` one comes first: a job that names none is to be in it.
    """
    lines = [line for line in nodes_text.splitlines() if line.startswith("NodeName=")]
    features = {line: set(_value(line, "ActiveFeatures").split(",")) - {"", "(null)"} for line in lines}
    # One that a single node has (its name, an instance's id) makes no kind of node.
    common = {name for name, count in Counter(n for names in features.values() for n in names).items() if count > 1}
    found = []
    for line, node in zip(lines, slurm_text.parse_nodes("\n".join(lines))):
        given = REASON_BY.search(line)
        gres = re.search(r"\sGres=(\S+)", line)
        partitions = _value(line, "Partitions").split(",")
        hardware = _hardware(line)
        found.append(
            {
                **node,
                "role": "compute",
                "in_slurm": True,
                "gpus": sum(int(count) for count in GPUS.findall(gres.group(1))) if gres else 0,
                "partitions": sorted(filter(None, partitions), key=lambda name: name != default),
                "hardware": hardware,
                # Nodes of which one makes the checks that one node makes for all.
                "alike": " ".join([hardware, *sorted(features[line] & common)]).strip(),
                "reason_by": given.group(1) if given else "",
                "reason_at": given.group(2) if given else "",
                "unusable": unusable(node),
            }
        )
    return found


def _value(line: str, key: str) -> str:
    found = re.search(rf"\s{key}=(\S+)", line)
    return found.group(1) if found else ""


def _hardware(line: str) -> str:
    """Return what Slurm says of a node's hardware: its Gres without the sockets, its architecture and its CPUs."""
    gres = re.sub(r"\([^)]*\)", "", _value(line, "Gres"))
    return " ".join(part for part in (gres, _value(line, "Arch"), _value(line, "CPUTot")) if part)


def leaves(topology_text: str) -> dict[str, str]:
    """Return node -> its leaf switch or block from ``scontrol show topology``; {} where Slurm knows no topology."""
    found: dict[str, str] = {}
    for line in topology_text.splitlines():
        name = re.match(r"\s*(?:SwitchName=(\S+)\s.*\bLevel=0\b|BlockName=(\S+))", line)
        nodes = re.search(r"\bNodes=(\S+)", line)
        if name and nodes:
            leaf = name.group(1) or name.group(2)
            found |= {node: leaf for node in expand(nodes.group(1)) if node not in found}
    return found


def expand(hosts: str) -> list[str]:
    """Return the names of one of Slurm's lists: ``n[01-03,7],x`` is n01, n02, n03, n7 and x."""
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", hosts):
        names = [""]
        for text, ranges in re.findall(r"([^\[]+)|\[([^\]]*)\]", part):
            ends = [text] if text else [number for one in ranges.split(",") for number in _numbers(one)]
            names = [name + end for name in names for end in ends]
        found += names
    return found


def _numbers(text: str) -> list[str]:
    first, _dash, last = text.partition("-")
    if not (first.isdigit() and last.isdigit()):
        return [text]
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


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
    if {node["state"], *node["flags"]} & {*FAILING}:
        return "failing"
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


def with_runtimes(roster: Iterable[Mapping[str, Any]], runtimes: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """Return the roster with what the inventory installs on each host, which it may name in full and Slurm in short."""
    short = {name.partition(".")[0]: names for name, names in runtimes.items()}
    found = ((entry, runtimes.get(entry["name"], short.get(entry["name"]))) for entry in roster)
    return [{**entry, **({"runtimes": list(names)} if names is not None else {})} for entry, names in found]


def limited(nodes: list[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return only the nodes that are named, as Slurm or the inventory does; CannotStart for a name that no node has."""
    wanted = list(names)
    by_name = {name: node["name"] for node in nodes for name in (node.get("hostname"), node["name"]) if name}
    found = {name: by_name.get(name) or by_name.get(name.partition(".")[0]) for name in wanted}
    unknown = sorted(name for name, node in found.items() if not node)
    if unknown:
        there = ", ".join(node["name"] for node in nodes[:20])
        raise CannotStart(f"no such node: {', '.join(unknown)}; there are {there}{', …' * (len(nodes) > 20)}")
    return [node for node in nodes if node["name"] in found.values()] if wanted else nodes
