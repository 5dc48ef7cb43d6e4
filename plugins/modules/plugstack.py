#!/usr/bin/python
# Copyright: Slipway contributors
# Apache-2.0 (see LICENSE)
"""Ansible module: the registration of a SPANK plugin in plugstack.conf."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plugstack
short_description: Registers a SPANK plugin in plugstack.conf, exactly once
description:
  - Keeps one direct line for a plugin in the C(plugstack.conf) that is authoritative on this host, or none.
  - Duplicates, stale lines and a vendor's own registration are resolved in the main file and in everything
    it includes. All other lines, comments and their order stay.
  - A glob's included symbolic link that registers nothing else is removed; other included files are edited.
    An include that names one file which registers nothing else is taken out, and the file stays.
    An include that is left matching nothing stays.
  - Every file is written outside the directories that an include names, synced and renamed, root's and mode 0644,
    so that no command reads half a file. Files that lose a registration are written first.
  - A plugstack.conf that is a symbolic link stays one; the file that it leads to is changed.
options:
  path:
    description: The plugstack.conf. Created when it is missing.
    type: path
    required: true
  plugin:
    description: Absolute path of the plugin that the line names. Required for O(state=present) and
      O(state=absent).
    type: path
  arguments:
    description:
      - The plugin's arguments, a dictionary or a list of C(key=value). Booleans become 1 and 0.
      - Only what pyxis 0.24 knows is taken, checked for type; a space or C(#) in a value is refused.
    type: raw
    default: {}
  flag:
    description: Under V(optional) a plugin that fails lets tasks run outside the container.
    type: str
    choices: [required, optional]
    default: required
  state:
    description: V(restored) puts back exactly what O(previous) holds.
    type: str
    choices: [present, absent, restored]
    default: present
  replace:
    description: File names of plugins whose other registrations are resolved; that of O(plugin) always is.
    type: list
    elements: str
    default: []
  previous:
    description: The RV(previous) of an earlier result. Required for O(state=restored).
    type: dict
  backup_directory:
    description: Where each file is kept, once, before its first change, under its own path.
    type: path
    default: /var/lib/slipway/backup
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Register pyxis
  slipway.containers.plugstack:
    path: "{{ ansible_facts['slurm']['plugstack']['file'] }}"
    plugin: /usr/local/lib/slipway/pyxis/spank_pyxis.so
    arguments: {runtime_path: /run/pyxis, sbatch_support: true}
  register: __pyxis_registration

- name: Put the previous registration back
  slipway.containers.plugstack:
    path: "{{ ansible_facts['slurm']['plugstack']['file'] }}"
    state: restored
    previous: "{{ __pyxis_registration.previous }}"
"""

RETURN = r"""
before:
  description: Registrations of the plugin before the change, each {file, line, flag, plugin, arguments}.
  type: list
  elements: dict
  returned: success
after:
  description: Registrations after the change; in check mode those that would be.
  type: list
  elements: dict
  returned: success
backups:
  description: Copies made by this call.
  type: list
  elements: str
  returned: success
previous:
  description:
    - What stood at each changed path, {path - {type, mode, owner, text or base64, target}}; type is file, link or
      absent.
    - Empty when nothing changed. Give it to O(state=restored) to undo exactly this call.
  type: dict
  returned: success
"""

import filecmp
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import (
    plugstack,
    plugstack_edit,
    plugstack_files,
    plugstack_tree,
)
from ansible_collections.slipway.containers.plugins.module_utils.files import forget_original, original_of


def registration_of(module):
    """Return (Registration or None, plugin file names); fails on arguments that pyxis would refuse."""
    plugin = module.params["plugin"]
    words, problems = plugstack.judge_arguments(module.params["arguments"])
    if not os.path.isabs(plugin):
        problems.append(f"plugin is {plugin}; it must be an absolute path")
    if any(character in plugin for character in " \t\r\n#"):
        problems.append(f"the plugin's path {plugin!r} holds a space or a #")
    wanted = plugstack.Registration(plugin, tuple(words), module.params["flag"])
    if len(wanted.text) > plugstack.LONGEST_LINE:
        problems.append(f"the line has {len(wanted.text)} characters; Slurm reads {plugstack.LONGEST_LINE}")
    if problems:
        module.fail_json(msg="plugstack arguments: {}".format("; ".join(problems)), problems=problems)
    names = sorted({os.path.basename(plugin), *module.params["replace"]})
    return (wanted if module.params["state"] == "present" else None), names


