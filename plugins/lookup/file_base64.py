"""Lookup ``file_base64``: a file of the control node, whatever its bytes, as an argument for a module."""

from __future__ import annotations

DOCUMENTATION = r"""
name: file_base64
short_description: Return a file of the control node as base64
description:
  - For small files that a module writes on the node. M(ansible.builtin.copy) needs three remote calls for what is an
    argument of a call that is made anyway.
  - M(ansible.builtin.file#lookup) reads text only.
options:
  _terms: {description: Paths., required: true}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- slipway.containers.package_files:
    files: [/var/cache/slipway/x.deb]
    contents:
      /var/cache/slipway/x.deb: "{{ lookup('slipway.containers.file_base64', '~/x.deb') }}"
"""

RETURN = r"""
_list: {description: Each file's content in base64., type: list, elements: str}
"""

import base64
import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase


def content_of(path: str) -> str:
    """Return a file's content in base64; raises AnsibleError naming the file."""
    try:
        with open(os.path.expanduser(path), "rb") as stream:
            return base64.b64encode(stream.read()).decode("ascii")
    except OSError as error:
        raise AnsibleError("%s on the control node cannot be read: %s" % (path, error.strerror)) from error


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return each file's content."""
        self.set_options(var_options=variables, direct=kwargs)
        return [content_of(path) for path in terms]
