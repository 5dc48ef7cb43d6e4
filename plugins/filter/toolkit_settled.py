"""Jinja filter ``toolkit_settled``: whether a node's facts show its NVIDIA container toolkit as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
name: toolkit_settled
short_description: Tell whether services, CDI specification and CUDA's device are as declared
description: So that a converge with nothing to do does not call M(slipway.containers.nvidia_container_toolkit).
options:
  _input:
    description: The fact C(nvidia) of M(slipway.containers.node_facts).
    type: dict
    required: true
  config: {description: Keys of C(config.toml) that are to be there., type: dict, required: true}
  persistence: {description: Whether the persistence daemon is to run., type: bool, required: true}
  started: {description: Whether the services are to run now., type: bool, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'] | slipway.containers.toolkit_settled({}, true, true) }}"
"""

RETURN = r"""
_value: {description: Whether nothing is to be done; false also where that cannot be told., type: bool}
"""

from typing import Any, Callable

from ansible_collections.slipway.containers.plugins.module_utils import nvidia_toolkit


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"toolkit_settled": nvidia_toolkit.settled}
