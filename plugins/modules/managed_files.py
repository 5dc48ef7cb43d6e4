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
          - V(file) has O(files[].content); V(settings) is somebody else's file in which keys are set;
            V(directory) and V(link) are created; V(present) belongs to a package and gets its attributes only.
          - V(absent) is removed, and the original put back if there was one. A directory goes only when empty,
            unless O(files[].recursive) says so; with O(files[].target) only a link to that target goes.
        type: str
        choices: [file, settings, directory, link, present, absent]
        default: file
      content: {description: The whole text of the file; a final newline is added where it is missing., type: str}
      settings: {description: Keys and values to set in the file. A null value removes the key., type: dict}
      keep: {description: Keys of O(files[].settings) left alone where the file has a value., type: list, elements: str,
        default: []}
      separator: {description: What stands between key and value., type: str, default: ' '}
      target: {description: What the symbolic link points at., type: str}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: 'Octal mode, as a string. Without it V(0644) for a file, V(0755) for a directory, and
          unchanged for V(present).', type: str}
      capabilities: {description: 'File capabilities, permitted and effective, as setcap names them.', type: list,
        elements: str}
      recursive: {description: Remove a directory with what is in it., type: bool, default: false}
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

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.containers.plugins.module_utils import files as tools
from ansible_collections.slipway.containers.plugins.module_utils import settings as key_values

DEFAULT_MODES = {"file": "0644", "settings": "0644", "directory": "0755"}
NEEDED = {"file": "content", "settings": "settings", "link": "target"}


class Refusal(Exception):
    """A declaration that cannot be carried out; the message says why and what to do."""


def identifier(name, lookup, kind):
    """Return the numeric id of an owner or group; raises Refusal for a name this node does not know."""
    if str(name).isdigit():
        return int(name)
    try:
        return lookup(name)[2]
    except KeyError:
        raise Refusal("%s %r does not exist on this node" % (kind, name)) from None


