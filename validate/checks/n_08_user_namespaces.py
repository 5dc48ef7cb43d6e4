"""N-08: an ordinary account may make user namespaces."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-08",
    title="user namespaces usable",
    tier="quick",
    step="host",
    cause="a hardening run, or AppArmor on Ubuntu 24.04, took them away (enroot#247, pyxis#93)",
    fix="sysctl user.max_user_namespaces kernel.unprivileged_userns_clone; on Ubuntu 24.04 aa-status",
    after=("N-33",),
    beside=("N-04",),
)


MINIMUM = 10_000
HANGS = "the command hangs: another program of that name is earlier on PATH, or the node's kernel or disk is stuck"


def observe(node: Node) -> Any:
    """Make one, and read the limits."""
    output = node.run(["unshare", "--user", "--map-root-user", "true"], 5)
    limit = (node.read("/proc/sys/user/max_user_namespaces") or "").strip()
    return {**output.record(), "limit": int(limit) if limit.isdigit() else None}


def judge(observed: Any, context: Context) -> Finding:
    """It works, and there is room for many."""
    minimum = context.profile.expect.get("user_namespaces", MINIMUM)
    if observed["limit"] is not None and observed["limit"] < minimum:
        return failed(f"user.max_user_namespaces = {observed['limit']}", f"at least {minimum}")
    if observed["code"] is None:
        return failed("unshare: no answer within 5 s", "unshare --user works", HANGS, "type -a unshare; ps; dmesg -T")
    if observed["code"] != 0:
        return failed(observed["stderr"].strip() or f"unshare: exit code {observed['code']}", "unshare --user works")
    return passed(f"works, limit {observed['limit']}")
