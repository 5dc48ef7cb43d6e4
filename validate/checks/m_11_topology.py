"""M-11: Slurm's topology of the node is what the job is told."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-11",
    title="topology file true",
    tier="standard",
    step="host",
    cause="topology.conf names the node under another switch than slurmd read: the file was changed and not read again",
    fix="scontrol show topology; compare topology.conf with the cabling; scontrol reconfigure",
)


def observe(node: Node) -> Any:
    """Read the job's address of this node, and Slurm's lines about it."""
    name = os.environ.get("SLURMD_NODENAME", "")
    lines = node.run(["scontrol", "show", "topology", name], 8).stdout
    return {
        "node": name,
        "address": os.environ.get("SLURM_TOPOLOGY_ADDR", ""),
        "pattern": os.environ.get("SLURM_TOPOLOGY_ADDR_PATTERN", ""),
        "switches": re.findall(r"SwitchName=(\S+)|BlockName=(\S+)", lines),
    }


def judge(observed: Any, context: Context) -> Finding:
    """The address ends with the node, and its switches are those of the topology."""
    parts = observed["address"].split(".")
    if parts[-1] != observed["node"] or not observed["node"]:
        return failed(
            f"SLURM_TOPOLOGY_ADDR={observed['address'] or '(not set)'}", f"an address that ends with {context.node}"
        )
    known = {name for pair in observed["switches"] for name in pair if name}
    # A part may be a list of switches above: s[1-2].
    told = [part for part in parts[:-1] if "[" not in part]
    if known and told and not known >= set(told):
        return failed(f"{observed['address']}; scontrol names {', '.join(sorted(known))}", "the same switches")
    return passed(observed["address"] if told else "no switches: the network is flat to Slurm")
