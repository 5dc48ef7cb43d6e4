"""Jinja filter ``acceptance_words``: what a play's limit, inventory and ``-e`` say, as options of the suite."""

from __future__ import annotations

DOCUMENTATION = r"""
name: acceptance_words
short_description: Tell the acceptance suite which nodes a play has, and what its variables are
description:
  - The suite reads the inventory by C(ansible-inventory), which shows neither C(-e) nor what a template comes to, and
    knows no C(--limit).
options:
  _input: {description: The inventory's groups., type: dict, required: true}
  variables: {description: C(hostvars)., type: dict, required: true}
  hosts: {description: Hosts of the play., type: list, elements: str, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.command:
    argv: "{{ ['validate', 'run'] + groups | slipway.containers.acceptance_words(hostvars, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value: {description: Options of C(python -m validate run)., type: list, elements: str}
"""

import json
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible.module_utils.parsing.convert_bool import boolean

PREFIX = "validate_"
# Those of the playbook alone, which are no settings of the suite (validate/settings.py).
OWN = ("validate_arguments", "validate_drain", "validate_output", "validate_resume")


def acceptance_words(
    groups: Mapping[str, Sequence[str]], variables: Mapping[str, Mapping[str, Any]], hosts: Iterable[str]
) -> list[str]:
    """Return the options; the settings are those of the host that submits, as the suite has it."""
    expected, here = list(groups.get("compute") or ()), set(hosts)
    nodes = [name for name in expected if name in here]
    submits = [*(groups.get("login") or groups.get("controller") or ()), *groups["all"]]
    of_host = variables[submits[0]]
    given = {str(name): _plain(of_host[name]) for name in of_host if str(name).startswith(PREFIX)}
    settings = {name: value for name, value in given.items() if name not in OWN}
    words = ["--variables", json.dumps(settings)]
    # One that leaves none is the suite's to refuse.
    words += ["--limit", ",".join(nodes)] if len(nodes) < len(expected) else []
    for verb in ("drain", "resume"):
        words += ["--%s" % verb] if boolean(given.get(PREFIX + verb), strict=False) else []
    return words


def _plain(value: Any) -> Any:
    """Return a value without Ansible's own types, which fill in a template only where Python itself reads them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"acceptance_words": acceptance_words}
