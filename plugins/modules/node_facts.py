#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: everything that a converge asks a node before it begins, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_facts
short_description: Read distribution, packages, accelerators and Slurm of a node in one call
description:
  - Sets the facts C(distribution), C(distribution_release), C(distribution_version), C(distribution_major_version),
    C(os_family) and C(architecture) as M(ansible.builtin.setup) does, by the same code, C(packages) in the shape of
    M(ansible.builtin.package_facts), and C(slurm) as M(slipway.containers.slurm_facts).
  - Several calls in one, because on a cluster that needs nothing the calls are what a converge costs.
  - C(packages_broken) names packages that a killed dpkg or rpm left behind or whose files were deleted, which
    package_facts cannot tell from whole ones, and V(dpkg) when dpkg was interrupted.
  - C(data_mounts) and C(data_directories) are what M(slipway.containers.storage_facts) chooses among.
  - C(apt_archives) names the archives that apt knows by its own configuration, none where there is no apt, and
    C(apt_own_archive) the one of them that a Debian node takes its own release from.
  - C(packages_held) names those of the packages that the package manager holds at their version.
  - C(gpu) says whose accelerators the node has, from its PCI bus or from O(gpu_vendor).
  - Changes nothing.
options:
  packages: {description: Names of the packages to look up., type: list, elements: str, default: []}
  files:
    description: Glob patterns of paths to look at, beside the directories for data and what lies in them.
    type: list
    elements: path
    default: []
  gpu_vendor:
    description:
      - V(nvidia), V(amd), V(neuron) or V(none) where the inventory knows better than the PCI bus.
        Any other word has the bus decide, and is refused elsewhere.
    type: str
    default: auto
  roster: {description: Whether to ask Slurm for its nodes., type: bool, default: false}
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Look at the node
  slipway.containers.node_facts:
    packages: [enroot, enroot+caps]
    files: [/etc/tmpfiles.d/slipway-*.conf, /usr/local/lib/slipway/pyxis/*/spank_pyxis.so]
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
    files:
      description: What was found, by path; C(sha256) of files up to 16 MiB, C(target) of symbolic links.
      type: dict
      sample: {/etc/tmpfiles.d/slipway-storage.conf: {kind: file, mode: '0644', owner: 0, group: 0, sha256: b94d…}}
    data_mounts:
      description: Every mount, and the room on those that are fit for data.
      type: list
      elements: dict
      sample: [{point: /scratch, filesystem: xfs, options: [rw], free_bytes: 872343318528, free_inodes: 426000000}]
    data_directories:
      description: Directories for the data of container runtimes that are there.
      type: list
      elements: str
      sample: [/scratch/slipway]
    apt_archives:
      description: The archives of packages that apt knows. C(keyring) is empty where none is named by its path.
      type: list
      elements: dict
      sample: [{uri: 'http://deb.debian.org/debian/', suite: trixie, component: main,
        keyring: /usr/share/keyrings/debian-archive-keyring.gpg, file: /etc/apt/sources.list.d/debian.sources}]
    apt_own_archive:
      description: The archive of the node's own Debian release, and Debian's public one where none is found.
      type: dict
      sample: {uri: 'http://deb.debian.org/debian/', keyring: /usr/share/keyrings/debian-archive-keyring.gpg}
    packages_held:
      description: Asked packages that no upgrade changes.
      type: list
      elements: str
      sample: [nvidia-container-toolkit]
    gpu:
      description: Whose accelerators there are, how many, and who says so.
      type: dict
      sample: {vendor: nvidia, count: 8, source: pci}
    apparmor:
      description: Whether only programs with a profile may make user namespaces, and the loaded profiles.
      type: dict
      sample: {restricts_user_namespaces: true, profiles: [enroot]}
    slurm:
      description: See M(slipway.containers.slurm_facts).
      type: dict
"""

import glob
import os
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import apparmor, gpu, mounts
from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.distribution import system_facts
from ansible_collections.slipway.containers.plugins.module_utils.files import sha256_of
from ansible_collections.slipway.containers.plugins.module_utils.slurm_gather import gather
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Host

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
# Nothing that a converge compares is larger (bytes).
LARGEST = 16 << 20
# Only what is missing is read from it, and without checksums rpm does not read every file of a package.
VERIFY_RPM = ["--nodeps", "--nodigest", "--nosignature", "--nofiledigest", "--noscripts"]
# dnf's plugin versionlock has no query that is cheaper than its file.
VERSIONLOCK = "/etc/dnf/plugins/versionlock.list"


def apt_archives(module: Any) -> list[dict[str, str]]:
    """Return the archives that apt knows, by apt's own reading of its configuration."""
    if not module.get_bin_path("apt-get"):
        return []
    command = ["apt-get", "indextargets", "--format", tools.APT_TARGETS_FORMAT, "Created-By: Packages"]
    return tools.parse_apt_targets(module.run_command(command)[1])


def package_facts(module: Any, names: list[str], family: str) -> dict[str, Any]:
    """Return the facts packages, packages_broken and packages_held.

    A node may have both dpkg and rpm; its family says by which of them packages are installed.
    """
    # rpm's words are translated.
    module.run_command_environ_update = {"LC_ALL": "C"}
    if family == "Debian":
        # Exit code 1 only says that some of the names are unknown.
        text = module.run_command(["dpkg-query", "--show", "--showformat", tools.DPKG_FORMAT, *names])[1]
        found, broken = tools.parse_dpkg(text)
        held = tools.held_by_dpkg(text)
        if tools.dpkg_was_interrupted():
            broken.append("dpkg")
        verify = ["dpkg", "--verify"]
    elif family == "RedHat":
        text = module.run_command(["rpm", "--query", "--queryformat", tools.RPM_FORMAT, *names])[1]
        found = tools.parse_rpm(text)
        broken = tools.listed_twice(found)
        held = tools.held_by_versionlock(read(VERSIONLOCK), names)
        verify = ["rpm", "--verify", *VERIFY_RPM]
    else:
        # Preflight says of every role which distributions it supports.
        return {"packages": {}, "packages_broken": [], "packages_held": []}
    for name in sorted(found):
        if tools.missing_files(module.run_command([*verify, name])[1]):
            broken.append(name)
    return {"packages": found, "packages_broken": broken, "packages_held": held}


def read(path: str) -> str:
    """Return a file's text, nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def file_facts(patterns: list[str]) -> dict[str, dict[str, Any]]:
    """Return kind, mode, owner, group and content of every path that matches; one that goes meanwhile is left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
        try:
            status = os.lstat(path)
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
            mode = "%04o" % stat.S_IMODE(status.st_mode)
            entry = {"kind": kind, "mode": mode, "owner": status.st_uid, "group": status.st_gid}
            if kind == "link":
                entry["target"] = os.readlink(path)
            elif kind == "file" and status.st_size <= LARGEST:
                entry["sha256"] = sha256_of(path)
        except FileNotFoundError:
            continue
        found[path] = entry
    return found


def read_mountinfo() -> str:
    """Return what the kernel says of this node's mounts."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as stream:
        return stream.read()


def main() -> None:
    """Gather and return."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
            "gpu_vendor": {"type": "str", "default": "auto"},
            "roster": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names = module.params["packages"]
    survey = mounts.survey(mounts.parse_mountinfo(read_mountinfo()))
    data = survey["data_directories"]
    system, archives = system_facts(module), apt_archives(module)
    facts = {
        **system,
        **(package_facts(module, names, system["os_family"]) if names else {}),
        **survey,
        "apt_archives": archives,
        "apt_own_archive": tools.own_archive(archives, system["distribution_release"]),
        "files": file_facts(module.params["files"] + [path + end for path in data for end in ("", "/*")]),
        "gpu": gpu.gather(module.params["gpu_vendor"]),
        "apparmor": apparmor.gather(),
        "slurm": gather(Host(), module.params["roster"]),
    }
    module.exit_json(changed=False, ansible_facts=facts)


if __name__ == "__main__":
    main()
