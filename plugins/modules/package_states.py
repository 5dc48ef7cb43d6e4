#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: which of some packages are installed, and whether wholly."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_states
short_description: Look up a few packages, their versions and whether they are wholly installed
description:
  - Sets the fact C(packages) in the shape of M(ansible.builtin.package_facts), for the asked names only,
    and the fact C(packages_broken) with those that a killed dpkg left behind or whose files were deleted,
    which package_facts cannot tell from whole ones.
  - Reads the package manager's database by C(dpkg-query) or C(rpm) and changes nothing.
options:
  names: {description: Package names., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Look up enroot's packages
  slipway.containers.package_states:
    names: [enroot, enroot+caps]
"""

RETURN = r"""
ansible_facts:
  description: What is installed.
  returned: always
  type: dict
  contains:
    packages:
      description: Installed packages by name.
      type: dict
      sample: {enroot: [{name: enroot, version: 4.1.2-1, arch: amd64}]}
    packages_broken:
      description: Names of asked packages that are not wholly installed, and V(dpkg) when dpkg was interrupted.
      type: list
      elements: str
      sample: [enroot]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.containers.plugins.module_utils import packages as tools


def main():
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    names = module.params["names"]
    if module.get_bin_path("dpkg-query"):
        # Exit code 1 only says that some of the names are unknown.
        text = module.run_command(["dpkg-query", "--show", "--showformat", tools.DPKG_FORMAT, *names])[1]
        found, broken = tools.parse_dpkg(text)
        if os.listdir(tools.DPKG_JOURNAL):
            broken.append("dpkg")
        verify = ["dpkg", "--verify"]
    elif module.get_bin_path("rpm"):
        text = module.run_command(["rpm", "--query", "--queryformat", tools.RPM_FORMAT, *names])[1]
        found, broken = tools.parse_rpm(text), []
        verify = ["rpm", "--verify"]
    else:
        module.fail_json(msg="neither dpkg-query nor rpm was found: this distribution is not supported")
    for name in sorted(found):
        if tools.missing_files(module.run_command([*verify, name])[1]):
            broken.append(name)
    module.exit_json(changed=False, ansible_facts={"packages": found, "packages_broken": broken})


if __name__ == "__main__":
    main()
