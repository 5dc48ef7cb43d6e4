"""Lookup ``plugin_build``: a built plugin of one kind on the control node, if there is a whole one."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plugin_build
short_description: Find a built SPANK plugin on the control node, and verify it
description:
  - A build is C(spank_pyxis-KIND.so) with C(spank_pyxis-KIND.so.sha256) beside it, as sha256sum(1) writes it.
    One without that file, or that does not match it, is a leftover of a run that was stopped and is not taken.
options:
  _terms: {description: The kind., required: true}
  directories: {description: Where to look, in this order., type: list, elements: path, required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ lookup('slipway.containers.plugin_build', '0.24.0-slurm-24.11-debian13-x86_64', directories=['/tmp']) }}"
"""

RETURN = r"""
_list:
  description: One dict for each kind. C(path) and C(sha256) are empty when there is no whole build;
    C(problem) says what is wrong with one that was passed over.
  type: list
  elements: dict
"""

import os
from typing import Any, Iterable

from ansible.plugins.lookup import LookupBase
from ansible_collections.slipway.containers.plugins.module_utils.files import sha256_of


def verified(path: str) -> tuple[str, str]:
    """Return (sha256 or '', problem or '') of one build."""
    if not os.path.isfile(path):
        return "", ""
    try:
        with open(path + ".sha256", encoding="ascii") as stream:
            expected = (stream.read().split() or ["nothing"])[0].lower()
    except (OSError, UnicodeDecodeError):
        return "", "%s has no checksum beside it" % path
    try:
        found = sha256_of(path)
    except OSError as error:
        return "", "%s cannot be read: %s" % (path, error.strerror)
    if found != expected:
        return "", "%s is damaged: its checksum is %s, recorded is %s" % (path, found, expected)
    return found, ""


def find(kind: str, directories: Iterable[str]) -> dict[str, str]:
    """Return the first whole build of a kind, and the problems of those before it."""
    problems = []
    for directory in directories:
        path = os.path.join(os.path.expanduser(directory), "spank_pyxis-%s.so" % kind)
        checksum, problem = verified(path)
        if problem:
            problems.append(problem)
        if checksum:
            return {"path": path, "sha256": checksum, "problem": "; ".join(problems)}
    return {"path": "", "sha256": "", "problem": "; ".join(problems)}


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return one dict for each kind."""
        self.set_options(var_options=variables, direct=kwargs)
        return [find(kind, [path for path in self.get_option("directories") if path]) for kind in terms]
