#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: everything that a converge asks a node before it begins, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_facts
short_description: Read distribution, packages and Slurm of a node in one call
description:
  - Sets the facts C(distribution), C(distribution_version), C(distribution_major_version), C(os_family) and
    C(architecture) as M(ansible.builtin.setup) does, by the same code, C(packages) in the shape of
    M(ansible.builtin.package_facts), and C(slurm) as M(slipway.containers.slurm_facts).
  - Three calls in one, because on a cluster that needs nothing the calls are what a converge costs.
  - C(packages_broken) names packages that a killed dpkg left behind or whose files were deleted, which package_facts
    cannot tell from whole ones, and V(dpkg) when dpkg was interrupted.
  - Changes nothing.
options:
  packages: {description: Names of the packages to look up., type: list, elements: str, default: []}
  digests:
    description: Glob patterns of files whose SHA-256 is wanted, so that nobody asks for what a pattern has not found.
    type: list
    elements: path
    default: []
  roster: {description: Whether to ask Slurm for its nodes., type: bool, default: false}
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Look at the node
  slipway.containers.node_facts:
    packages: [enroot, enroot+caps]
    digests: [/usr/local/lib/slipway/pyxis/*/spank_pyxis.so]
"""

RETURN = r"""
ansible_facts:
  description: What was found.
  returned: always
  type: dict
  contains:
    packages:
      description: Installed packages by name.
      type: dict
      sample: {enroot: [{name: enroot, version: 4.1.2-1, arch: amd64}]}
    packages_broken:
      description: Asked packages that are not whole.
      type: list
      elements: str
      sample: [enroot]
    digests:
      description: SHA-256 by path of the files that were found.
      type: dict
      sample: {/usr/local/lib/slipway/pyxis/0.24.0-slurm-24.11/spank_pyxis.so: b94d27b9…}
    slurm:
      description: See M(slipway.containers.slurm_facts).
      type: dict
"""

import glob
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts.system.distribution import Distribution
from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.files import sha256_of
from ansible_collections.slipway.containers.plugins.module_utils.slurm_gather import gather
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Host

SYSTEM_FACTS = ("distribution", "distribution_version", "distribution_major_version", "os_family")


def system_facts(module: Any) -> dict[str, str]:
    """Return the distribution, by Ansible's own detection, and the machine's architecture."""
    found = Distribution(module).get_distribution_facts()
    return {**{name: found.get(name, "") for name in SYSTEM_FACTS}, "architecture": os.uname().machine}


def package_facts(module: Any, names: list[str]) -> dict[str, Any]:
    """Return the facts packages and packages_broken; fails where there is neither dpkg nor rpm."""
    # rpm's words are translated.
    module.run_command_environ_update = {"LC_ALL": "C"}
    if module.get_bin_path("dpkg-query"):
        # Exit code 1 only says that some of the names are unknown.
        text = module.run_command(["dpkg-query", "--show", "--showformat", tools.DPKG_FORMAT, *names])[1]
        found, broken = tools.parse_dpkg(text)
        if tools.dpkg_was_interrupted():
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
    return {"packages": found, "packages_broken": broken}


def matching_files(patterns: list[str]) -> list[str]:
    """Return the files that match one of the patterns."""
    return [path for pattern in patterns for path in sorted(glob.glob(pattern)) if os.path.isfile(path)]


def main() -> None:
    """Gather and return."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "digests": {"type": "list", "elements": "path", "default": []},
            "roster": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names = module.params["packages"]
    facts = {
        **system_facts(module),
        **(package_facts(module, names) if names else {}),
        "digests": {path: sha256_of(path) for path in matching_files(module.params["digests"])},
        "slurm": gather(Host(), module.params["roster"]),
    }
    module.exit_json(changed=False, ansible_facts=facts)


if __name__ == "__main__":
    main()
