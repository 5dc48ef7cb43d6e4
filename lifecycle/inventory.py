"""The inventory of one node, reached without a connection."""

from __future__ import annotations

from typing import Any

from .identity import Identity

# Hooks never go to another host: a controller elsewhere is named, and the run is limited to this node.
ELSEWHERE = "controller-elsewhere"


def make_inventory(name: str, identity: Identity) -> dict[str, Any]:
    """Return the inventory (as of a YAML file): this node in its group, and the controller by name.

    An image stands in the group of compute nodes: it installs what they have, and registers nothing.
    """
    myself = {
        name: {
            "ansible_connection": "local",
            "ansible_become": False,
            # With the bundle's packages, and the distribution's behind them.
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        }
    }
    group = "compute" if identity.role == "image" else identity.role
    groups: dict[str, Any] = {"controller": {}, "login": {}, "compute": {}}
    groups[group] = {"hosts": dict(myself)}
    if group != "controller" or not identity.primary:
        other = identity.controller or ELSEWHERE
        other = other if other != name else ELSEWHERE
        # The first one in the group is the one that is asked and that registers.
        own = groups["controller"].get("hosts", {})
        groups["controller"] = {"hosts": {other: {"ansible_connection": "local"}, **own}}
    return {"slurm_cluster": {"children": groups}}
