"""Jinja filter ``differing_files``: which declared files are not known to be as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
name: differing_files
short_description: Leave out the entries of slipway.containers.managed_files that the node's facts prove right
description:
  - A role asks before it calls M(slipway.containers.managed_files), so that a converge with nothing to do makes no
    remote call for files that M(slipway.containers.node_facts) has just looked at.
  - Only plain declarations can be proven - a file by its content, a directory, a symbolic link, owned by root.
    Whatever else is declared, or was not looked at, counts as differing.
options:
  _input: {description: Entries of managed_files., type: list, elements: dict, required: true}
  seen: {description: The fact C(files) of node_facts., type: dict, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ __storage_managed_files | slipway.containers.differing_files(ansible_facts['files']) }}"
"""

RETURN = r"""
_value: {description: The entries that are not proven., type: list, elements: dict}
"""

import hashlib
import os
from typing import Any, Callable, Iterable, Mapping

Entry = Mapping[str, Any]
# What a declaration may say and still be proven by facts; the modes are the defaults of managed_files.
KNOWN = {
    "file": {"path", "state", "content", "mode"},
    "directory": {"path", "state", "mode"},
    "link": {"path", "state", "target"},
}
DEFAULT_MODES = {"file": "0644", "directory": "0755"}


def proven(declared: Entry, seen: Mapping[str, Entry]) -> bool:
    """Return whether what was seen is what is declared."""
    state = declared.get("state", "file")
    found = seen.get(os.path.normpath(declared["path"]))
    if found is None or state not in KNOWN or set(declared) - KNOWN[state] or found["kind"] != state:
        return False
    if state == "link":
        return bool(found["target"] == declared["target"])
    if (found["owner"], found["group"], found["mode"]) != (0, 0, declared.get("mode") or DEFAULT_MODES[state]):
        return False
    return state == "directory" or found.get("sha256") == digest(declared["content"])


def digest(content: str) -> str:
    """Return the SHA-256 of a file with this content as managed_files writes it, with a final newline."""
    text = content if not content or content.endswith("\n") else content + "\n"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def differing_files(declared: Iterable[Entry], seen: Mapping[str, Entry]) -> list[Entry]:
    """Return the entries that are not known to be as declared."""
    return [entry for entry in declared if not proven(entry, seen)]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"differing_files": differing_files}
