#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: where the data of all container runtimes goes on this node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: storage_facts
short_description: Choose where a node keeps the data of its container runtimes
description:
  - Takes the first candidate that is a mount point of its own, of a local filesystem, writable, executable
    and with room, and returns it as the fact C(storage). A directory that merely exists is not taken.
  - The root directory is a mount point too, so that V(/) as last candidate is a fallback. What is judged then is
    the filesystem that holds O(root_directory).
  - A candidate that already holds O(subdirectory) is kept although its space ran low, because moving the data
    would orphan what is there; the shortage is returned as a warning.
options:
  candidates: {description: Mount points in order of preference., type: list, elements: path, required: true}
  subdirectory: {description: Directory below the chosen mount point., type: str, default: slipway}
  root_directory: {description: The directory used when the choice is V(/)., type: path, default: /var/lib/slipway/data}
  minimum_free_gib: {description: Free space a candidate must have (GiB)., type: float, default: 0}
  minimum_free_inodes: {description: Free inodes a candidate must have., type: int, default: 0}
attributes:
  check_mode: {support: full, description: Changes nothing.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Choose where data goes
  slipway.containers.storage_facts:
    candidates: [/opt/dlami/nvme, /scratch, /]
"""

RETURN = r"""
ansible_facts:
  description: The choice.
  returned: always
  type: dict
  contains:
    storage:
      description: The choice, and why the others were not taken.
      type: dict
      sample: {root: /scratch/slipway, mount_point: /scratch, filesystem: xfs, free_gib: 812.4,
        rejected: [{path: /opt/dlami/nvme, reason: nothing is mounted there}]}
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import mounts as tools


def directory_of(candidate: str, params: dict[str, Any]) -> str:
    """Return the directory that a candidate stands for."""
    if os.path.normpath(candidate) == "/":
        return os.path.normpath(str(params["root_directory"]))
    return os.path.join(os.path.normpath(candidate), params["subdirectory"])


def choose(
    params: dict[str, Any], mounts: dict[str, tools.Mount]
) -> tuple[tools.Judgement | None, list[dict[str, str]], list[str]]:
    """Return (judgement or None, rejected, warnings)."""
    rejected: list[dict[str, str]] = []
    warnings: list[str] = []
    for candidate in params["candidates"]:
        directory = directory_of(candidate, params)
        free_bytes = int(params["minimum_free_gib"] * 2**30)
        judgement = tools.judge(candidate, directory, mounts, free_bytes, params["minimum_free_inodes"])
        in_use = judgement.space is not None and os.path.isdir(directory)
        if judgement.reason and in_use:
            warnings.append(
                "%s runs low: %s. Free some: it already holds data and is kept." % (candidate, judgement.reason)
            )
        if not judgement.reason or in_use:
            return judgement, rejected, warnings
        rejected.append({"path": candidate, "reason": judgement.reason})
    return None, rejected, warnings


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "candidates": {"type": "list", "elements": "path", "required": True},
            "subdirectory": {"type": "str", "default": "slipway"},
            "root_directory": {"type": "path", "default": "/var/lib/slipway/data"},
            "minimum_free_gib": {"type": "float", "default": 0},
            "minimum_free_inodes": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        mounts = tools.parse_mountinfo(stream.read())
    chosen, rejected, warnings = choose(module.params, mounts)
    if chosen is None or chosen.mount is None or chosen.space is None:
        reasons = "; ".join("%s: %s" % (entry["path"], entry["reason"]) for entry in rejected)
        module.fail_json(
            msg="storage_candidates: none is usable (%s). Mount one, free space, or add '/' as the last candidate."
            % (reasons or "the list is empty")
        )
        return
    for warning in warnings:
        module.warn(warning)
    fact = {
        "root": directory_of(chosen.path, module.params),
        "mount_point": chosen.mount.point,
        "filesystem": chosen.mount.filesystem,
        "free_gib": round(chosen.space.free_bytes / 2**30, 1),
        "rejected": rejected,
    }
    module.exit_json(changed=False, ansible_facts={"storage": fact})


if __name__ == "__main__":
    main()
