#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: local package files in one transaction of the node's package manager."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_files
short_description: Install local package files and packages in one transaction, or remove packages
description:
  - apt on Debian and Ubuntu, dnf on RHEL and its kin; the node itself says which.
  - M(ansible.builtin.apt) takes one file a call, so packages that need each other in one exact version
    cannot be upgraded by it, and it does not recover from a dpkg that was killed.
    M(ansible.builtin.dnf) silently takes an older file for a wish to downgrade.
  - What an interrupted package manager left is repaired. Package lists are refreshed only when the first try shows
    that they are stale. A configuration file that an admin changed is kept; one that was deleted comes back.
  - No package is downgraded, and none is upgraded because it shares a source with a wanted one.
    None is removed that was not named, but by apt for the sake of O(files).
  - Without O(files) and O(packages) nothing is done.
options:
  files: {description: Paths of .deb or .rpm files on the node., type: list, elements: path, default: []}
  contents:
    description: What is written to the node first, base64 by path; for files of O(files) that are not there yet.
    type: dict
    default: {}
  packages:
    description: Names of packages, each with a version where one is wanted (C(x=1.2*) for apt, C(x-1.2*) for dnf).
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) installs O(files) and O(packages).
      - V(absent) removes O(packages), and never what needs them or what they need.
      - V(removable) changes nothing, and fails where V(absent) would, because something else needs one of them; for
        whoever takes other things apart first.
    type: str
    choices: [present, absent, removable]
    default: present
  purge:
    description: Whether V(absent) on Debian removes configuration, too. Some packages then delete data, such as
      docker.io all of C(/var/lib/docker).
    type: bool
    default: true
  hold:
    description: Those of the packages that are held at what is installed now, so that no other upgrade changes them;
      dnf does it by its plugin versionlock, which is installed where it is not there. They may be changed here
      although they are held already; what else somebody holds stays as it is.
    type: list
    elements: str
    default: []
  judged:
    description: Packages whose version comes from a repository, so that only what is installed tells it. One that is
      denied or too old then fails, with what the repository has.
    type: list
    elements: dict
    default: []
    suboptions:
      package: {description: Its name., type: str, required: true}
      denied: {description: 'Versions that are refused, each C(version), C(reason) and C(link).', type: list,
        elements: dict, default: []}
      minimum: {description: 'The oldest that is not, in the same words.', type: dict, default: {}}
      remedy: {description: What to do., type: str, required: true}
  not_started:
    description: Units that the packages must not start before they are configured. They are masked meanwhile, and
      are left disabled; whoever configures them enables and starts them.
    type: list
    elements: str
    default: []
  reinstall: {description: Unpack the files again although their version is installed., type: bool, default: false}
  delete_files: {description: Delete O(files) once they are installed., type: bool, default: false}
  repository:
    description: A directory on the node that is a repository for apt (C(Packages)) or dnf (C(repodata)). With it no
      other is asked, those of the node stay as they are, and packages need no signature.
    type: path
  lock_timeout: {description: How long to wait for another package manager (seconds)., type: int, default: 300}
