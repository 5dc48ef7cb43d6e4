"""Which nodes there are, which are asked for, and what follows. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SandboxError
from .podman import LABEL
from .settings import DEFAULT_COMPUTE, DEFAULT_DISTRIBUTION, Settings
from .slurm_config import compute_names

# Fixed places in the network: a node keeps its address when it is started again.
FIXED_PLACES = {"head": 2, "login1": 3}
FIRST_COMPUTE = 11


@dataclass(frozen=True)
class Existing:
    """A container of this sandbox, as podman lists it."""

    id: str
    node: str
    role: str
    address: str
    distribution: str
    state: str

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def broken(self) -> bool:
        """Made but never started: podman was killed half-way and may have left its network so."""
        return self.state not in {"running", "exited"}


@dataclass(frozen=True)
class Plan:
    distribution: str
    compute: int
    roles: dict[str, str]  # node -> role, in order
    existing: dict[str, Existing]

    @property
    def missing(self) -> list[str]:
        return [node for node in self.roles if node not in self.existing]

    @property
    def stopped(self) -> list[str]:
        return [node for node in self.roles if node in self.existing and not self.existing[node].running]


def survey(containers: Iterable[Mapping[str, Any]]) -> list[Existing]:
    found = []
    for container in containers:
        labels = container.get("Labels") or {}
        found.append(
            Existing(
                id=container["Id"],
                node=labels.get(f"{LABEL}.node", ""),
                role=labels.get(f"{LABEL}.role", ""),
                address=labels.get(f"{LABEL}.address", ""),
                distribution=labels.get(f"{LABEL}.distribution", ""),
                state=container.get("State") or "unknown",
            )
        )
    return found


def node_roles(compute: int) -> dict[str, str]:
    names = dict.fromkeys(compute_names(compute), "compute")
    # Not `login`: Ansible warns about a host that is named like its group.
    return {"head": "controller", "login1": "login", **names}


def place(node: str) -> int:
    if node in FIXED_PLACES:
        return FIXED_PLACES[node]
    return FIRST_COMPUTE + int(node.removeprefix("compute")) - 1


def addresses(subnet: str, nodes: Iterable[str]) -> dict[str, str]:
    base = ipaddress.ip_network(subnet).network_address
    return {node: str(base + place(node)) for node in nodes}


def make(settings: Settings, existing: Iterable[Existing]) -> Plan:
    """What was asked for wins; where nothing was, what is there stays."""
    present = {item.node: item for item in existing}
    distributions = {item.distribution for item in present.values()}
    computes = sum(item.role == "compute" for item in present.values())
    distribution = settings.distribution or next(iter(sorted(distributions)), DEFAULT_DISTRIBUTION)
    if distributions - {distribution}:
        raise SandboxError(
            f"this sandbox runs {', '.join(sorted(distributions))}, not {distribution}: "
            "run `make sandbox-down` first, or give the new one another SANDBOX_NAME"
        )
    compute = settings.compute or computes or DEFAULT_COMPUTE
    if compute < computes:
        raise SandboxError(
            f"this sandbox has {computes} compute nodes, more than SANDBOX_COMPUTE={compute}: "
            "run `make sandbox-down` first"
        )
    return Plan(distribution, compute, node_roles(compute), present)
