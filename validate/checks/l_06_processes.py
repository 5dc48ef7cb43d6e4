"""L-06: no account's processes use the node's cores outside of jobs."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import time
from typing import Any

from validate.model import Check, Context, Finding, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="L-06",
    title="nobody computes outside of jobs",
    tier="quick",
    step="host",
    cause="processes of an account run outside of any job: of a login, left by a job, or started by a timer",
    fix="ps -o pid,user,etime,time,cgroup,args -p PID; kill PID; pam_slurm_adopt keeps logins inside jobs",
    after=("N-30",),
)


# Accounts of people; those of services are below, and nobody is above.
FIRST, NOBODY = 1000, 65534
INTERVAL = 0.5
# Shares of one core that count, and processor seconds before which a process may be about to end.
SHARE, SECONDS = 0.5, 5.0
# Of one process; several of an account are added up.
LEAST = 0.05
IN_A_JOB = re.compile(r"slurm|/job_\d+|/step_")


def observe(node: Node) -> Any:
    """Measure twice what the accounts' processes used or waited for, and look at those that want much."""
    before, began = wanted(node), time.monotonic()
    time.sleep(INTERVAL)
    after, elapsed = wanted(node), time.monotonic() - began
    ours = set(family(node, os.getpid()))
    found = []
    for (pid, start), seconds in after.items():
        share = (seconds - before.get((pid, start), seconds)) / elapsed
        if share < LEAST or seconds < SECONDS or pid in ours:
            continue
        if IN_A_JOB.search(node.read(f"/proc/{pid}/cgroup") or "") or stepped(node, pid):
            continue
        uid = re.search(r"^Uid:\s*(\d+)", node.read(f"/proc/{pid}/status") or "", re.MULTILINE)
        command = (node.read(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()[:80]
        found.append(
            {"pid": pid, "account": account(int(uid.group(1))) if uid else "?", "command": command,
             "share": round(share, 2), "seconds": round(seconds)}
        )  # fmt: skip
    return {"visible": node.path("/proc/1").is_dir(), "busy": found[:50]}


def wanted(node: Node) -> dict[tuple[int, str], float]:
    """Return an account's process -> processor seconds; its start belongs to it, because numbers are used again.

    Where others keep the cores busy, a process that computes waits for one: that counts as well.
    """
    found = {}
    for path in node.path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if not FIRST <= path.stat().st_uid < NOBODY:
                continue
        fields = (node.read(f"/proc/{path.name}/stat") or "").rpartition(") ")[2].split()
        if len(fields) > 19:
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            # Nanoseconds of the first thread: on a core, and waiting for one.
            queued = [int(word) for word in (node.read(f"/proc/{path.name}/schedstat") or "").split()[:2]]
            found[int(path.name), fields[19]] = max(used, sum(queued) / 1e9)
    return found


def family(node: Node, pid: int) -> list[int]:
    """Return a process and those that started it."""
    found: list[int] = []
    while pid > 1 and pid not in found:
        found.append(pid)
        fields = (node.read(f"/proc/{pid}/stat") or "").rpartition(") ")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return found


def stepped(node: Node, pid: int) -> bool:
    """Return whether slurmstepd started a process: a site may track jobs without cgroups."""
    return any("slurmstepd" in (node.read(f"/proc/{parent}/comm") or "") for parent in family(node, pid))


def account(uid: int) -> str:
    """Return an account's name, its number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def judge(observed: Any, context: Context) -> Finding:
    """No account uses half a core; the node has no job but this run's."""
    if not observed["visible"]:
        return skipped("/proc shows an account only its own processes (hidepid)")
    accounts: dict[str, list[Any]] = {}
    for seen in observed["busy"]:
        accounts.setdefault(seen["account"], []).append(seen)
    much = [seen for found in accounts.values() if sum(one["share"] for one in found) >= SHARE for seen in found]
    if not much:
        return passed("nobody")
    said = "; ".join(
        f"{seen['account']} {seen['pid']} {seen['command']}: {seen['share']:.0%} of a core, {seen['seconds']} s"
        for seen in sorted(much, key=lambda seen: -seen["share"])[:5]
    )
    return warned(said, "no process of an account outside of jobs", fix=CHECK.fix.replace("PID", str(much[0]["pid"])))
