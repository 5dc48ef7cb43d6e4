#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: everything that a converge asks a node before it begins, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_facts
short_description: Read distribution, packages, accelerators and Slurm of a node in one call
description:
  - Sets the facts C(distribution), C(distribution_release), C(distribution_version), C(distribution_major_version),
    C(os_family) and C(architecture) in the words of M(ansible.builtin.setup), C(packages) in the shape of
    M(ansible.builtin.package_facts), and C(slurm) as M(slipway.containers.slurm_facts).
  - Several calls in one, because on a cluster that needs nothing the calls are what a converge costs.
  - C(packages_broken) names packages that a killed dpkg or rpm left behind or whose files were deleted, which
    package_facts cannot tell from whole ones, and V(dpkg) when dpkg was interrupted.
  - C(data_mounts) and C(data_directories) are what M(slipway.containers.storage_facts) chooses among.
  - C(apt_archives) names the archives that apt knows, and those that its files name before it has fetched anything or
    while it refuses them; none where there is no apt. C(apt_own_archive) is the one of them that a Debian node takes
    its own release from.
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
  settings:
    description: Patterns of more files, those with keys; the keys of a file with a secret in it are left out.
    type: list
    elements: path
    default: []
  accounts: {description: 'Names of accounts that may have to be in a group.', type: list, elements: str, default: []}
  subid_users: {description: Users who may have to have ranges of subordinate ids., type: list, elements: str,
    default: []}
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
    files: [/etc/profile.d/slipway-*, /usr/local/lib/slipway/pyxis/*/spank_pyxis.so]
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
      description: What was found, by path; C(sha256) of files up to 16 MiB, C(target) of symbolic links,
        C(capabilities) as they are stored, in hexadecimal digits, and C(lines) of O(settings) without comments.
      type: dict
      sample: {/etc/systemd/system/slipway-storage.service: {kind: file, mode: '0644', owner: 0, group: 0,
        group_name: root, sha256: b94d…}}
    files_asked:
      description: The patterns that were looked at.
      type: list
      elements: str
      sample: [/usr/bin/enroot-*]
    originals:
      description: Paths of which the node keeps what stood there before Slipway.
      type: list
      elements: str
      sample: [/etc/enroot/enroot.conf]
    docker:
      description: The keys of daemon.json (null where it holds a secret or cannot be read), the names of those that
        each role wrote, whether the services run what their files say, the group docker (null where there is none), and
        the wanted accounts' own groups.
      type: dict
      sample: {keys: {live-restore: true}, written: {docker: [live-restore]}, settled: true,
        group: {number: 996, members: [ada], local: true}, accounts: {ada: 2001}}
    pyxis_proven:
      description: Whether the one registration of pyxis that Slurm reads works as it stands, seen in the help of srun
        and sbatch.
      type: bool
      sample: true
    subid_served: {description: The wanted users who have their ranges., type: list, elements: str, sample: [ada]}
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
    data_in_use:
      description: Those of them that hold images, containers or caches.
      type: list
      elements: str
      sample: [/scratch/slipway]
    apt_archives:
      description: The archives of packages that apt or its files name. C(keyring) is empty where none is named by its
        path.
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
    nvidia:
      description: On a node with NVIDIA GPUs, what its container toolkit works with; null on others, and C(units) null
        where systemd does not answer.
      type: dict
      sample: {driver: 550.54.15, gpus: [0, 1], cuda_device: true, specification_problem: '', units: {}}
    apparmor:
      description: Whether only programs with a profile may make user namespaces, and the loaded profiles.
      type: dict
      sample: {restricts_user_namespaces: true, profiles: [enroot]}
    slurm:
      description: See M(slipway.containers.slurm_facts).
      type: dict
"""

import glob
import grp
import os
import re
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    apparmor,
    apt_sources,
    docker_facts,
    gpu,
    mounts,
    nvidia_facts,
    settings,
    spank_live,
    subid_files,
)
from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.distribution import system_facts
from ansible_collections.slipway.containers.plugins.module_utils.files import (
    ORIGINALS,
    read_capabilities,
    sha256_of,
)
from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret
from ansible_collections.slipway.containers.plugins.module_utils.slurm_gather import gather
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Host

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket"}
# What runtimes keep on the storage, and what is in it where users have directories of their own there.
DATA_PLACES = ("", "/*", "/enroot/*", "/apptainer/*")
APT_FILES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")
# What ends a key, as in "KEY value" and "allow setuid = yes".
KEY = re.compile(r"\s*=|\s")
# Nothing that a converge compares is larger (bytes).
LARGEST = 16 << 20
# Only what is missing is read from it, and without checksums rpm does not read every file of a package.
VERIFY_RPM = ["--nodeps", "--nodigest", "--nosignature", "--nofiledigest", "--noscripts"]


def apt_archives(module: Any) -> list[dict[str, str]]:
    """Return the archives that apt knows, and those that its files name and it has not fetched or refuses."""
    if not module.get_bin_path("apt-get"):
        return []
    command = ["apt-get", "indextargets", "--format", tools.APT_TARGETS_FORMAT, "Created-By: Packages"]
    fetched = tools.parse_apt_targets(module.run_command(command)[1])
    texts = {path: read(path) for pattern in APT_FILES for path in sorted(glob.glob(pattern))}
    return apt_sources.together(fetched, apt_sources.archives(texts, os.uname().machine))


def package_facts(module: Any, names: list[str], family: str) -> dict[str, Any]:
    """Return the facts packages, packages_broken and packages_held.

    A node may have both dpkg and rpm; its family says by which of them packages are installed.
    """
    # rpm's words are translated.
    module.run_command_environ_update = {"LC_ALL": "C"}
    if family == "Debian":
        # Exit code 1 only says that some of the names are unknown.
        text = module.run_command(["dpkg-query", "--show", "--showformat", tools.DPKG_FILES_FORMAT, *names])[1]
        found, broken = tools.parse_dpkg(text)
        held = tools.held_by_dpkg(text)
        if tools.dpkg_was_interrupted():
            broken.append("dpkg")
        # dpkg reads every file of a package that it verifies, so it is asked only where something seems to be missing.
        suspects = tools.lacking_by_dpkg(text) & set(found)
        verify = ["dpkg", "--verify"]
    elif family == "RedHat":
        text = module.run_command(["rpm", "--query", "--queryformat", tools.RPM_FORMAT, *names])[1]
        found = tools.parse_rpm(text)
        broken = tools.listed_twice(found)
        held = tools.held_by_versionlock(read(tools.VERSIONLOCK), names)
        suspects = set(found)
        verify = ["rpm", "--verify", *VERIFY_RPM]
    else:
        # Preflight says of every role which distributions it supports.
        return {"packages": {}, "packages_broken": [], "packages_held": []}
    for name in sorted(suspects):
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


def group_name(number: int) -> str:
    """Return a group's name, its number where it has none."""
    try:
        return "root" if number == 0 else grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def lines_of(path: str) -> list[str] | None:
    """Return the lines with keys of a file, None where they cannot be compared or one of them may hold a secret."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            lines = settings.telling_lines(stream.read())
    except UnicodeDecodeError:
        return None
    return None if lines is None or any(is_secret(KEY.split(line.lstrip())[0]) for line in lines) else lines


def original_paths(originals: str = ORIGINALS) -> list[str]:
    """Return the paths of which the node keeps what stood there before Slipway."""
    return sorted(
        os.path.join(directory, name)[len(originals) :]
        for directory, _directories, names in os.walk(originals)
        for name in names
    )


def file_facts(patterns: list[str], with_lines: bool = False) -> dict[str, dict[str, Any]]:
    """Return kind, mode, owner, group and content of every path that matches; one that goes meanwhile is left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
        try:
            status = os.lstat(path)
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
            mode = "%04o" % stat.S_IMODE(status.st_mode)
            entry: dict[str, Any] = {"kind": kind, "mode": mode, "owner": status.st_uid, "group": status.st_gid}
            entry["group_name"] = group_name(status.st_gid)
            if kind == "link":
                entry["target"] = os.readlink(path)
            elif kind == "file" and status.st_size <= LARGEST:
                entry["sha256"] = sha256_of(path)
                if with_lines:
                    entry["lines"] = lines_of(path)
            capabilities = read_capabilities(path) if kind == "file" else b""
            if capabilities:
                entry["capabilities"] = capabilities.hex()
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
            "settings": {"type": "list", "elements": "path", "default": []},
            "accounts": {"type": "list", "elements": "str", "default": []},
            "subid_users": {"type": "list", "elements": "str", "default": []},
            "gpu_vendor": {"type": "str", "default": "auto"},
            "roster": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names = module.params["packages"]
    survey = mounts.survey(mounts.parse_mountinfo(read_mountinfo()))
    data = survey["data_directories"]
    asked = module.params["files"] + [path + end for path in data for end in DATA_PLACES]
    slurm = gather(Host(), module.params["roster"])
    system, archives = system_facts(), apt_archives(module)
    accelerators = gpu.gather(module.params["gpu_vendor"])
    facts = {
        **system,
        **(package_facts(module, names, system["os_family"]) if names else {}),
        **survey,
        "apt_archives": archives,
        "apt_own_archive": tools.own_archive(archives, system["distribution_release"]),
        "files": {**file_facts(asked), **file_facts(module.params["settings"], with_lines=True)},
        "files_asked": asked + module.params["settings"],
        "originals": original_paths(),
        "docker": docker_facts.gather(module.params["accounts"]),
        "subid_served": subid_files.served(module.params["subid_users"]),
        "gpu": accelerators,
        "nvidia": nvidia_facts.gather(accelerators["vendor"]),
        "apparmor": apparmor.gather(),
        "slurm": slurm,
        "pyxis_proven": spank_live.registration_proven(slurm),
    }
    module.exit_json(changed=False, ansible_facts=facts)


if __name__ == "__main__":
    main()
