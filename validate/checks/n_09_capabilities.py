"""N-09: enroot's helpers have their file capabilities, so that users can import images."""

from __future__ import annotations

import errno
import os
import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="N-09",
    title="enroot's helpers have their capabilities",
    tier="quick",
    step="host",
    cause="enroot+caps is missing, or its capabilities were lost in a copy of the disk (enroot#141)",
    fix="playbooks/site.yml --limit this node; by hand setcap as packages of enroot do: getcap on another node",
    after=("N-33", "N-05"),
)


# What enroot+caps gives them, by its number in linux/capability.h; they raise it themselves, without an effective bit.
PROGRAMS = {
    "enroot-aufs2ovlfs": {"cap_sys_admin": 21, "cap_mknod": 27},
    "enroot-mksquashovlfs": {"cap_sys_admin": 21},
}


def observe(node: Node) -> Any:
    """Read the attribute that holds them, and what would make it void: the step's own state, the mount's options."""
    found: dict[str, Any] = {}
    table, void = reading.mounts(node), set()
    for program in PROGRAMS:
        path = node.which(program)
        try:
            found[program] = os.getxattr(path, "security.capability").hex() if path else "not found"
        except OSError as error:
            found[program] = "" if error.errno == errno.ENODATA else str(error.strerror)
        mount = reading.mount_of(os.path.realpath(path), table) if path else {}
        if "nosuid" in mount.get("options", "").split(","):
            void.add(mount["point"])
    status = node.read("/proc/self/status") or ""
    return {**found, "nosuid": sorted(void), "locked": bool(re.search(r"^NoNewPrivs:\s*1", status, re.MULTILINE))}


def judge(observed: Any, context: Context) -> Finding:
    """Both have what they need."""
    if "enroot" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name enroot")
    if observed.get("locked"):
        return failed(
            "NoNewPrivs: 1",
            "NoNewPrivs: 0 in /proc/self/status of a job",
            "NoNewPrivileges=yes in slurmd's unit: no program of a job gets the capabilities of its file",
            "systemctl cat slurmd; remove NoNewPrivileges, systemctl daemon-reload, restart slurmd",
        )
    if observed.get("nosuid"):
        return failed(
            f"{', '.join(observed['nosuid'])} is mounted nosuid",
            "enroot's helpers on a mount without nosuid",
            "a mount with nosuid holds enroot's helpers: the capabilities of their files are void",
            f"findmnt {observed['nosuid'][0]}; mount -o remount,suid {observed['nosuid'][0]}; correct fstab",
        )
    bad = {name: lack for name in PROGRAMS if (lack := lacking(name, observed[name]))}
    if bad:
        wanted = "; ".join(f"{name} {','.join(PROGRAMS[name])}" for name in bad)
        return failed("; ".join(f"{name}: {lack}" for name, lack in bad.items()), f"file capabilities: {wanted}")
    return passed("both have them")


def lacking(name: str, attribute: str) -> str:
    """Return what is wrong with a program's attribute, '' for nothing."""
    # VFS_CAP_REVISION_2 or 3 with or without the effective bit, then what is permitted, little endian.
    if not re.fullmatch("0[01]00000[23][0-9a-f]{8,}", attribute):
        return attribute or "none"
    permitted = int.from_bytes(bytes.fromhex(attribute[8:16]), "little")
    away = [capability for capability, bit in PROGRAMS[name].items() if not permitted >> bit & 1]
    return f"some, and not {', '.join(away)}" if away else ""
