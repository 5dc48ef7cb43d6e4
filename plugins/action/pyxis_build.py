# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Bring pyxis's source from the control node to the node that builds it, and the plugin back, in one remote call."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.containers.plugins.module_utils.files import make_directories, write_atomically


def keep(path: str, data: bytes) -> None:
    """Write a build and its checksum; raises OSError.

    The checksum comes last: a build without it is a leftover of a run that was stopped.
    """
    record = "%s  %s\n" % (hashlib.sha256(data).hexdigest(), os.path.basename(path))
    make_directories(os.path.dirname(path))
    write_atomically(path, data, 0o644, os.geteuid(), os.getegid())
    write_atomically(path + ".sha256", record.encode(), 0o644, os.geteuid(), os.getegid())


class ActionModule(ActionBase):
    """The module's result, without the plugin itself, which is at ``output`` then."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run as an Ansible action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        missing = [name for name in ("source", "output") if not arguments.get(name)]
        if missing:
            return {**result, "failed": True, "msg": "pyxis_build: missing %s" % ", ".join(missing)}
        source, output = (os.path.expanduser(str(arguments.pop(name))) for name in ("source", "output"))
        try:
            with open(source, "rb") as stream:
                arguments["source"] = base64.b64encode(stream.read()).decode("ascii")
        except OSError as error:
            told = "the source archive %s on the control node cannot be read: %s" % (source, error.strerror)
            return {**result, "failed": True, "msg": told}
        result.update(
            self._execute_module("slipway.containers.pyxis_build", module_args=arguments, task_vars=task_vars)
        )
        plugin = result.pop("plugin", None)
        if plugin and not result.get("failed"):
            try:
                keep(output, base64.b64decode(plugin))
            except OSError as error:
                told = "%s on the control node cannot be written: %s" % (output, error.strerror)
                result.update(failed=True, msg=told)
        return result
