"""N-26: the kernel has what enroot needs."""

from __future__ import annotations

import gzip
import os
import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-26",
    title="kernel fits enroot",
    tier="standard",
    step="host",
    cause="a kernel option or a sysctl that enroot needs is off (enroot's doc/requirements.md)",
    fix="enroot-check_*.run --verify names it; on EL 7 user_namespace.enable=1 on the kernel's command line",
    after=("N-08",),
)


OPTIONS = ("NAMESPACES", "USER_NS", "SECCOMP_FILTER", "OVERLAY_FS")
LIMITS = ("max_user_namespaces", "max_mnt_namespaces")


def observe(node: Node) -> Any:
    """Read the kernel's configuration where it is published, and what the running kernel shows of it."""
    text = node.read(f"/boot/config-{os.uname().release}") or ""
    if not text and node.path("/proc/config.gz").exists():
        text = gzip.decompress(node.path("/proc/config.gz").read_bytes()).decode("utf-8", "replace")
    status = node.read("/proc/self/status") or ""
    overlay = "overlay" in (node.read("/proc/filesystems") or "")
    if not overlay:
        overlay = node.run(["/sbin/modinfo", "overlay"], 5).code == 0
    return {
        "options": dict(re.findall(rf"^CONFIG_({'|'.join(OPTIONS)})=(\w)$", text, re.MULTILINE)),
        "published": bool(text),
        "shown": {
            "NAMESPACES": node.path("/proc/self/ns/mnt").exists(), "USER_NS": node.path("/proc/self/ns/user").exists(),
            "SECCOMP_FILTER": "Seccomp:" in status, "OVERLAY_FS": overlay,
        },
        "limits": {name: (node.read(f"/proc/sys/user/{name}") or "").strip() for name in LIMITS},
    }  # fmt: skip


def judge(observed: Any, context: Context) -> Finding:
    """Every option is on and no limit is below two."""
    if not all(text.isdigit() for text in observed["limits"].values()):
        return errored("the limits of namespaces cannot be read")
    lacking = [
        name for name in OPTIONS if not observed["shown"][name] and observed["options"].get(name) not in ("y", "m")
    ]
    bad = [f"CONFIG_{name} is off" for name in lacking]
    bad += [f"user.{name}={text}" for name, text in observed["limits"].items() if int(text) < 2]
    if bad:
        return failed("; ".join(bad), "namespaces, seccomp and overlay, and limits above 1")
    return passed("all of it" if observed["published"] else "all of it, by what the running kernel shows")
