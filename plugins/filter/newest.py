"""Jinja filter ``newest``: the newest of several versions of a package."""

from __future__ import annotations

DOCUMENTATION = r"""
name: newest
short_description: The newest of several versions of a package
description: Versions are compared as dpkg and rpm do it; of equal ones the first is taken.
options:
  _input: {description: The versions; at least one., type: list, elements: str, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ ['1.9.0-1', '1.20.0-1'] | slipway.containers.newest }}"
"""

RETURN = r"""
_value: {description: The newest one., type: str}
"""

from functools import cmp_to_key
from typing import Any, Callable, Iterable

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.containers.plugins.module_utils.versions import compare


def newest(versions: Iterable[Any]) -> str:
    """Return the newest version; raises AnsibleFilterError where there is none."""
    found = [str(version) for version in versions] if not isinstance(versions, str) else []
    if not found:
        raise AnsibleFilterError("newest takes a list of at least one version, not %r" % versions)
    return max(found, key=cmp_to_key(compare))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"newest": newest}
