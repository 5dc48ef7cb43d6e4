"""What AWS ParallelCluster tells a node about itself.

Facts are from aws-parallelcluster-cookbook (2024-10): ``cfnconfig`` is shell text that is not meant to be relied on,
so it is read as data and never sourced, and ``/etc/chef/dna.json`` stands in where it lacks something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CFNCONFIG = "/etc/parallelcluster/cfnconfig"
DNA = "/etc/chef/dna.json"
BOOTSTRAPPED = "/opt/parallelcluster/.bootstrapped"
EXAMPLES = "/opt/parallelcluster/examples"
SLURM_PREFIX = "/opt/slurm"
ROLES = {"HeadNode": "controller", "ComputeFleet": "compute", "LoginNode": "login"}
# How both files write that there is nothing.
NOTHING = ("", "NONE")
ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z")


@dataclass(frozen=True)
class Facts:
    """What a node of ParallelCluster knows about itself; '' where it does not."""

    node_type: str
    head_name: str
    head_address: str
    queue: str
    source: str

    @property
    def role(self) -> str:
        """The role, '' where the node type is missing or unknown."""
        return ROLES.get(self.node_type, "")


def parse_cfnconfig(text: str) -> dict[str, str]:
    """Return the assignments of cfnconfig, quotes removed; arrays stay text, NONE becomes ''."""
    values = {}
    for line in text.removeprefix("\ufeff").splitlines():
        match = ASSIGNMENT.match(line.strip())
        if not match:
            continue
        value = match.group(2).strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[match.group(1)] = "" if value in NOTHING else value
    return values


def read_facts(cfnconfig: Mapping[str, str], dna: Mapping[str, Any]) -> Facts:
    """Return the facts, each from cfnconfig where it is there, else from dna.json."""
    cluster = dna.get("cluster")
    described: Mapping[str, Any] = cluster if isinstance(cluster, Mapping) else {}

    def either(variable: str, *keys: str) -> str:
        candidates = [cfnconfig.get(variable), *(described.get(key) for key in keys)]
        return next((item for item in candidates if isinstance(item, str) and item not in NOTHING), "")

    return Facts(
        either("cfn_node_type", "node_type"),
        either("cfn_head_node", "head_node"),
        either("cfn_head_node_private_ip", "head_node_private_ip"),
        either("cfn_scheduler_queue_name", "scheduler_queue_name", "pool_name"),
        CFNCONFIG if cfnconfig.get("cfn_node_type") else DNA,
    )


def cookbook_version(text: str) -> tuple[int, ...]:
    """Return the release in ``.bootstrapped`` as numbers, () where it names none; it is a hint and never a proof."""
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()
