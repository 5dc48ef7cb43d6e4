"""Jinja filter ``as_files``: names to entries of the module ``managed_files``."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_files
short_description: Turn names into entries of slipway.containers.managed_files
description: Every V({}) in a value is replaced by the name.
options:
  _input: {description: The names., type: list, elements: str, required: true}
  _attributes: {description: The attributes of each entry; at least C(path)., type: dict}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ ['50-a.sh'] | slipway.containers.as_files(path='/etc/enroot/hooks.d/{}', mode='0755') }}"
"""

RETURN = r"""
_value: {description: One dict for each name., type: list, elements: dict}
"""

from typing import Any, Callable, Iterable

from ansible.errors import AnsibleFilterError


def as_files(names: Iterable[Any], **attributes: Any) -> list[dict[str, Any]]:
    """Return one dict for each name, ``{}`` in text values replaced by it."""
    if isinstance(names, str):
        raise AnsibleFilterError("as_files takes a list of names, not the text %r" % names)
    return [
        {key: value.replace("{}", str(name)) if isinstance(value, str) else value for key, value in attributes.items()}
        for name in names
    ]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"as_files": as_files}
