"""N-27: the node runs what is installed: no reboot is outstanding."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-27",
    title="no reboot outstanding",
    tier="standard",
    step="host",
    cause="maintenance was not finished: a package asks for a reboot",
    fix="scontrol reboot ASAP nextstate=resume NODE",
    who="operator",
)


def observe(node: Node) -> Any:
    """Look for Debian's flag and compare boots."""
    return {"flag": node.path("/run/reboot-required").exists(), "release": os.uname().release}


def judge(observed: Any, context: Context) -> Finding:
    """No flag, and the kernel of most nodes."""
    if observed["flag"]:
        return failed("/run/reboot-required is there", "no such file")
    usual, count = majority(context.fleet, lambda seen: seen["release"])
    if count > 1 and usual != observed["release"]:
        wanted = f"{usual}, as on {count} nodes"
        return failed(f"kernel {observed['release']}", wanted, "another kernel than the other nodes")
    return passed(observed["release"])