def judge_tree(module, tree):
    """Fail where a change would be a guess."""
    if os.path.lexists(tree.main) and not tree.files and os.path.exists(tree.main):
        module.fail_json(msg=f"{tree.main} is a directory, not a plugstack.conf: move it away, then run again")
    for file in tree.files:
        if file.text is None:
            module.fail_json(
                msg=f"{file.path} cannot be read, so nothing was changed: mend it, or take it out of plugstack.conf"
            )


def planned_states(module, tree):
    """Return (wanted snapshots by path, plugin names) for this call."""
    if module.params["state"] == "restored":
        states = module.params["previous"]
        return states, [plugstack.PYXIS, *module.params["replace"]]
    wanted, names = registration_of(module)
    place = os.path.realpath(tree.main)
    states = {}
    for path, text in plugstack_edit.plan(tree, wanted, names).items():
        gone = text == "" and path == tree.main and is_ours(tree.files[0].lines, module.params["plugin"])
        states[place if path == tree.main else path] = plugstack_files.wanted_snapshot(None if gone else text)
    if wanted and place not in states:
        # Repairs a wrong mode or owner.
        states[place] = plugstack_files.wanted_snapshot(tree.files[0].text)
    return states, names


def is_ours(lines, plugin):
    """Return whether a file holds nothing but the line that this module writes."""
    return bool(lines) and all(line.kind in plugstack.FLAGS and line.target == plugin for line in lines)


def registered_in(state, names):
    """Count the registrations in a snapshot, to order changes: losing ones first."""
    text = plugstack_files.content_of(state).decode("utf-8", "surrogateescape")
    return sum(line.plugin_name in names for line in plugstack.parse(text))


def apply_all(module, tree, before, states, names):
    """Write all states in safe order; on an error put back what was changed and fail."""
    backups, done = [], []
    order = sorted(
        states, key=lambda path: registered_in(states[path], names) - registered_in(before[path], names)
    )
    try:
        for path in order:
            lines = plugstack.parse(
                plugstack_files.content_of(before[path]).decode("utf-8", "surrogateescape")
            )
            if module.params["state"] != "restored" and not is_ours(lines, module.params["plugin"]):
                backups.append(plugstack_files.keep(path, module.params["backup_directory"]))
            plugstack_files.apply(path, states[path], tree)
            done.append(path)
    except OSError as error:
        for path in reversed(done):
            plugstack_files.apply(path, before[path], tree)
        module.fail_json(msg=f"cannot change {path}: {error}; the registration is as it was")
    return [backup for backup in backups if backup]


def expected(module, tree, names):
    """Return the registrations that a check-mode run would leave."""
    if module.params["state"] == "absent":
        return []
    if module.params["state"] == "restored":
        return plugstack_tree.describe(tree, names)
    wanted, _names = registration_of(module)
    line = {"file": tree.main, "line": None, "flag": wanted.flag, "plugin": wanted.plugin}
    return [{**line, "arguments": list(wanted.arguments)}]


def forget_identical(path, directory):
    """Delete the copy of what stood there before once it stands there again; any other is the only record of it."""
    kept = original_of(path, directory)
    if os.path.isfile(kept) and os.path.isfile(path) and filecmp.cmp(kept, path, shallow=False):
        forget_original(path, directory)


def main():
    """Read, change or put back."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "plugin": {"type": "path"},
            "arguments": {"type": "raw", "default": {}},
            "flag": {"type": "str", "choices": ["required", "optional"], "default": "required"},
            "state": {"type": "str", "choices": ["present", "absent", "restored"], "default": "present"},
            "replace": {"type": "list", "elements": "str", "default": []},
            "previous": {"type": "dict"},
            "backup_directory": {"type": "path", "default": "/var/lib/slipway/backup"},
        },
        required_if=[
            ("state", "present", ["plugin"]),
            ("state", "absent", ["plugin"]),
            ("state", "restored", ["previous"]),
        ],
        supports_check_mode=True,
    )
    tree = plugstack_tree.read_tree(module.params["path"])
    judge_tree(module, tree)
    states, names = planned_states(module, tree)
    before = {path: plugstack_files.snapshot(path) for path in states}
    states = {path: state for path, state in states.items() if state != before[path]}
    result = {
        "changed": bool(states),
        "before": plugstack_tree.describe(tree, names),
        "after": plugstack_tree.describe(tree, names),
        "backups": [],
        "previous": {path: before[path] for path in states},
        "diff": plugstack_files.diff_of(before, states),
    }
    if states and module.check_mode:
        result["after"] = expected(module, tree, names)
    elif states:
        result["backups"] = apply_all(module, tree, before, states, names)
        result["after"] = plugstack_tree.describe(plugstack_tree.read_tree(module.params["path"]), names)
    if module.params["state"] == "absent" and not module.check_mode:
        forget_identical(module.params["path"], module.params["backup_directory"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
