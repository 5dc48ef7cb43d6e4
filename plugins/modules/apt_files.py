#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: local package files in one apt transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_files
short_description: Install local .deb files and packages in one apt transaction
description:
  - M(ansible.builtin.apt) takes one file a call, so packages that need each other in one exact version
    cannot be upgraded by it, and it does not recover from a dpkg that was killed.
  - An interrupted dpkg is repaired first. Package lists are refreshed only when the first try shows that they are
    stale. A configuration file that an admin changed is kept; one that was deleted comes back.
  - Without O(files) and O(packages) nothing is done.
options:
  files: {description: Paths of .deb files on the node., type: list, elements: path, default: []}
  contents:
    description: What is written to the node first, base64 by path; for files of O(files) that are not there yet.
    type: dict
    default: {}
  packages: {description: Names of packages of the node's repositories., type: list, elements: str, default: []}
  reinstall: {description: Unpack the files again although their version is installed., type: bool, default: false}
  delete_files: {description: Delete O(files) once they are installed., type: bool, default: false}
  lock_timeout: {description: How long to wait for another package manager (seconds)., type: int, default: 300}
attributes:
  check_mode: {support: full, description: Reports a change without making it; the caller knows that one is needed.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Install enroot
  slipway.containers.apt_files:
    files: [/tmp/enroot_4.1.2-1_amd64.deb, /tmp/enroot+caps_4.1.2-1_amd64.deb]

- name: Bring a file of the control node, and install it
  slipway.containers.apt_files:
    files: [/var/cache/slipway/x.deb]
    contents:
      /var/cache/slipway/x.deb: "{{ lookup('slipway.containers.file_base64', '~/x.deb') }}"
"""

RETURN = r"""
output:
  description: What apt-get printed.
  type: str
  returned: when changed
"""

import base64
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import packages as tools
from ansible_collections.slipway.containers.plugins.module_utils.files import make_directories, write_atomically

# UCF and confold keep what an admin edited; confmiss brings back a configuration file that was deleted.
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
}
LOCK_PAUSE = 5
CONFIGURATION_OPTIONS = ["--force-confdef", "--force-confold", "--force-confmiss"]


class Apt:
    """apt-get and dpkg on this node; every method raises SystemExit through ``fail_json``."""

    def __init__(self, module: Any):
        """Take the lock's patience from the module's parameters."""
        self.module = module
        self.lock = ["-o", "DPkg::Lock::Timeout=%d" % module.params["lock_timeout"]]
        self.configuration = [word for option in CONFIGURATION_OPTIONS for word in ("-o", "Dpkg::Options::=" + option)]

    def run(self, command: list[str]) -> tuple[int, str]:
        """Return (exit code, stdout and stderr together)."""
        code, out, error = self.module.run_command(command, environ_update=ENVIRONMENT)
        return code, out + error

    def broken(self) -> list[str]:
        """Return the names of all packages that are not wholly installed."""
        text: str = self.module.run_command(["dpkg-query", "--show", "--showformat", tools.DPKG_FORMAT])[1]
        return tools.parse_dpkg(text)[1]

    def repair(self) -> None:
        """Finish what a killed dpkg left: journal, unconfigured packages, and half-unpacked ones of ours."""
        files = self.module.params["files"]
        if not self.broken() and not tools.dpkg_was_interrupted():
            return
        self.run(["dpkg", *CONFIGURATION_OPTIONS, "--configure", "-a"])
        # Somebody else's package may stay broken for reasons of its own; that is not ours to mend.
        if set(self.broken()) & {os.path.basename(path).split("_")[0] for path in files}:
            # A half-unpacked package must be unpacked again from its file before apt works at all.
            self.run(["dpkg", *CONFIGURATION_OPTIONS, "--force-depends", "--unpack", *files])
            self.run(["apt-get", "-y", *self.lock, *self.configuration, "--fix-broken", "install"])

    def update(self) -> str:
        """Refresh the package lists; returns what was printed. apt does not wait for this lock by itself."""
        end = time.monotonic() + self.module.params["lock_timeout"]
        while True:
            code, output = self.run(["apt-get", "-y", *self.lock, "update"])
            if not code or not tools.lists_are_locked(output) or time.monotonic() >= end:
                return output
            time.sleep(LOCK_PAUSE)

    def install(self) -> str:
        """Install everything in one transaction; returns apt-get's output."""
        params = self.module.params
        command = ["apt-get", "-y", "--no-install-recommends", *self.lock, *self.configuration]
        command += ["--reinstall"] if params["reinstall"] else []
        # apt takes a word with a slash for a file.
        command += ["install", *[os.path.abspath(path) for path in params["files"]], *params["packages"]]
        code, output = self.run(command)
        updated = ""
        if code and tools.lists_are_stale(output):
            updated = self.update()
            code, output = self.run(command)
        if code:
            # What went wrong with the lists is why the second try failed like the first.
            output = updated + output
            wanted = [os.path.basename(path) for path in params["files"]] + params["packages"]
            self.module.fail_json(
                msg="cannot install %s: %s" % (", ".join(wanted), tools.explain_apt_failure(output)),
                output=output,
                rc=code,
            )
        return output


def write_contents(module: Any) -> None:
    """Write what the control node handed over; fails with the path and the cause."""
    for path, content in module.params["contents"].items():
        try:
            make_directories(os.path.dirname(path))
            write_atomically(path, base64.b64decode(content), 0o644, os.geteuid(), os.getegid())
        except OSError as error:
            module.fail_json(msg="%s cannot be written, nothing was installed: %s" % (path, error.strerror))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "path", "default": []},
            # Not a secret; but nobody reads it in a log.
            "contents": {"type": "dict", "default": {}, "no_log": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "reinstall": {"type": "bool", "default": False},
            "delete_files": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    if not module.params["files"] and not module.params["packages"]:
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)
    write_contents(module)
    apt = Apt(module)
    apt.repair()
    output = apt.install()
    if module.params["delete_files"]:
        for path in module.params["files"]:
            os.unlink(path)
    module.exit_json(changed=True, output=output)


if __name__ == "__main__":
    main()
