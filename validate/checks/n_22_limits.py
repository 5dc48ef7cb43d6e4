"""N-22: a job's limits let RDMA work and do not break unsquashfs."""

from __future__ import annotations

import resource
from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-22",
    title="limits of a job: memlock, open files",
    tier="quick",
    step="host",
    cause="slurmd's unit lacks LimitMEMLOCK=infinity, or has a huge LimitNOFILE (enroot#90)",
    fix="systemctl edit slurmd: LimitMEMLOCK=infinity, LimitNOFILE=1048576; then restart slurmd",
)


LIMITS = ("memlock", "nofile", "as", "core", "fsize", "stack")
INFINITE = -1
RESTART = "systemctl cat slurmd, beside that of another node; systemctl restart slurmd: not from a shell"


def observe(node: Node) -> Any:
    """Read them inside the step."""
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[0] for name in (*LIMITS, "nproc")}


def judge(observed: Any, context: Context) -> Finding:
    """Memory may be locked without limit, and open files are below what enroot copes with."""
    locked = "unlimited" if observed["memlock"] == INFINITE else f"{observed['memlock']} bytes"
    said = f"memlock {locked}, open files {observed['nofile']}"
    expected = "memlock unlimited, open files at most 67108864"
    if not 0 <= observed["nofile"] <= 2**26:
        return failed(said, expected)
    # Without GPUs and RDMA nothing locks memory.
    needed = context.profile.expect.get("memory_lock", "unlimited" if "gpus" in context.profile.has else "any")
    if needed == "unlimited" and observed["memlock"] != INFINITE:
        return failed(said, expected)
    usual, count = majority(context.fleet, compared)
    names = [name for name, limit in compared(observed).items() if count > 1 and usual.get(name, limit) != limit]
    if names:
        wanted = ", ".join(f"{name} {usual[name]}" for name in names)
        other = ", ".join(f"{name} {observed[name]}" for name in names)
        return failed(other, f"{wanted}, as on {count} nodes", "this slurmd was started with other limits", RESTART)
    # The kernel's own limit follows the memory, which is not quite the same on nodes of a kind.
    usual, count = majority(context.fleet, processes)
    own_count = observed.get("nproc", INFINITE)
    if count > 1 and own_count != INFINITE and (usual == INFINITE or own_count < usual / 2):
        return failed(
            f"nproc {own_count}",
            f"nproc {usual}, as on {count} nodes",
            "this slurmd was started with other limits",
            RESTART,
        )
    return passed(said)


def compared(seen: Any) -> dict[str, int]:
    """Return the limits that must be the same; older results have two of them."""
    return {name: int(seen[name]) for name in LIMITS if name in seen}


def processes(seen: Any) -> int:
    """Return the limit of processes; older results have none, which is no limit."""
    return int(seen.get("nproc", INFINITE))
