"""Jinja filter ``differing_files``: which declared files are not known to be as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
name: differing_files
short_description: Leave out the entries of slipway.containers.managed_files that the node's facts prove right
description:
  - A role asks before it calls M(slipway.containers.managed_files), so that a converge with nothing to do makes no
    remote call for files that M(slipway.containers.node_facts) has just looked at.
  - What was not looked at, and whatever facts cannot prove, counts as differing.
  - A file that is copied byte for byte may be given by its C(sha256) in place of its content.
options:
  _input: {description: Entries of managed_files., type: list, elements: dict, required: true}
  facts: {description: The facts that node_facts has set., type: dict, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ __storage_managed_files | slipway.containers.differing_files(ansible_facts) }}"
"""

RETURN = r"""
_value: {description: The entries that are not proven., type: list, elements: dict}
"""

import fnmatch
import hashlib
import os
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import settings as key_values
from ansible_collections.slipway.containers.plugins.module_utils.files import encode_capabilities

Entry = Mapping[str, Any]
# What a declaration may say and still be proven by facts.
KNOWN = {
    "file": {"path", "state", "content", "sha256", "mode"},
    "settings": {"path", "state", "settings", "keep", "separator", "until", "mode", "validate"},
    "directory": {"path", "state", "mode"},
    "link": {"path", "state", "target"},
    "present": {"path", "state", "mode", "group", "capabilities"},
}
KINDS = {"settings": ("file",), "present": ("file", "socket")}
# Those of managed_files.
DEFAULT_MODES = {"file": "0644", "settings": "0644", "directory": "0755"}


def proven(declared: Entry, facts: Mapping[str, Any]) -> bool:
    """Return whether what was seen is what is declared."""
    state = declared.get("state", "file")
    path = os.path.normpath(declared["path"])
    found = facts["files"].get(path)
    if state == "absent":
        return found is None and path not in facts["originals"] and looked_at(path, facts["files_asked"])
    if found is None or set(declared) - KNOWN[state] or found["kind"] not in KINDS.get(state, (state,)):
        return False
    if state == "link":
        return bool(found["target"] == declared["target"])
    return attributes_proven(declared, state, found) and content_proven(declared, state, found)


def looked_at(path: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns would have found this path."""
    depth = path.count("/")
    # A pattern finds no hidden file unless it names it.
    found = (pattern for pattern in patterns if pattern.count("/") == depth and fnmatch.fnmatchcase(path, pattern))
    return any(pattern == path or not os.path.basename(path).startswith(".") for pattern in found)


def attributes_proven(declared: Entry, state: str, found: Entry) -> bool:
    """Return whether owner, group, mode and capabilities are as declared."""
    mode = declared.get("mode") or DEFAULT_MODES.get(state)
    capabilities = declared.get("capabilities")
    return (
        found["owner"] == 0
        and found["group_name"] == declared.get("group", "root")
        and mode in (None, found["mode"])
        and (capabilities is None or found.get("capabilities", "") == encode_capabilities(list(capabilities)).hex())
    )


def content_proven(declared: Entry, state: str, found: Entry) -> bool:
    """Return whether a file's text, or the keys in it, are as declared."""
    if state == "file":
        wanted = declared["sha256"] if "sha256" in declared else digest(declared["content"])
        return bool(found.get("sha256") == wanted)
    if state == "settings":
        return settings_proven(declared, found.get("lines"))
    return True


def settings_proven(declared: Entry, lines: list[str] | None) -> bool:
    """Return whether setting the keys would change nothing; the lines are those that are no comments."""
    if lines is None or declared.get("until", "") not in ("", "["):
        return False
    text = "".join(line + "\n" for line in lines)
    values = key_values.as_texts(declared["settings"])
    try:
        return text == key_values.merge(text, values, list(declared.get("keep", [])), declared.get("separator", " "))
    except ValueError:
        # The module says what is wrong with the key.
        return False


def digest(content: str) -> str:
    """Return the SHA-256 of a file with this content as managed_files writes it, with a final newline."""
    text = content if not content or content.endswith("\n") else content + "\n"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def differing_files(declared: Iterable[Entry], facts: Mapping[str, Any]) -> list[Entry]:
    """Return the entries that are not known to be as declared."""
    return [entry for entry in declared if not proven(entry, facts)]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"differing_files": differing_files}
