#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Documentation of the action plugin of this name, which does the work on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: storage_facts
short_description: Choose where a node keeps the data of its container runtimes
description:
  - Takes the first candidate that is a mount point of its own, of a local filesystem, writable, executable
    and with room, and returns it as the fact C(storage). A directory that merely exists is not taken.
  - The root directory is a mount point too, so that V(/) as last candidate is a fallback. What is judged then is
    the filesystem that holds C(/var/lib/slipway/data).
  - A candidate that already holds a directory C(slipway) is kept although its space ran low, because moving the data
    would orphan what is there; the shortage is returned as a warning.
  - While a candidate further down holds images, containers or caches, and those before it no directory C(slipway),
    it is kept, too; a warning says how to move to the better one, which was mounted later.
  - Chooses among the C(data_mounts) that M(slipway.containers.node_facts) has found, and asks the node nothing.
options:
  candidates: {description: Mount points in order of preference., type: list, elements: path, required: true}
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
