"""Jinja filters about the registration of a SPANK plugin: who lacks the plugin, and who reads another line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: roster_gaps
short_description: Name the hosts on which a plugin is not proven, and whether registering it would break their jobs
description:
  - Under C(required) a node without the plugin refuses every job. So each node of Slurm's own roster, and each host
    of the inventory that may submit, must have proven the plugin in this run, or be down, drained or powered off.
options:
  _input: {description: The roster as M(slipway.containers.slurm_facts) returns it., type: list, elements: dict, required: true}
  cluster_hosts: {description: Inventory names of the whole cluster., type: list, elements: str, required: true}
  proven: {description: Hosts that proved it in this run., type: list, elements: str, required: true}
  absentees: {description: Results of the proof on the other hosts of the inventory., type: list, elements: dict}
  excused: {description: Hosts that the inventory excuses., type: list, elements: str}
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

OUT_OF_SERVICE = {"powered_down", "powering_down", "power_down", "future"}


def absentee_reasons(absentees):
    """Return why each host that is not part of the run lacks a proof; a proven one is left out."""
    reasons = {}
    for result in absentees:
        host = result.get("__pyxis_absentee", result.get("item", ""))
        if result.get("unreachable"):
            reasons[host] = "cannot be reached"
        elif not result.get("proven"):
            reasons[host] = result.get("cause") or result.get("msg") or "has no proven plugin"
    return reasons


def out_of_service(node):
    """Return why no job can start on a node now, '' when one can."""
    if node["drained"]:
        return "drained"
    if node["down"]:
        return "down"
    flags = {flag.lower() for flag in node.get("flags", [])} | {node["state"].lower()}
    return "powered off" if flags & OUT_OF_SERVICE else ""


def roster_gaps(roster, cluster_hosts, proven, absentees=(), excused=()):
    """Return {refused, excused, message}; see DOCUMENTATION."""
    if roster is None:
        return {
            "refused": ["slurmctld"],
            "excused": [],
            "message": "slurmctld does not answer, so nobody can say which nodes would lose their jobs. "
            "Start it (`systemctl status slurmctld` on the controller) and run again. Nothing was registered.",
        }
    missing = absentee_reasons(absentees)
    reasons = {host: missing[host] for host in cluster_hosts if host not in proven and host in missing}
    nodes = {}
    for node in roster:
        names = (node["name"], node.get("hostname"), node.get("address"))
        host = next((name for name in cluster_hosts if name in names), None)
        nodes[host or node["name"]] = node
        if host is None:
            reasons[node["name"]] = "is not in the inventory"
    refused, let_off = {}, {}
    for host, reason in reasons.items():
        state = out_of_service(nodes[host]) if host in nodes else ""
        if state or host in excused:
            let_off[host] = "%s (%s)" % (reason, state or "excused by pyxis_excused_hosts")
        else:
            refused[host] = reason
    return {"refused": sorted(refused), "excused": sorted(let_off), "message": message(refused, let_off)}


def message(refused, let_off):
    """Return what to tell the admin."""
    listed = "; ".join("%s %s" % pair for pair in sorted((refused or let_off).items()))
    if refused:
        return (
            "pyxis is not registered, because then these would refuse every job: %s. Add them to this run (without "
            "--limit), or drain or stop the nodes, or list hosts that only submit in pyxis_excused_hosts. "
            "Jobs run as before." % listed
        )
    return "Converge these before they are resumed, until then they would refuse every job: %s." % listed


def registration_differs(slurm, plugin, arguments):
    """Return whether a host that fetches its configuration has another registration than the one that is wanted."""
    if slurm["config"]["source"] != "configless" or not slurm["plugstack"]["file"]:
        return False
    wanted = sorted("%s=%s" % (key, int(value) if isinstance(value, bool) else value) for key, value in arguments.items())
    found = [(entry["plugin"], sorted(entry["arguments"])) for entry in slurm["plugstack"]["registrations"]]
    return found != [(plugin, wanted)]


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        """Return the filters by name."""
        return {"roster_gaps": roster_gaps, "registration_differs": registration_differs}