attributes:
  check_mode: {support: full, description: Reports a change without making it; the caller knows that one is needed.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Install enroot
  slipway.containers.package_files:
    files: [/tmp/enroot_4.1.2-1_amd64.deb, /tmp/enroot+caps_4.1.2-1_amd64.deb]

- name: Bring a file of the control node, and install it
  slipway.containers.package_files:
    files: [/var/cache/slipway/x.deb]
    contents:
      /var/cache/slipway/x.deb: "{{ lookup('slipway.containers.file_base64', '~/x.deb') }}"

- name: Remove enroot
  slipway.containers.package_files:
    packages: [enroot+caps, enroot]
    state: absent
"""

RETURN = r"""
output:
  description: What the package manager printed.
  type: str
  returned: when changed
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils.apt import Apt
from ansible_collections.slipway.containers.plugins.module_utils.distribution import system_facts
from ansible_collections.slipway.containers.plugins.module_utils.dnf import Dnf
from ansible_collections.slipway.containers.plugins.module_utils.files import make_directories, write_atomically
from ansible_collections.slipway.containers.plugins.module_utils.versions import refusal

MANAGERS = {"Debian": Apt, "RedHat": Dnf}


def manager(module: Any) -> Any:
    """Return the package manager of this node; fails where it is none of ours."""
    found = system_facts()
    if found["os_family"] not in MANAGERS:
        module.fail_json(
            msg="%s is of the family %s, and packages are installed only on those of %s"
            % (found["distribution"], found["os_family"], " and ".join(MANAGERS))
        )
    return MANAGERS[found["os_family"]](module)


def write_contents(module: Any) -> None:
    """Write what the control node handed over; fails with the path and the cause."""
    for path, content in module.params["contents"].items():
        try:
            make_directories(os.path.dirname(path))
            write_atomically(path, base64.b64decode(content), 0o644, os.geteuid(), os.getegid())
        except OSError as error:
            module.fail_json(msg="%s cannot be written, nothing was installed: %s" % (path, error.strerror))


@contextmanager
def masked(module: Any, units: list[str]) -> Iterator[None]:
    """Keep units from being started, until the next boot at most."""
    if not units:
        yield
        return
    # A socket that listens would lose its descriptor to the mask, and its service could not be started again.
    sockets = [unit for unit in units if unit.endswith(".socket")]
    listening = [unit for unit in sockets if not module.run_command(["systemctl", "is-active", "--quiet", unit])[0]]
    kept = [unit for unit in units if unit not in listening]
    module.run_command(["systemctl", "mask", "--runtime", *kept])
    try:
        yield
    finally:
        module.run_command(["systemctl", "unmask", "--runtime", *kept])


def judge(module: Any, packages: Any) -> None:
    """Fail for what is there now in a version that is refused."""
    for wanted in module.params["judged"]:
        for version in packages.versions_of(wanted["package"]):
            refused = refusal(version, wanted["denied"], wanted["minimum"])
            if refused:
                told = "%s %s is what the node's repositories have, and it %s. Allowed is %s: %s."
                module.fail_json(msg=told % (wanted["package"], version, *refused, wanted["remedy"]))


def install(module: Any) -> None:
    """Install, and report it."""
    if module.check_mode:
        module.exit_json(changed=True)
    write_contents(module)
    with masked(module, module.params["not_started"]):
        packages = manager(module)
        with packages.released():
            output = packages.install()
        if module.params["hold"]:
            packages.hold()
    if module.params["delete_files"]:
        for path in module.params["files"]:
            os.unlink(path)
    judge(module, packages)
    module.exit_json(changed=True, output=output)


def remove(module: Any) -> None:
    """Remove what is there, and report it."""
    packages = manager(module)
    names = packages.installed()
    if module.params["state"] == "removable":
        if names:
            packages.remove(names, act=False)
        module.exit_json(changed=False)
    if not names or module.check_mode:
        module.exit_json(changed=bool(names))
    module.exit_json(changed=True, output=packages.remove(names))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "path", "default": []},
            # Not a secret; but nobody reads it in a log.
            "contents": {"type": "dict", "default": {}, "no_log": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent", "removable"], "default": "present"},
            "purge": {"type": "bool", "default": True},
            "hold": {"type": "list", "elements": "str", "default": []},
            "judged": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "package": {"type": "str", "required": True},
                    "denied": {"type": "list", "elements": "dict", "default": []},
                    "minimum": {"type": "dict", "default": {}},
                    "remedy": {"type": "str", "required": True},
                },
            },
            "not_started": {"type": "list", "elements": "str", "default": []},
            "reinstall": {"type": "bool", "default": False},
            "delete_files": {"type": "bool", "default": False},
            "repository": {"type": "path"},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    if not module.params["files"] and not module.params["packages"]:
        module.exit_json(changed=False)
    if module.params["state"] != "present":
        remove(module)
    install(module)


if __name__ == "__main__":
    main()
