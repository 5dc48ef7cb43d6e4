"""N-23: GPUs are free."""

from __future__ import annotations

import re
from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="N-23",
    title="GPUs are free",
    tier="quick",
    step="host",
    cause="a process outside Slurm, or a leftover, holds GPU memory",
    fix="nvidia-smi; ls -l /proc/PID/cgroup; end it, and clean up in the epilog",
    after=("N-04",),
    needs=("nvidia",),
)


QUERY = "index,memory.used"
CLOSED = "[Insufficient Permissions]"


def observe(node: Node) -> Any:
    """Ask nvidia-smi for what is used, and by whom."""
    found = node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 8).record()
    asked = node.run(["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"], 8)
    rows = [row for row in smi.csv(asked.stdout) if len(row) == 2 and row[0].isdigit()]
    return {**found, "holders": [holder(node, *row) for row in rows[:8]]}


def holder(node: Node, pid: str, used: str) -> dict[str, str]:
    """Return who a process is that holds memory of a GPU: hidepid may hide it from this account."""
    try:
        owner = node.path(f"/proc/{pid}").owner()
    except (OSError, KeyError):
        owner = ""
    name = (node.read(f"/proc/{pid}/comm") or "").strip()
    lines = (node.read(f"/proc/{pid}/cgroup") or "").splitlines()
    group = re.sub(r"^.*::?", "", lines[-1]) if lines else ""
    return {"pid": pid, "used": used, "owner": owner, "name": name, "cgroup": group}


def judge(observed: Any, context: Context) -> Finding:
    """Less than a GiB is in use on each, because the whole node is ours."""
    rows, problem = smi.of_gpus(observed, 2)
    if problem:
        return problem
    # As where the GPU shares the memory of the node.
    if all(row[1] in smi.ABSENT for row in rows):
        return skipped(f"the driver does not tell how much memory is in use here: {rows[0][1]}")
    # Of a GPU in MIG mode the driver tells it to root alone.
    closed = [row[0] for row in rows if row[1] == CLOSED]
    strange = [f"GPU {row[0]}: {row[1]}" for row in rows if row[0] not in closed and not row[1].isdigit()]
    if strange:
        return smi.unlike("; ".join(strange))
    used = [f"GPU {row[0]}: {row[1]} MiB" for row in rows if row[0] not in closed and int(row[1]) >= 1024]
    if not used:
        untold = f" but GPU {', '.join(closed)}, in MIG mode, of which only root is told" if closed else ""
        return smi.of_all(rows, context.slurm["gpus"]) or passed(f"all free{untold}")
    holders = observed.get("holders") or []
    said = [
        f"pid {seen['pid']} {seen['name']} of {seen['owner'] or 'somebody'} ({seen['used']} MiB)" for seen in holders
    ]
    if not holders:
        return failed("; ".join(used), "below 1024 MiB on each")
    first = holders[0]
    cause = f"a process outside this job holds GPU memory: pid {first['pid']} of {first['owner'] or 'somebody'}"
    cause += f" in {first['cgroup']}" * bool(first["cgroup"])
    return failed(
        "; ".join([*used, *said]),
        "below 1024 MiB on each",
        cause,
        f"ps -fp {first['pid']}; cat /proc/{first['pid']}/cgroup: a container of Docker is ended by docker stop, "
        f"another one by kill {first['pid']}; and let the epilog do so",
    )
