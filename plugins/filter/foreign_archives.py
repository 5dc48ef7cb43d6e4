"""Jinja filter ``foreign_archives``: who else names an archive of packages on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: foreign_archives
short_description: Name the files of apt's sources that name an archive already, with another key
description:
  - apt reads no source at all where two of them name one archive (address and suite) with different keyrings. So a
    role leaves its own entry out where somebody else's serves.
options:
  _input: {description: The fact C(apt_archives) of M(slipway.containers.node_facts)., type: list, elements: dict,
    required: true}
  uri: {description: 'Address of the archive; C($(ARCH)) in it stands for O(architecture).', type: str, required: true}
  suite: {description: 'Its suite, V(/) where it is flat.', type: str, required: true}
  architecture: {description: The node's architecture in dpkg's words., type: str, required: true}
  file: {description: The role's own file., type: str, required: true}
  keyring: {description: The role's own keyring., type: str, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ ansible_facts['apt_archives'] | slipway.containers.foreign_archives('https://archive.example.org',
      'trixie', 'amd64', '/etc/apt/sources.list.d/slipway-x.sources', '/etc/apt/keyrings/slipway-x.asc') }}"
"""

RETURN = r"""
_value: {description: The paths of those files., type: list, elements: str}
"""

from typing import Any, Callable, Iterable, Mapping


def foreign_archives(
    archives: Iterable[Mapping[str, str]], uri: str, suite: str, architecture: str, file: str, keyring: str
) -> list[str]:
    """Return the other files that name the archive; one with the same keyring contradicts nothing."""
    wanted = uri.replace("$(ARCH)", architecture).rstrip("/")
    return sorted({
        archive["file"]
        for archive in archives
        if archive["uri"].rstrip("/") == wanted
        and archive["suite"] == suite
        and archive["file"] != file
        and archive["keyring"] != keyring
    })  # fmt: skip


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"foreign_archives": foreign_archives}
