"""Jinja filters that tell from a node's facts whether its Docker is as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_keys_settled
short_description: Tell whether daemon.json has the keys already
description: So that a converge with nothing to do does not call M(slipway.containers.docker_daemon_config).
options:
  _input: {description: The fact C(docker) of M(slipway.containers.node_facts)., type: dict, required: true}
  settings: {description: The keys that are to be there., type: dict, required: true}
  owner: {description: 'The role whose keys they are, and which must have written no other.', type: str,
    required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ ansible_facts['docker'] | slipway.containers.docker_keys_settled({'live-restore': true}, 'docker') }}"
"""

RETURN = r"""
_value: {description: Whether nothing is to be changed; false also where that cannot be told., type: bool}
"""

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.slipway.containers.plugins.module_utils import docker_daemon, group_members


def docker_keys_settled(docker: Mapping[str, Any], settings: Mapping[str, Any], owner: str) -> bool:
    """Return whether daemon.json has these keys, and the role has written no other that it would have to take back."""
    found, written = docker["keys"], docker["written"].get(owner)
    return (
        found is not None
        and written is not None
        and set(written) <= set(docker_daemon.flat(settings))
        and not docker_daemon.changed_keys(found, docker_daemon.merge(found, settings))
    )


def docker_group_settled(docker: Mapping[str, Any], users: Sequence[str], exclusive: bool) -> bool:
    """Return whether the users are in the group docker, nobody else where that is wanted, and all are known."""
    found = docker["group"]
    if found is None:
        return False
    group = group_members.Group("docker", found["number"], tuple(found["members"]))
    judgement = group_members.judge(users, group, group, docker["accounts"].get, exclusive=exclusive)
    return judgement == group_members.Judgement()


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"docker_keys_settled": docker_keys_settled, "docker_group_settled": docker_group_settled}
