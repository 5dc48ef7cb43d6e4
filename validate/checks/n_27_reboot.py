"""N-27: the node runs what is installed: no reboot is outstanding."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, compare, failed, passed, undecided
from validate.probing import Node

CHECK = Check(
    id="N-27",
    title="no reboot outstanding",
    tier="standard",
    step="host",
    cause="maintenance was not finished: a package asks for a reboot",
    fix="scontrol reboot ASAP nextstate=resume NODE; without RebootProgram drain it, reboot it, and resume it",
    who="operator",
)


def observe(node: Node) -> Any:
    """Look for Debian's flag and compare boots."""
    return {"flag": node.path("/run/reboot-required").exists(), "release": os.uname().release}


def judge(observed: Any, context: Context) -> Finding:
    """No flag, and the kernel of most nodes."""
    if observed["flag"]:
        return failed("/run/reboot-required is there", "no such file")
    beside = compare(context.fleet, kernel(observed), kernel)
    if beside.other:
        wanted = f"{beside.other['kernel'].usual}, {beside.on}"
        return failed(f"kernel {observed['release']}", wanted, "another kernel than the other nodes")
    if beside.split:
        return undecided(beside, "the newest that is installed on both: ls /boot; then reboot into it")
    return passed(observed["release"])


def kernel(seen: Any) -> dict[str, str]:
    """Return the kernel that runs."""
    return {"kernel": seen["release"]}
