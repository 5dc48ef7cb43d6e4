#!/usr/bin/python
# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of the action plugin of this name, which does the work on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Judge all inputs of components for one host
description:
  - Judges types, choices, required and unknown inputs, removed names, denied versions and the distribution.
  - Runs on the control node and touches nothing. It reports and never fails, so that all hosts can be judged first.
  - The inputs come from C(roles/*/meta/argument_specs.yml), the rest from C(roles/*/vars/main.yml)
    and C(roles/*/vars/<os_family>.yml).
author: Slipway contributors
options:
  components:
    description: The roles whose inputs count for this host. One that is V(unmanaged) is skipped.
    type: list
    elements: str
    required: true
  roles_path:
    description: Where the roles are, if not in this collection.
    type: path
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
"""

EXAMPLES = r"""
- name: Judge the inputs
  slipway.containers.preflight:
    components: [storage, enroot, pyxis]
  register: __preflight

- name: Stop before any change
  ansible.builtin.fail:
    msg: "{{ __preflight_problems | slipway.containers.preflight_report }}"
  vars:
    __preflight_problems: >-
      {{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, ['__preflight', 'problems']))) }}
  when: __preflight_problems.values() | flatten | length > 0
  run_once: true
"""

RETURN = r"""
problems:
  description: >-
    Each with component, variable, value (one printable line; secrets are hidden), problem, allowed and file
    (the inventory file to edit, with its line where it is known).
  returned: always
  type: list
  elements: dict
"""
