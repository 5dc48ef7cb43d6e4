"""I-06: a job has the cores that it was given, and cannot take more."""

from __future__ import annotations

import json
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="I-06",
    title="cores in the container = allocation",
    tier="standard",
    step="nested",
    cause="cores are not confined on this node: its slurmd was started before ConstrainCores was set, or reads another "
    "cgroup.conf",
    fix="ConstrainCores=yes in cgroup.conf, TaskPlugin=task/affinity,task/cgroup; restart slurmd on this node",
    after=("C-01", "H-05", "N-07"),
    files=("/etc/slurm/", "/run/slurm/conf/", "/etc/systemd/system/slurmd.service"),
    seconds=130,
)


# Binding is no limit: a process may ask for every core, and the kernel gives it those of its cgroup. Threads of one
# core count once, because Slurm gives them away together.
PROGRAM = r"""
import json, os
def cores():
    found = set()
    for number in os.sched_getaffinity(0):
        try:
            with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % number) as stream:
                found.add(stream.read().strip())
        except OSError:
            found.add(str(number))
    return len(found)
given = cores()
try:
    os.sched_setaffinity(0, range(os.cpu_count()))
except OSError:
    pass
print(json.dumps({"given": given, "taken": cores()}))
"""


def observe(node: Node) -> Any:
    """Have a step of one core take all that it gets; the node's own cores are those of the step around it."""
    options = ["--exact", "--ntasks=1", "--cpus-per-task=1", "--mem=256M"]
    output = node.contained(["python3", "-I", "-c", PROGRAM], options, seconds=110)
    config = node.run(["scontrol", "show", "config"], 8).stdout
    try:
        answer = json.loads(output.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        answer = None
    confined = slurm.setting(config, "ConstrainCores")
    return {"node": node.cores(), "answer": answer, "confined": confined, "said": output.stderr[-500:]}


def judge(observed: Any, context: Context) -> Finding:
    """One core, whatever it asks for."""
    if observed["node"] < 2:
        return skipped("the job has one core of this node: there is nothing to take")
    if observed["answer"] is None:
        return errored(observed["said"].strip()[-300:] or "the step said nothing")
    given, taken = observed["answer"]["given"], observed["answer"]["taken"]
    if given > 1:
        return failed(f"a step of one core was bound to {given}", "1 core")
    if taken == 1:
        return passed("1 core, and no other when it asked for all")
    if observed["confined"].lower() != "yes":
        return passed(f"bound to 1 core, and free to take {taken}: ConstrainCores is not set, which H-05 says")
    return failed(f"a step of one core took {taken}", "1 core, as ConstrainCores=yes promises")
