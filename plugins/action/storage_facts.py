# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Choose where a node keeps data, on the control node, from the mounts that node_facts has found."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.containers.plugins.module_utils import mounts

GIB = 2**30


def storage(facts: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the result of the action for one host, from its facts and the action's arguments."""
    try:
        node = mounts.surveyed(facts)
    except KeyError as error:
        return {"failed": True, "msg": "storage_facts: the fact %s is missing; node_facts comes first" % error}
    free_bytes = int(float(arguments.get("minimum_free_gib") or 0) * GIB)
    choice = mounts.choose(
        arguments.get("candidates") or [], node, free_bytes, int(arguments.get("minimum_free_inodes") or 0)
    )
    chosen = choice.chosen
    if chosen is None or chosen.mount is None or chosen.space is None:
        reasons = "; ".join("%s: %s" % (entry["path"], entry["reason"]) for entry in choice.rejected)
        told = "storage_candidates: none is usable (%s). Mount one, free space, or add '/' as the last candidate."
        return {"failed": True, "msg": told % (reasons or "the list is empty")}
    fact = {
        "root": mounts.directory_of(chosen.path),
        "mount_point": chosen.mount.point,
        "filesystem": chosen.mount.filesystem,
        "free_gib": round(chosen.space.free_bytes / GIB, 1),
        "rejected": choice.rejected,
    }
    return {"changed": False, "ansible_facts": {"storage": fact}, "warnings": choice.warnings}


class ActionModule(ActionBase):
    """Sets the fact ``storage``; see the module's documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run as an Ansible action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        return {**result, **storage((task_vars or {}).get("ansible_facts") or {}, dict(self._task.args))}
