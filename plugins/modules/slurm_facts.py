#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: everything Slipway needs to know of a host's Slurm, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_facts
short_description: Finds a host's Slurm, its configuration and its SPANK plugins
description:
  - Returns C(ansible_facts.slurm) in one call. Changes nothing, and runs alike in check mode.
  - Every question has a bound. With a dead slurmctld the module ends within 10 seconds, and what only the
    controller knows is null.
  - The Slurm that runs counts, not the first on PATH - a running daemon's program, then PATH, then
    C(/opt/slurm),
    AWS PCS, C(/usr) and C(/usr/local).
  - The configuration is looked up as Slurm does - C(--conf-server), C(-f) and SLURM_CONF of running
    daemons, then
    of their units and environment files; the path built into libslurmfull.so; known paths; the fetched copy.
options:
  roster:
    description: Also ask slurmctld for its nodes.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Gather Slurm facts
  slipway.containers.slurm_facts:
    roster: "{{ inventory_hostname == slurm_controller }}"
"""

RETURN = r"""
ansible_facts:
  description: Holds one key, C(slurm).
  returned: always
  type: dict
  contains:
    slurm:
      description: What was found; a value that cannot be known is null.
      type: dict
      contains:
        installed: {description: Whether a Slurm program was found., type: bool}
        prefix: {description: What holds bin/srun; symbolic links resolved., type: str}
        version: {description: Version of the Slurm that runs., type: str, sample: 24.11.5}
        series: {description: Major and minor version; what a plugin is built for., type: str, sample:
          '24.11'}
        programs: {description: Paths of srun; scontrol and slurmd., type: dict}
        plugin_directory: {description: PluginDir., type: str}
        headers: {description: 'C(directory) that holds slurm/spank.h, and its C(version).', type: dict}
        config:
          description:
            - C(source) local, configless or none; C(file), with configless the fetched copy or null;
              C(directory);
              C(shared), on a network filesystem or exported from here by NFS.
          type: dict
        configless_server: {description: Whether the configuration says enable_configless., type: bool}
        daemons: {description: 'active, inactive or absent by daemon.', type: dict}
        node: {description: 'The name of this host as a node of Slurm, null without slurmd.', type: str}
        reconfigure: {description: 'scontrol from 23.11 on, restart below.', type: str}
        plugstack:
          description:
            - C(file) that this host's Slurm reads; C(registrations) of pyxis, each {file, line, flag, plugin,
              arguments}; C(problems), each {file, problem}; C(loaded), the files of pyxis that the running slurmd
              has in memory, null where none runs.
          type: dict
        running_jobs:
          description:
            - Jobs that hold this node, 0 without slurmd. Without a controller at least those that have a
              step here,
              null when there is none.
          type: int
        roster:
          description:
            - Slurm's nodes, each {name, address, hostname, state, flags, drained, down, reason, version}.
              C(drained)
              is true while draining as well - no job starts there. Null without an answer.
          type: list
          elements: dict
          returned: with O(roster=true)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils.slurm_gather import gather
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Host


def main() -> None:
    """Gather and return."""
    module = AnsibleModule({"roster": {"type": "bool", "default": False}}, supports_check_mode=True)
    module.exit_json(changed=False, ansible_facts={"slurm": gather(Host(), module.params["roster"])})


if __name__ == "__main__":
    main()
