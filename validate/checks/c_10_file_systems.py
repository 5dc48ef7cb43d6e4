"""C-10: every file system that the site declares is there."""

from __future__ import annotations

import os
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-10",
    title="site's file systems on the node",
    tier="standard",
    step="host",
    cause="a mount is missing on this node, or its server does not answer",
    fix="findmnt PATH; systemctl list-units '*.mount' --failed; mount PATH",
)


def observe(node: Node) -> Any:
    """List each one and find what is mounted there."""
    table, found = reading.mounts(node), {}
    for name in node.settings.get("site_mounts") or ():
        problem = ""
        try:
            os.listdir(name)  # noqa: PTH208 - an automounter wants a real access
        except OSError as error:
            problem = str(error.strerror)
        found[name] = {"problem": problem, "mount": reading.mount_of(os.path.realpath(name), table)["point"]}
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Each is a mount and can be read."""
    bad = [f"{name}: {seen['problem'] or 'not mounted, it lies on ' + seen['mount']}"
           for name, seen in observed.items() if seen["problem"] or seen["mount"] == "/"]  # fmt: skip
    if bad:
        return failed("; ".join(bad), "mounted and readable")
    return passed(", ".join(observed)) if observed else skipped("validate_site_mounts names none")
