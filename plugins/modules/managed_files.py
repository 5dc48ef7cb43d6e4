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

import base64
import grp
import os
import pwd
import re
import stat
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import files as tools
from ansible_collections.slipway.containers.plugins.module_utils import settings as key_values

DEFAULT_MODES = {"file": "0644", "settings": "0644", "directory": "0755"}
NEEDED = {"file": ("content", "secret"), "settings": ("settings",), "link": ("target",)}
TEXTS = ("file", "settings")


class Refusal(Exception):
    """A declaration that cannot be carried out; the message says why and what to do."""


def identifier(path: str, name: str, lookup: Callable[[str], Any], kind: str) -> int:
    """Return the numeric id of an owner or group; raises Refusal for a name this node does not know."""
    if name.isdecimal():
        return int(name)
    try:
        return int(lookup(name)[2])
    except KeyError:
        told = "name one that it knows, or create it first"
        raise Refusal("%s: %s %r does not exist on this node: %s" % (path, kind, name, told)) from None


def mode_bits(path: str, text: str | None) -> int | None:
    """Return a mode as a number; raises Refusal for what YAML makes of a mode without quotes."""
    if text is None:
        return None
    if not re.fullmatch("[0-7]{4}", text):
        raise Refusal("%s: mode %r is not four octal digits in quotes, such as '0644'" % (path, text))
    return int(text, 8)