class ManagedFile:
    """One declared path: ``reasons`` says what differs, ``apply`` changes it."""

    def __init__(self, declared, originals):
        self.declared = declared
        self.path = declared["path"]
        self.state = declared["state"]
        self.originals = originals
        needed = NEEDED.get(self.state)
        if needed and declared[needed] is None:
            raise Refusal("%s: state %s needs %r" % (self.path, self.state, needed))
        self.owner = identifier(declared["owner"], pwd.getpwnam, "owner")
        self.group = identifier(declared["group"], grp.getgrnam, "group")
        mode = declared["mode"] or DEFAULT_MODES.get(self.state)
        self.mode = int(mode, 8) if mode else None
        self.capabilities = tools.encode_capabilities(declared["capabilities"] or [])
        self.before = self.read()
        self.after = self.wanted()

    def read(self):
        """Return the text that is there now, '' for anything but a readable regular file."""
        if self.state in ("file", "settings") and os.path.isfile(self.path):
            with open(self.path, encoding="utf-8", errors="surrogateescape") as stream:
                return stream.read()
        return ""

    def wanted(self):
        """Return the text that is to be there."""
        if self.state == "file":
            content = self.declared["content"]
            return content if not content or content.endswith("\n") else content + "\n"
        if self.state == "settings":
            values = {
                key: None if value is None else str(value) for key, value in self.declared["settings"].items()
            }
            return key_values.merge(self.before, values, self.declared["keep"], self.declared["separator"])
        return ""

    def missing(self):
        """Return whether a packaged file that we only give attributes is not there."""
        return self.state == "present" and not os.path.exists(self.path)

    def reasons(self):
        """Return what differs from the declaration, as a list of words."""
        exists = os.path.lexists(self.path)
        if self.state == "absent":
            return self.reasons_to_remove() if exists else []
        if self.state == "link":
            right = os.path.islink(self.path) and os.readlink(self.path) == self.declared["target"]
            return [] if right else ["link"]
        if self.missing():
            return []
        if not exists:
            return ["created"]
        found = [] if self.kind_is_right() else ["kind"]
        if not found and self.state in ("file", "settings") and self.before != self.after:
            found.append("content")
        return found + self.attribute_reasons()

    def reasons_to_remove(self):
        """A directory that still holds something stays, and so does a link that is not the one we made."""
        target = self.declared["target"]
        if target and not (os.path.islink(self.path) and os.readlink(self.path) == target):
            return []
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            return ["removed"] if self.declared["recursive"] or not os.listdir(self.path) else []
        return ["removed"]

    def kind_is_right(self):
        """Return whether what is there is of the declared kind; a link is never taken for its target."""
        status = os.lstat(self.path)
        if self.state == "directory":
            return os.path.isdir(self.path)
        return stat.S_ISREG(status.st_mode) or self.state == "present"

    def attribute_reasons(self):
        """Return which of owner, group, mode and capabilities differ."""
        status = os.stat(self.path)
        found = []
        if (status.st_uid, status.st_gid) != (self.owner, self.group):
            found.append("owner")
        if self.mode is not None and stat.S_IMODE(status.st_mode) != self.mode:
            found.append("mode")
        if self.declared["capabilities"] is not None and tools.read_capabilities(self.path) != self.capabilities:
            found.append("capabilities")
        return found

    def apply(self, reasons):
        """Make the path as declared; raises OSError."""
        if self.state == "absent":
            tools.remove_path(self.path, self.declared["recursive"])
            tools.restore_original(self.path, self.originals)
        elif self.state == "link":
            self.make_way()
            tools.link_atomically(self.path, self.declared["target"])
        elif self.state in ("file", "settings") and set(reasons) & {"created", "kind", "content"}:
            self.make_way()
            content = self.after.encode("utf-8", "surrogateescape")
            tools.write_atomically(self.path, content, self.mode, self.owner, self.group)
        else:
            self.apply_attributes(reasons)

    def make_way(self):
        """Create the parents and keep what is there; a directory in the way is never removed."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            raise Refusal("%s is a directory, expected a %s: move it away" % (self.path, self.state))
        tools.keep_original(self.path, self.originals)

    def apply_attributes(self, reasons):
        """Create a directory, and set owner, mode and capabilities."""
        if self.state == "directory":
            if "kind" in reasons:
                raise Refusal("%s is not a directory: move it away" % self.path)
            os.makedirs(self.path, mode=0o755, exist_ok=True)
        os.chown(self.path, self.owner, self.group)
        # After chown, which clears the set-id bits and the capabilities.
        if self.mode is not None:
            os.chmod(self.path, self.mode)
        if self.declared["capabilities"] is not None:
            tools.write_capabilities(self.path, self.capabilities)


def argument_spec():
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
                "settings": {"type": "dict"},
                "keep": {"type": "list", "elements": "str", "default": []},
                "separator": {"type": "str", "default": " "},
                "target": {"type": "str"},
                "owner": {"type": "str", "default": "root"},
                "group": {"type": "str", "default": "root"},
                "mode": {"type": "str"},
                "capabilities": {"type": "list", "elements": "str"},
                "recursive": {"type": "bool", "default": False},
            },
        },
        "originals": {"type": "path", "default": tools.ORIGINALS},
    }


def run(module):
    """Compare, change and return the result; raises Refusal, OSError or ValueError."""
    result = {"changed": False, "changes": [], "missing": [], "diff": []}
    for declared in module.params["files"]:
        managed = ManagedFile(declared, module.params["originals"])
        if managed.missing():
            result["missing"].append(managed.path)
        reasons = managed.reasons()
        if not reasons:
            continue
        result["changed"] = True
        result["changes"].append({"path": managed.path, "reasons": reasons})
        result["diff"].append(
            {
                "before_header": managed.path,
                "after_header": "%s (%s)" % (managed.path, ", ".join(reasons)),
                "before": managed.before,
                "after": managed.after,
            }
        )
        if not module.check_mode:
            managed.apply(reasons)
    return result


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = run(module)
    except (Refusal, ValueError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg="cannot write %s: %s. Nothing half-written was left; free the space or mend the cause and run again."
            % (error.filename or "a file", error.strerror)
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
