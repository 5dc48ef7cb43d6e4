"""Jinja filters ``as_netrc`` and ``as_docker_config``: credentials of registries for the runtimes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_netrc
short_description: Credentials of registries as enroot reads them
description: C(as_docker_config) has them as Docker, podman, skopeo and Apptainer do.
options:
  _input: {description: 'Entries with C(registry), C(username) and C(password).', type: list, elements: dict,
    required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.copy:
    content: "{{ registry_credentials | slipway.containers.as_netrc }}"
    dest: /etc/slipway/registry/enroot/.credentials
    mode: '0600'
  no_log: true
"""

RETURN = r"""
_value: {description: The text., type: str}
"""

from typing import Any, Callable, Iterable, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.containers.plugins.module_utils import credentials


def _filter(function: Callable[..., str]) -> Callable[..., str]:
    def render(entries: Iterable[Mapping[str, Any]]) -> str:
        try:
            return function(entries)
        except credentials.Invalid as error:
            raise AnsibleFilterError(str(error)) from None

    return render


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"as_netrc": _filter(credentials.netrc), "as_docker_config": _filter(credentials.docker_config)}
