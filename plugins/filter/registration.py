"""Jinja filters about the registration of a SPANK plugin: who lacks the plugin, and who reads another line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: roster_gaps
short_description: Name the hosts on which a plugin is not proven, and whether registering it would break their jobs
description:
  - Under C(required) a node without the plugin refuses every job. So each node of Slurm's own roster, and each host
    of the inventory that may submit, must have proven the plugin in this run, or be down, drained or powered off.
options:
  _input:
    description: The roster as M(slipway.containers.slurm_facts) returns it; null where slurmctld does not answer.
    type: list
    elements: dict
    required: true
  cluster_hosts: {description: Inventory names of the whole cluster., type: list, elements: str, required: true}
  proven: {description: Hosts that proved it in this run., type: list, elements: str, required: true}
  absentees: {description: Results of the proof on the other hosts of the inventory., type: list, elements: dict}
  excused: {description: Hosts that the inventory excuses., type: list, elements: str}
  addresses: {description: C(ansible_host) by inventory name, where it has one., type: dict}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ roster | slipway.containers.roster_gaps(groups['slurm_cluster'], ansible_play_hosts, [], []) }}"
"""

RETURN = r"""
_value:
  description: C(refused) and C(excused), lists of host names, and a C(message) about them.
  type: dict
"""

import ipaddress
from typing import Any, Callable, Iterable, Mapping, Sequence

OUT_OF_SERVICE = {"powered_down", "powering_down", "power_down", "future"}

Node = Mapping[str, Any]


def proofs(absentees: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return for each host that is not part of the run why it lacks a proof, '' where it has one."""
    reasons = {}
    for result in absentees:
        if result.get("unreachable"):
            reason = "cannot be reached"
        else:
            reason = result.get("cause") or result.get("msg") or "has no proven plugin"
        host = str(result.get("__pyxis_absentee", result.get("item", "")))
        reasons[host] = "" if result.get("proven") and not result.get("unreachable") else reason
    return reasons


def out_of_service(nodes: Sequence[Node]) -> str:
    """Return why no job can start on any of a host's nodes now, '' when one can."""
    states = [_node_out_of_service(node) for node in nodes]
    return states[0] if states and all(states) else ""


def _node_out_of_service(node: Node) -> str:
    if node["drained"]:
        return "drained"
    if node["down"]:
        return "down"
    flags = {flag.lower() for flag in node.get("flags") or []} | {node["state"].lower()}
    return "powered off" if flags & OUT_OF_SERVICE else ""


def nodes_by_host(
    roster: Iterable[Node], hosts: Iterable[str], addresses: Mapping[str, str] | None = None
) -> dict[str, list[Node]]:
    """Return Slurm's nodes by inventory name, those that the inventory does not know by their own.

    A host is known by its inventory name and by its ``ansible_host``, which may be an address or a name. Slurm mostly
    has short names where an inventory has full ones; a short name or an address counts if one host alone has it.
    """
    known = list(hosts)
    places = [(addresses or {}).get(name) or "" for name in known]
    tiers = (known, places, [_short(name) for name in known], [_short(place) for place in places])
    nodes: dict[str, list[Node]] = {}
    for node in roster:
        names = {node["name"], node.get("hostname"), node.get("address")} - {"", None}
        found = (
            name
            for tier in tiers
            for name, alias in zip(known, tier)
            if alias in names and (tier is known or tier.count(alias) == 1)
        )
        nodes.setdefault(next(found, str(node["name"])), []).append(node)
    return nodes


def _short(name: str) -> str:
    """Return the first label of a name; an address has none."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.partition(".")[0]
    return ""


def roster_gaps(
    roster: Iterable[Node] | None,
    cluster_hosts: Sequence[str],
    proven: Sequence[str],
    absentees: Iterable[Mapping[str, Any]] = (),
    excused: Sequence[str] = (),
    addresses: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return {refused, excused, message}; see DOCUMENTATION."""
    if roster is None:
        return {
            "refused": ["slurmctld"],
            "excused": [],
            "message": "slurmctld does not answer, so nobody can say which nodes would lose their jobs. "
            "Start it (`systemctl status slurmctld` on the controller) and run again. Nothing was registered.",
        }
    nodes = nodes_by_host(roster, cluster_hosts, addresses)
    looked_at = proofs(absentees)
    refused, let_off = {}, {}
    for host in [*cluster_hosts, *(name for name in nodes if name not in cluster_hosts)]:
        if host not in cluster_hosts:
            reason = "is not in the inventory"
        elif host in proven:
            continue
        else:
            reason = looked_at.get(host, "was not looked at")
        state = out_of_service(nodes.get(host, []))
        if reason and (state or host in excused):
            let_off[host] = "%s (%s)" % (reason, state or "excused by pyxis_excused_hosts")
        elif reason:
            refused[host] = reason
    return {"refused": sorted(refused), "excused": sorted(let_off), "message": message(refused, let_off)}


def message(refused: Mapping[str, str], let_off: Mapping[str, str]) -> str:
    """Return what to tell the admin, '' when there is nothing."""
    if not refused and not let_off:
        return ""
    listed = "; ".join("%s %s" % pair for pair in sorted((refused or let_off).items()))
    if refused:
        return (
            "pyxis is not registered, because then these would refuse every job: %s. Add them to this run (without "
            "--limit), or drain or stop the nodes, or list hosts that only submit in pyxis_excused_hosts. "
            "Jobs run as before." % listed
        )
    return "Converge these before they are resumed, until then they would refuse every job: %s." % listed


def oldest_slurm(hosts: Sequence[str], slurms: Iterable[Mapping[str, Any]], preferred: str) -> str:
    """Return the host with the oldest Slurm, of several the preferred one, else the first.

    An older client works with a newer slurmd, and not the other way round: srun of 26.05 in a job of salloc cannot
    start a step on a slurmd of 24.11 (https://slurm.schedmd.com/upgrades.html has clients come last).
    """
    series = {host: slurm.get("series") or "" for host, slurm in zip(hosts, slurms)}
    # Series are year and month, two digits each.
    order = sorted(hosts, key=lambda host: (not series[host], series[host], host != preferred))
    return order[0]


def registration_differs(slurm: Mapping[str, Any], plugin: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a host's Slurm reads anything else than the one registration that is wanted.

    A host that has no configuration yet differs from nothing.
    """
    if not slurm["plugstack"]["file"]:
        return False
    wanted = sorted(
        "%s=%s" % (key, int(value) if isinstance(value, bool) else value) for key, value in arguments.items()
    )
    found = [
        (entry["flag"], entry["plugin"], sorted(entry["arguments"])) for entry in slurm["plugstack"]["registrations"]
    ]
    return bool(found != [("required", plugin, wanted)])


def registration_live(
    slurm: Mapping[str, Any], plugin: str, arguments: Mapping[str, Any], build: str
) -> bool:
    """Return whether a host's Slurm reads the wanted registration, and a slurmd there has that build in memory."""
    loaded = slurm["plugstack"]["loaded"]
    return not registration_differs(slurm, plugin, arguments) and (loaded is None or build in loaded)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "roster_gaps": roster_gaps,
            "registration_differs": registration_differs,
            "registration_live": registration_live,
            "oldest_slurm": oldest_slurm,
        }
