"""Jinja filter ``docker_typed``: keys of daemon.json in the types in which Docker reads them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_typed
short_description: Give keys of daemon.json the types that Docker insists on
description:
  - An inventory may have C(max-file) as a number and the size of an address pool as text, with which Docker does not
    start. Options of the log driver become text, sizes of address pools numbers; all else stays.
options:
  _input: {description: The keys., type: dict, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ {'log-opts': {'max-file': 3}} | slipway.containers.docker_typed }}"
"""

RETURN = r"""
_value: {description: The same keys., type: dict}
"""

from typing import Any, Callable, Mapping

LOG_OPTIONS, POOLS = "log-opts", "default-address-pools"


def text(value: Any) -> Any:
    """Return a scalar as text, with the words for true and false that Docker knows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def pool(entry: Any) -> Any:
    """Return an address pool whose size is a number, where it can be one."""
    if not isinstance(entry, Mapping) or not str(entry.get("size", "")).strip().isdecimal():
        return entry
    return {**entry, "size": int(entry["size"])}


def docker_typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys, see DOCUMENTATION."""
    typed = dict(settings)
    if isinstance(typed.get(LOG_OPTIONS), Mapping):
        typed[LOG_OPTIONS] = {name: text(value) for name, value in typed[LOG_OPTIONS].items()}
    if isinstance(typed.get(POOLS), (list, tuple)):
        typed[POOLS] = [pool(entry) for entry in typed[POOLS]]
    return typed


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"docker_typed": docker_typed}
