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


LIMITS = ("memlock", "nofile")
RESTART = "systemctl cat slurmd, beside that of another node; systemctl restart slurmd: not from a shell"


def observe(node: Node) -> Any:
    """Read them inside the step."""
    return {
        "memlock": resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def judge(observed: Any, context: Context) -> Finding:
    """Memory may be locked without limit, and open files are below what enroot copes with."""
    infinite = -1
    locked = "unlimited" if observed["memlock"] == infinite else f"{observed['memlock']} bytes"
    said = f"memlock {locked}, open files {observed['nofile']}"
    expected = "memlock unlimited, open files at most 67108864"
    if not 0 <= observed["nofile"] <= 2**26:
        return failed(said, expected)
    # Without GPUs and RDMA nothing locks memory.
    needed = context.profile.expect.get("memory_lock", "unlimited" if "gpus" in context.profile.has else "any")
    if needed == "unlimited" and observed["memlock"] != infinite:
        return failed(said, expected)
    usual, count = majority(context.fleet)
    if count > 1 and usual != observed:
        wanted = ", ".join(f"{name} {usual[name]}" for name in LIMITS if usual[name] != observed[name])
        other = ", ".join(f"{name} {observed[name]}" for name in LIMITS if usual[name] != observed[name])
        return failed(other, f"{wanted}, as on {count} nodes", "this slurmd was started with other limits", RESTART)
    return passed(said)
