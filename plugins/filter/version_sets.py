"""Jinja filter ``version_sets``: what different hosts of a site want of the same components."""

from __future__ import annotations

DOCUMENTATION = r"""
name: version_sets
short_description: Collect the different combinations of component versions that a site's hosts want
description:
  - An inventory may set C(<component>_version) for all hosts, for a group or for one host. Each combination that some
    host has is one result. Without hosts there is one that sets nothing, which stands for the defaults.
options:
  _input: {description: The variables of each host., type: list, elements: dict, required: true}
  components: {description: Names of the components., type: list, elements: str, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ [{'enroot_version': '4.1.2'}, {}] | slipway.containers.version_sets(['enroot']) }}"
"""

RETURN = r"""
_value: {description: The combinations by variable name, in the order of the hosts., type: list, elements: dict}
"""

from typing import Any, Callable, Iterable, Mapping


def version_sets(hosts: Iterable[Mapping[str, Any]], components: Iterable[str]) -> list[dict[str, str]]:
    """Return the different {variable: version}; see DOCUMENTATION."""
    names = [component + "_version" for component in components]
    found: list[dict[str, str]] = []
    for variables in hosts:
        versions = {name: str(variables[name]) for name in names if name in variables}
        if versions not in found:
            found.append(versions)
    return found or [{}]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"version_sets": version_sets}
