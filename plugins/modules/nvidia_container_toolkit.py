#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: what the NVIDIA container toolkit needs on a node besides its packages and files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_container_toolkit
short_description: Keep the toolkit's configuration, CDI specification and services, in one call
description:
  - The CDI specification is made by C(nvidia-ctk cdi generate) where it is not that of the GPUs, the MIG devices
    and the driver that are there now. It is left alone on a node whose driver is not loaded.
  - Keys of C(config.toml) are set by C(nvidia-ctk config), whose answer is written only where it differs.
  - C(nvidia-cdi-refresh) makes the specification anew at every boot and is kept enabled; so is the persistence
    daemon where it is installed. The module C(nvidia_uvm) is loaded where the driver is, and CUDA's device is not.
options:
  state:
    description: V(absent) deletes the specification and C(config.toml), which packages leave behind.
    type: str
    choices: [present, absent]
    default: present
  config: {description: Dotted keys of C(config.toml) and their values., type: dict, default: {}}
  persistence: {description: Whether the persistence daemon is to run., type: bool, default: true}
  started: {description: Whether the services are to run now; with false only from the next boot on., type: bool,
    default: true}
  config_file: {description: The toolkit's configuration., type: path,
    default: /etc/nvidia-container-runtime/config.toml}
  cdi_file: {description: The specification., type: path, default: /var/run/cdi/nvidia.yaml}
  originals: {description: Where what stood there before is kept., type: path, default: /var/lib/slipway/original}
attributes:
  check_mode: {support: full, description: Reports what would change.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Keep the toolkit as declared
  slipway.containers.nvidia_container_toolkit:
    config: {nvidia-container-cli.no-cgroups: false}
"""

RETURN = r"""
changes:
  description: What was (or would be) done, and why.
  type: list
  elements: str
  returned: always
  sample: ['the CDI specification: there is none']
driver:
  description: The version of the loaded driver, empty where none is loaded.
  type: str
  returned: always
"""

import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import command, nvidia_facts, nvidia_toolkit
from ansible_collections.slipway.containers.plugins.module_utils import files as tools
from ansible_collections.slipway.containers.plugins.module_utils.nvidia_facts import PROGRAM, read

PROGRAM_SECONDS = 120


class Refusal(Exception):
    """Something that could not be done; the message says why and what to do."""


def run(arguments: list[str]) -> str:
    """Return what a program prints; raises Refusal where it fails."""
    output = command.run(arguments, PROGRAM_SECONDS)
    if not output.succeeded:
        said = (output.stderr.strip() or output.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Refusal("`%s` %s: %s" % (
            " ".join(arguments), "did not end within %d s" % PROGRAM_SECONDS if output.timed_out else "failed", said
        ))
    return output.stdout


class Toolkit:
    """The toolkit on this node; every method looks first and returns what it changed."""

    def __init__(self, params: dict[str, Any], check_mode: bool):
        """Take the module's parameters, and look which driver and GPUs there are."""
        self.params = params
        self.check_mode = check_mode
        self.driver = nvidia_facts.driver()
        self.gpus = nvidia_facts.gpus()

    def present(self) -> list[str]:
        """Make everything as declared; raises Refusal, OSError or ValueError."""
        if not shutil.which(PROGRAM, path=command.SEARCH_PATH):
            if self.check_mode:
                return ["everything that needs the packages"]
            raise Refusal("%s is not installed: the package nvidia-container-toolkit-base has it" % PROGRAM)
        return [*self.keep_config(), *self.load_uvm(), *self.keep_units(), *self.keep_specification()]

    def keep_config(self) -> list[str]:
        """Set the declared keys of config.toml."""
        path, config = self.params["config_file"], self.params["config"]
        if not config:
            return []
        arguments = nvidia_toolkit.set_arguments(config)
        wanted = run([PROGRAM, "--quiet", "config", "--config-file=%s" % path, *arguments])
        if wanted == read(path):
            return []
        if not self.check_mode:
            tools.make_directories(os.path.dirname(path))
            tools.keep_original(path, self.params["originals"])
            tools.write_atomically(path, wanted.encode("utf-8", "surrogateescape"), 0o644, 0, 0)
        return ["%s: %s" % (path, ", ".join(sorted(map(str, config))))]

    def load_uvm(self) -> list[str]:
        """Have CUDA's device where the driver is: a container's user could not make it."""
        if not self.driver or nvidia_facts.cuda_device():
            return []
        if not self.check_mode:
            run(["modprobe", "nvidia_uvm"])
            # Makes the device node, too; without the program the driver's udev rules do.
            command.run(["nvidia-modprobe", "-u", "-c=0"], PROGRAM_SECONDS)
        return ["the kernel module nvidia_uvm: it was not loaded"]

    def keep_units(self) -> list[str]:
        """Have the services enabled and running."""
        units = nvidia_toolkit.parse_units(run(nvidia_facts.show_command()))
        actions = nvidia_toolkit.unit_actions(
            units, self.params["persistence"], bool(self.driver or self.gpus), self.params["started"]
        )
        for verb, name in actions:
            if not self.check_mode:
                run(["systemctl", verb, name])
        return ["%s: %s" % (name, verb) for verb, name in actions]

    def keep_specification(self) -> list[str]:
        """Have the CDI specification that belongs to the GPUs and the driver of now."""
        path = self.params["cdi_file"]
        if not self.driver and not self.gpus:
            return []
        before = read(path)
        problem = nvidia_facts.specification_problem(path)
        if not problem:
            return []
        if not self.check_mode:
            run([PROGRAM, "--quiet", "cdi", "generate", "--output=%s" % path])
            # A GPU without any MIG instance is in no specification, and making it again changes nothing.
            if read(path) == before:
                return []
        return ["the CDI specification: %s" % problem]

    def absent(self) -> list[str]:
        """Delete what the packages leave behind when they are purged."""
        changes = []
        for path in (self.params["cdi_file"], self.params["config_file"]):
            if not os.path.lexists(path):
                continue
            changes.append("%s: deleted" % path)
            if not self.check_mode:
                os.unlink(path)
                if not os.listdir(os.path.dirname(path)):
                    os.rmdir(os.path.dirname(path))
        if not self.check_mode:
            # Its program is gone, so nothing is put back.
            tools.forget_original(self.params["config_file"], self.params["originals"])
        return changes


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "config": {"type": "dict", "default": {}},
            "persistence": {"type": "bool", "default": True},
            "started": {"type": "bool", "default": True},
            "config_file": {"type": "path", "default": "/etc/nvidia-container-runtime/config.toml"},
            "cdi_file": {"type": "path", "default": nvidia_facts.CDI_FILE},
            "originals": {"type": "path", "default": tools.ORIGINALS},
        },
        supports_check_mode=True,
    )
    toolkit = Toolkit(module.params, module.check_mode)
    try:
        changes = toolkit.present() if module.params["state"] == "present" else toolkit.absent()
    except (Refusal, ValueError, OSError) as error:
        module.fail_json(msg=str(error), driver=toolkit.driver)
    module.exit_json(changed=bool(changes), changes=changes, driver=toolkit.driver)


if __name__ == "__main__":
    main()
