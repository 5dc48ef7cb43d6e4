"""N-18: the driver reported no fatal Xid since boot."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import ERROR, Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-18",
    title="no fatal Xid",
    tier="standard",
    step="host",
    cause="the driver reported a hardware fault",
    fix="reset the GPU or reboot; NVIDIA's Xid catalogue says what each number asks for",
    after=("N-03",),
    needs=("nvidia", "root"),
    seconds=20,
)


# NVIDIA's catalogue: these are the hardware's; 13, 31, 43 and 45 are mostly a program's own fault.
FATAL = {46, 48, 62, 63, 64, 74, 79, 92, 94, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158}
PROGRAMS = (13, 31, 43, 45)
# NVLink of Blackwell: most of these are no harm, and the line itself says which are fatal.
NVLINK = range(144, 151)
# The driver's own word of what a GPU needs, and of its end.
RECOVERY = 154
# What is printed of a device's Xid: its address, on MIG with the instance, and the number.
XID = re.compile(r"NVRM: Xid \((PCI:[^)]+)\): (\d+)(.*)")
SXID = re.compile(r"SXid \((PCI:[^)]+)\): (\d+), Fatal")
# A crash of a program prints hundreds of lines: they would hide the others.
PATTERN = rf"NVRM: Xid \([^)]*\): (?!({'|'.join(map(str, PROGRAMS))}),)|SXid .*, Fatal"
# What journalctl says, with the exit code of a search that found nothing, where it did not read the kernel's messages.
UNSEEN = re.compile(r"not seeing messages|insufficient permission|No journal files|Compiled without|Bad pattern")

REMEDIES = (
    ({79}, "power the node off and on; where the GPU falls off again: reseat or return it"),
    ({64}, "no spare rows are left: return the GPU"),
    ({74, 136, 155, *NVLINK}, "nvidia-smi nvlink -e shows which links; reset all GPUs of the node together, or reboot"),
    ({110}, "power the node off and on"),
)
RESET = "drain; nvidia-smi --gpu-reset -i {address}, as root, or reboot"
# Runs its arguments; of a GPU's or a switch's lines with one number it leaves the newest, which counts, because a fault
# that is repeated for hours prints more than is kept of a command.
SHORT = r"""
set -o pipefail
"$@" | awk '
    match($0, /Xid \([^)]*\): [0-9]+/) && !seen[substr($0, RSTART, RLENGTH), ($0 ~ / Fatal /)]++ { print; fflush() }'
"""
# The record holds so many lines, and so many characters of each.
LINES, WIDTH = 60, 200
# The journal still holds the line then.
CLEARED = "this is read since boot: it ends with a reboot"


def observe(node: Node) -> Any:
    """Read the kernel's journal of this boot, the last of each kind of line; as root where this account may."""
    words = ["journalctl", "--dmesg", "--boot", "--no-pager", "--reverse", "--grep", PATTERN]
    # Without it, an account in a group such as adm reads them all the same.
    may = os.getuid() != 0 and node.run(["sudo", "-n", "journalctl", "--version"], 4).code == 0
    output = node.run(["bash", "-c", SHORT, "bash", *["sudo", "-n"] * may, *words], 12)
    newest = [line[:WIDTH] for line in output.stdout.splitlines()[:LINES]]
    return {**output.record(), "stdout": "".join(f"{line}\n" for line in reversed(newest))}


def judge(observed: Any, context: Context) -> Finding:
    """None of the fatal ones is in it; its lines are in the order of time."""
    found = XID.findall(observed["stdout"])
    fatal = {(place, int(number)): "" for place, number, rest in found if is_fatal(int(number), rest)}
    for place, number, rest in found:
        if int(number) == RECOVERY:
            fatal[place, RECOVERY] = rest.rpartition(" to ")[2]
    fatal = {key: needed for key, needed in fatal.items() if key[1] != RECOVERY or "(None)" not in needed}
    switches = [f"SXid {number} on {place}" for place, number in SXID.findall(observed["stdout"])]
    if fatal or switches:
        said = [f"Xid {number} on {place}" + f": {needed}" * bool(needed) for (place, number), needed in fatal.items()]
        cause = "" if fatal else "an NVSwitch reported a fatal error"
        fixes = [remedy(place, number, needed) for (place, number), needed in fatal.items()]
        fixes += ["systemctl restart nvidia-fabricmanager after a reset of all GPUs; else reboot"] * bool(switches)
        fix = "; ".join(dict.fromkeys([*fixes, CLEARED]))
        return failed("; ".join(dict.fromkeys(said + switches)), "none", cause, fix)
    if observed["code"] not in (0, 1):
        return errored(observed["stderr"].strip()[:200] or "journalctl said nothing")
    if UNSEEN.search(observed["stderr"]):
        return Finding(
            ERROR,
            observed["stderr"].strip().splitlines()[0][:200],
            "the kernel's messages",
            "this account may not read the kernel's messages, or nothing keeps them",
            "let it run sudo -n journalctl, or: usermod -aG systemd-journal ACCOUNT; else leave out --allow root",
        )
    return passed(f"none ({len(found)} others)" if found else "none")


def is_fatal(number: int, rest: str) -> bool:
    """Return whether a line is of a fault of the hardware."""
    return number in FATAL or (number in NVLINK and " Fatal " in rest)


def remedy(place: str, number: int, needed: str) -> str:
    """Return what an Xid asks for."""
    address = place.partition(":")[2].split()[0]
    if "Reboot" in needed:
        return "drain and reboot the node"
    return next((words for numbers, words in REMEDIES if number in numbers), RESET.format(address=f"{address}.0"))
