"""N-22: a job's limits let RDMA work and do not break unsquashfs."""

from __future__ import annotations

import resource
import statistics
from typing import Any

from validate.model import FAIL, Check, Context, Finding, compare, failed, over, passed, undecided, warned
from validate.probing import Node

CHECK = Check(
    id="N-22",
    title="limits of a job: memlock, open files",
    tier="quick",
    step="host",
    cause="slurmd's unit lacks LimitMEMLOCK=infinity, or has a huge LimitNOFILE (enroot#90)",
    fix="systemctl edit slurmd: LimitMEMLOCK=infinity, LimitNOFILE=1048576; then restart slurmd",
    beside=("N-04",),
)


LIMITS = ("memlock", "nofile", "as", "core", "fsize", "stack")
INFINITE = -1
RESTART = "systemctl cat slurmd, beside that of another node; systemctl restart slurmd: not from a shell"


# Below these, programs of any kind break, and most images do not fit into a file.
FILES, FILE_SIZE, PROCESSES = 1024, 2**34, 1024
# Below these, large work breaks. Sites set such limits on submit hosts on purpose, and Slurm hands them to every job.
LARGE_FILE = 2**36
# What ranks, their threads and the workers that load data come to on a node with GPUs.
PROCESSES_BY_GPUS = 4096
MEANT = "where it is low on purpose and jobs keep below it, this is no fault"
PROPAGATED = (
    "the limit was propagated from the submit host: its soft limit is low, and slurmd's own is not",
    "PropagateResourceLimitsExcept={} in slurm.conf, scontrol reconfigure; or raise it there: /etc/security/limits.d",
)


def observe(node: Node) -> Any:
    """Read them inside the step: what counts, and up to what a job may raise it."""
    found = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}")) for name in (*LIMITS, "nproc")}
    return {
        **{name: soft for name, (soft, _hard) in found.items()},
        "hard": {n: hard for n, (_s, hard) in found.items()},
    }


def judge(observed: Any, context: Context) -> Finding:
    """Memory may be locked without limit, and open files are below what enroot copes with."""
    locked = "unlimited" if observed["memlock"] == INFINITE else f"{observed['memlock']} bytes"
    said = f"memlock {locked}, open files {observed['nofile']}"
    expected = "memlock unlimited, open files at most 67108864"
    hard = observed.get("hard") or {}
    if not 0 <= observed["nofile"] <= 2**26:
        return failed(said, expected)
    # Without GPUs and RDMA nothing locks memory.
    needed = context.profile.expect.get("memory_lock", "unlimited" if "gpus" in context.profile.has else "any")
    computes = needed == "unlimited"
    low = below(observed, hard, computes)
    if low and low[0].status == FAIL:
        return low[0]
    if computes and observed["memlock"] != INFINITE:
        return failed(said, expected, *(propagated("memlock", True) if hard.get("memlock") == INFINITE else ()))
    beside = compare(context.fleet, compared(observed), compared)
    names = list(beside.other)
    if names:
        wanted = ", ".join(f"{name} {beside.other[name].usual}" for name in names)
        other = ", ".join(f"{name} {observed[name]}" for name in names)
        return failed(other, f"{wanted}, {beside.on}", "this slurmd was started with other limits", RESTART)
    # The kernel's own limit follows the memory, which is not quite the same on nodes of a kind.
    usual, count = over(context.fleet, usual_processes)
    own_count = observed.get("nproc", INFINITE)
    # Of two, the median lies between both.
    if own_count != INFINITE and own_count < usual / (2 if count > 2 else 1.5):
        wanted = "unlimited" if usual == float("inf") else f"{usual:.0f}"
        return failed(
            f"nproc {own_count}",
            f"nproc {wanted}, the median of {count} nodes",
            "this slurmd was started with other limits",
            RESTART,
        )
    if beside.split:
        return undecided(beside, "systemctl cat slurmd on both; systemctl restart slurmd: not from a shell")
    return low[0] if low else passed(said)


def below(observed: Any, hard: Any, computes: bool) -> list[Finding]:
    """Return a finding of each limit that is too low, the failures first; ``computes``: the node has GPUs."""
    floors: list[tuple[str, float, float, str]] = [
        ("nofile", FILES, FILES, "open files"), ("fsize", FILE_SIZE, LARGE_FILE, "bytes in a file"),
        ("nproc", PROCESSES, PROCESSES_BY_GPUS if computes else PROCESSES, "processes of the account"),
    ]  # fmt: skip
    # CUDA maps the memory of all GPUs and of the host at once.
    floors += [("as", float("inf"), float("inf"), "bytes of address space")] if computes else []
    found: list[Finding] = []
    for name, least, enough, what in floors:
        limit = observed.get(name, INFINITE)
        if limit == INFINITE or limit >= enough:
            continue
        most = hard.get(name, limit)
        cause, fix = propagated(name, most == INFINITE or most >= enough)
        said, wanted = f"at most {limit} {what}", "unlimited" if enough == float("inf") else f"at least {enough:.0f}"
        broken = limit < least
        found.append((failed if broken else warned)(said, wanted, cause, fix if broken else f"{fix}; {MEANT}"))
    return sorted(found, key=lambda finding: finding.status != FAIL)


def propagated(name: str, allowed: bool) -> tuple[str, str]:
    """Return cause and fix of a limit that is low: where more is allowed, slurmd did not set it."""
    if allowed:
        return PROPAGATED[0], PROPAGATED[1].format(name.upper())
    unit = f"Limit{name.upper()}"
    return (
        f"slurmd runs with a low limit: {unit} of its unit, the shell from which it was started, or pam_limits on the "
        "node where slurm.conf has UsePAM" + ", or VSizeFactor of slurm.conf" * (name == "as"),
        f"systemctl show slurmd -p {unit}; systemctl edit slurmd: {unit}=; then systemctl restart slurmd",
    )


def compared(seen: Any) -> dict[str, int]:
    """Return the limits that must be the same; older results have two of them."""
    return {name: int(seen[name]) for name in LIMITS if name in seen}


def processes(seen: Any) -> int:
    """Return the limit of processes; older results have none, which is no limit."""
    return int(seen.get("nproc", INFINITE))


def usual_processes(fleet: list[Any]) -> tuple[float, int]:
    """Return the median of the nodes' limits of processes, and of how many."""
    counts = [processes(seen) for seen in fleet]
    known = [float("inf") if count == INFINITE else float(count) for count in counts]
    return statistics.median(known) if known else 0.0, len(known)