class ManagedFile:
    """One declared path: ``look`` reads the node, ``reasons`` says what differs, ``apply`` changes it."""

    def __init__(self, declared: dict[str, Any], originals: str):
        """Judge the declaration; raises Refusal or ValueError."""
        self.declared = declared
        self.state = declared["state"]
        # Without this, a final slash would make a link look like its target.
        self.path = os.path.normpath(declared["path"])
        self.originals = os.path.normpath(originals)
        if not os.path.isabs(self.path):
            raise Refusal("%s: the path must be absolute" % declared["path"])
        needed = NEEDED.get(self.state, ())
        if needed and all(declared[name] is None for name in needed):
            raise Refusal("%s: state %s needs %s" % (self.path, self.state, " or ".join(map(repr, needed))))
        self.secret = self.decoded(declared["secret"] or "")
        self.owner = self.group = 0
        if self.state not in ("absent", "link"):
            self.owner = identifier(self.path, declared["owner"], pwd.getpwnam, "owner")
            self.group = identifier(self.path, declared["group"], grp.getgrnam, "group")
        self.mode = mode_bits(self.path, declared["mode"] or DEFAULT_MODES.get(self.state))
        self.capabilities = tools.encode_capabilities(declared["capabilities"] or [])
        self.before = self.after = ""

    def decoded(self, secret: str) -> str:
        """Return a secret text; raises Refusal for what is no Base64, without showing it."""
        try:
            return base64.b64decode(secret, validate=True).decode("utf-8")
        except ValueError:
            raise Refusal("%s: the secret is not text in Base64" % self.path) from None

    def look(self) -> list[str]:
        """Read what is there and return what differs from the declaration; raises Refusal, OSError or ValueError."""
        if self.state in TEXTS:
            self.before = self.read()
            self.after = self.wanted()
        return self.reasons()

    def read(self) -> str:
        """Return the text that is there now, '' for anything but a regular file, byte by byte the same."""
        if not os.path.isfile(self.path):
            return ""
        with open(self.path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()

    def wanted(self) -> str:
        """Return the text that is to be there."""
        if self.state == "file":
            content = self.secret if self.declared["content"] is None else self.declared["content"]
            return content if not content or content.endswith("\n") else content + "\n"
        # A file that is made here says so, so that absent knows it again.
        text = self.before if os.path.lexists(self.path) else "# %s\n" % tools.MARKER
        declared = self.declared
        values = key_values.as_texts(declared["settings"])
        return key_values.merge(text, values, declared["keep"], declared["separator"], declared["until"])

    def missing(self) -> bool:
        """Return whether a packaged file that we only give attributes is not there."""
        return self.state == "present" and not os.path.exists(self.path)

    def reasons(self) -> list[str]:
        """Return what differs from the declaration, as a list of words."""
        if self.state == "absent":
            return self.reasons_to_remove()
        if self.missing():
            return []
        if self.state == "link" and os.path.islink(self.path):
            return [] if os.readlink(self.path) == self.declared["target"] else ["link"]
        if not os.path.lexists(self.path):
            return ["created"]
        if not self.kind_is_right():
            self.refuse_what_is_in_the_way()
            return ["kind"]
        found = ["content"] if self.before != self.after else []
        return found + self.attribute_reasons()

    def reasons_to_remove(self) -> list[str]:
        """A directory that still holds something stays, and so does what Slipway did not make."""
        exists, target = os.path.lexists(self.path), self.declared["target"]
        is_directory = os.path.isdir(self.path) and not os.path.islink(self.path)
        if exists and target and not (os.path.islink(self.path) and os.readlink(self.path) == target):
            return []
        if not is_directory and tools.has_original(self.path, self.originals):
            return ["restored"]
        if not exists:
            return []
        if not is_directory:
            return ["removed"] if target or tools.is_ours(self.path) else []
        problem = tools.removal_problem(self.path) if self.declared["recursive"] else ""
        if problem:
            raise Refusal("%s is not removed: %s" % (self.path, problem))
        return ["removed"] if self.declared["recursive"] or not os.listdir(self.path) else []

    def kind_is_right(self) -> bool:
        """Return whether what is there is of the declared kind; where a file is declared, a link is not one."""
        if self.state == "directory":
            return os.path.isdir(self.path)
        return self.state == "present" or (self.state in TEXTS and stat.S_ISREG(os.lstat(self.path).st_mode))

    def refuse_what_is_in_the_way(self) -> None:
        """Nobody's directory is replaced, nor anything where a directory is declared."""
        if self.state == "directory":
            raise Refusal("%s is not a directory: move it away" % self.path)
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            raise Refusal("%s is a directory, expected a %s: move it away" % (self.path, self.state))

    def attribute_reasons(self) -> list[str]:
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

    def apply(self, reasons: list[str]) -> None:
        """Make the path as declared; raises OSError."""
        if self.state == "absent":
            tools.clear_leftovers(self.path)
            if "restored" in reasons:
                tools.restore_original(self.path, self.originals)
            else:
                tools.remove_path(self.path, self.declared["recursive"])
            return
        tools.make_directories(self.path if self.state == "directory" else os.path.dirname(self.path))
        if self.state == "link":
            tools.keep_original(self.path, self.originals)
            tools.link_atomically(self.path, self.declared["target"])
            return
        if self.state in TEXTS and set(reasons) & {"created", "kind", "content"}:
            tools.keep_original(self.path, self.originals)
            content = self.after.encode("utf-8", "surrogateescape")
            tools.write_atomically(self.path, content, self.mode or 0, self.owner, self.group)
        self.apply_attributes()

    def apply_attributes(self) -> None:
        """Set owner, mode and capabilities, in this order: chown clears the set-id bits and the capabilities."""
        status = os.stat(self.path)
        if (status.st_uid, status.st_gid) != (self.owner, self.group):
            os.chown(self.path, self.owner, self.group)
        if self.mode is not None:
            os.chmod(self.path, self.mode)
        if self.declared["capabilities"] is not None:
            tools.write_capabilities(self.path, self.capabilities)

    def diff(self, reasons: list[str]) -> dict[str, str]:
        """Return the difference for ``--diff``; bytes that are no UTF-8 are shown as such, and secrets not at all."""
        texts = ("", "") if self.declared["secret"] is not None else (self.before, self.after)
        before, after = (
            text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in texts
        )
        header = "%s (%s)" % (self.path, ", ".join(reasons))
        return {"before_header": self.path, "after_header": header, "before": before, "after": after}


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
