"""Jinja test ``older_than``: whether an installed package is older than an upstream version."""

from __future__ import annotations

DOCUMENTATION = r"""
name: older_than
short_description: Whether an installed package is older than an upstream version
description:
  - Epoch and packaging revision are left out, and V(~) sorts before everything, as dpkg and rpm do it.
    M(ansible.builtin.version) knows neither.
options:
  _input: {description: "A package's version; an empty one is older than any.", type: str, required: true}
  _positional: {description: The version to compare with., type: str, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug: {msg: too old}
  when: "'4.1.1-1' is slipway.containers.older_than('4.1.2')"
"""

RETURN = r"""
_value: {description: Whether the input is older., type: bool}
"""

from typing import Any, Callable

from ansible_collections.slipway.containers.plugins.module_utils.versions import compare


def older_than(installed: Any, wanted: Any) -> bool:
    """Return whether ``installed`` is an older upstream version than ``wanted``."""
    if not installed:
        return True
    return compare(str(installed), str(wanted)) < 0


class TestModule:
    """Ansible's entry point."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Return the tests by name."""
        return {"older_than": older_than}
