#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: the files of one component, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Keep all files of a component as declared, in one call
description:
  - Files, directories and symbolic links are compared with what is declared, and only what differs is changed.
    One call replaces one or two calls a file of M(ansible.builtin.template) and M(ansible.builtin.file),
    which is most of what a converge that changes nothing costs.
  - Every file is written beside its destination and renamed over it. What stood there before is kept once
    under O(originals), from where O(files[].state=absent) puts it back.
options:
  files:
    description: What is to be there, in the order in which it is done.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      state:
        description:
          - V(file) has O(files[].content) or O(files[].secret); V(settings) is somebody else's file in which keys are
            set; V(directory) and V(link) are created; V(present) belongs to a package and gets its attributes only.
          - V(absent) is removed if Slipway wrote it, which its path, its text or a link's target says, and the
            original is put back if there was one. A directory goes only when empty, unless O(files[].recursive)
            says so; with O(files[].target) only a link to that target goes.
        type: str
        choices: [file, settings, directory, link, present, absent]
        default: file
      content: {description: The whole text of the file; a final newline is added where it is missing., type: str}
      secret: {description: 'The whole text in Base64, for one that is shown nowhere: not in a difference, and not in a
          log, where what a text looks like in Python would hide it from censoring.', type: str}
      settings: {description: Keys and values to set in the file; booleans are written as yes and no.
          A list sets the key once for each item. A null value removes the key., type: dict}
      keep: {description: 'Keys of O(files[].settings) left alone where the file has a value.', type: list,
        elements: str, default: []}
      separator: {description: What stands between key and value., type: str, default: ' '}
      until: {description: 'What the first line begins with that ends the place of O(files[].settings), such as V([) in
          TOML.', type: str, default: ''}
      validate:
        description: A command that refuses a text that its program cannot read; V({}) in it is a file with that text.
          Where the command is not there, as in check mode before the first run, nothing is asked.
        type: list
        elements: str
        default: []
      target: {description: What the symbolic link points at., type: str}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: 'Mode, four octal digits as a string. Without it V(0644) for a file, V(0755) for a directory,
          and unchanged for V(present).', type: str}
      capabilities: {description: 'File capabilities, permitted and effective, as setcap names them.', type: list,
        elements: str}
      recursive: {description: 'Remove a directory with what is in it, unless something is mounted there.', type: bool,
        default: false}
  originals:
    description: Where what stood there before is kept.
    type: path
    default: /var/lib/slipway/original
attributes:
  check_mode: {support: full, description: Reports what would change.}
  diff_mode: {support: full, description: Shows the text before and after.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Keep enroot's files
  slipway.containers.managed_files:
    files:
      - {path: /etc/enroot/enroot.conf, state: settings, settings: {ENROOT_ALLOW_HTTP: 'no'}}
      - {path: /usr/bin/enroot-mksquashovlfs, state: present, capabilities: [cap_sys_admin]}
"""

RETURN = r"""
changes:
  description: One entry for each path that was (or would be) changed, with what differed.
  type: list
  elements: dict
  returned: always
  sample: [{path: /etc/enroot/enroot.conf, reasons: [content]}]
missing:
  description: Paths of O(files[].state=present) that do not exist, so that their package needs to be installed again.
  type: list
  elements: str
  returned: always
"""

import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils.files import ORIGINALS
from ansible_collections.slipway.containers.plugins.module_utils.managed_file import ManagedFile, Refusal


def argument_spec() -> dict[str, Any]:
    """Return the module's argument specification."""
    return {
        "files": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "path": {"type": "path", "required": True},
                "state": {
                    "type": "str",
                    "default": "file",
                    "choices": ["file", "settings", "directory", "link", "present", "absent"],
                },
                "content": {"type": "str"},
                "secret": {"type": "str", "no_log": True},
                "settings": {"type": "dict"},
                "keep": {"type": "list", "elements": "str", "default": []},
                "separator": {"type": "str", "default": " "},
                "until": {"type": "str", "default": ""},
                "validate": {"type": "list", "elements": "str", "default": []},
                "target": {"type": "str"},
                "owner": {"type": "str", "default": "root"},
                "group": {"type": "str", "default": "root"},
                "mode": {"type": "str"},
                "capabilities": {"type": "list", "elements": "str"},
                "recursive": {"type": "bool", "default": False},
            },
        },
        "originals": {"type": "path", "default": ORIGINALS},
    }


def validate(module: AnsibleModule, managed: ManagedFile) -> None:
    """Have a text judged by the program that reads it; raises Refusal with what that says."""
    command = managed.declared["validate"]
    if not command or not module.get_bin_path(command[0]) or managed.before == managed.after:
        return
    # A home of its own, in which a program may leave what it likes (Apptainer makes ~/.apptainer).
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as home:
        path = os.path.join(home, "text")
        with open(path, "wb") as stream:
            stream.write(managed.after.encode("utf-8", "surrogateescape"))
        words = [path if word == "{}" else word for word in command]
        code, out, error = module.run_command(words, environ_update={"HOME": home})
        told = " ".join((error.strip() or out.strip()).replace(path, managed.path).split())
    if code:
        raise Refusal(
            "%s would not be read by %s: %s. The file was left as it was: correct the value in the inventory."
            % (managed.path, command[0], told or "exit code %d" % code)
        )


def run(module: AnsibleModule, result: dict[str, Any]) -> None:
    """Compare, change and fill in the result; raises Refusal or ValueError."""
    # All declarations are judged before anything is changed.
    for managed in [ManagedFile(declared, module.params["originals"]) for declared in module.params["files"]]:
        try:
            reasons = managed.look()
            if managed.missing():
                result["missing"].append(managed.path)
            if not reasons:
                continue
            validate(module, managed)
            if not module.check_mode:
                managed.apply(reasons)
        except OSError as error:
            raise Refusal(
                "cannot keep %s: %s. Nothing half-written was left; free the space or mend the cause and run again."
                % (managed.path, error.strerror)
            ) from None
        result["changed"] = True
        result["changes"].append({"path": managed.path, "reasons": reasons})
        result["diff"].append(managed.diff(reasons))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    result: dict[str, Any] = {"changed": False, "changes": [], "missing": [], "diff": []}
    try:
        run(module, result)
    except (Refusal, ValueError) as error:
        module.fail_json(msg=str(error), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
