"""N-18: the driver reported no fatal Xid since boot."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-18",
    title="no fatal Xid",
    tier="standard",
    step="host",
    cause="the driver reported a hardware fault",
    fix="by the Xid: 79 power cycle, then return it; 48, 63, 64, 94, 95 reset the GPU; 74 NVLink: check the fabric",
    after=("N-03",),
    needs=("nvidia", "root"),
)


# NVIDIA's catalogue: these are the hardware's; 13, 31 and 43 are mostly a program's own fault.
FATAL = {48, 62, 63, 64, 74, 79, 92, 94, 95, 110, 119, 120, 136, 140, 143, 155, 156, 158}


def observe(node: Node) -> Any:
    """Read the kernel's journal of this boot."""
    return node.run(["journalctl", "--dmesg", "--boot", "--no-pager", "--grep", "NVRM: Xid"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """None of the fatal ones is in it."""
    if observed["code"] not in (0, 1):
        return errored(observed["stderr"].strip()[:200] or "journalctl said nothing")
    found = re.findall(r"NVRM: Xid \((PCI:\S+?)\): (\d+),", observed["stdout"])
    fatal = [f"Xid {number} on {place}" for place, number in found if int(number) in FATAL]
    return failed("; ".join(dict.fromkeys(fatal)), "none") if fatal else passed(f"none ({len(found)} of programs)")
