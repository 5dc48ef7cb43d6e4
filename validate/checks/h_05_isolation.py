"""H-05: Slurm is configured to confine jobs to what they were given."""

from __future__ import annotations

from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, errored, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="H-05",
    title="devices, memory and cores of jobs are confined",
    tier="quick",
    step="submit",
    cause="cgroup.conf or slurm.conf leaves jobs unconfined: ConstrainDevices is no unless set",
    fix="ConstrainDevices=yes and ConstrainRAMSpace=yes in cgroup.conf, ProctrackType=proctrack/cgroup, "
    "TaskPlugin=task/cgroup; then restart slurmd on each node",
    after=("H-01",),
)


WANTED = {
    "ConstrainDevices": "yes",
    "ConstrainRAMSpace": "yes",
    "ProctrackType": "proctrack/cgroup",
    "TaskPlugin": "task/cgroup",
}
CORES = "ConstrainCores"


def observe(node: Node) -> Any:
    """Ask for Slurm's configuration."""
    text = node.run(["scontrol", "show", "config"], 8).stdout
    return {name: slurm.setting(text, name) for name in (*WANTED, CORES)}


def judge(observed: Any, context: Context) -> Finding:
    """Every setting is as it must be."""
    if not any(observed.values()):
        return errored("scontrol show config printed none of them")
    wrong = [f"{name}={observed[name] or '(not set)'}" for name in WANTED if WANTED[name] not in observed[name].lower()]
    expected = " ".join(f"{name}={value}" for name, value in WANTED.items())
    if wrong:
        return failed(" ".join(wrong), expected)
    # Results stored before it was asked for do not say.
    cores = observed.get(CORES, "yes")
    if cores.lower() == "yes":
        return passed(f"{expected} {CORES}={cores}")
    bound = "task/affinity" in observed["TaskPlugin"].lower()
    say = warned if bound else failed
    return say(
        f"{CORES}={cores or '(not set)'}, TaskPlugin={observed['TaskPlugin']}",
        f"{CORES}=yes",
        "task/affinity binds a job to its cores, and the job may take all others: taskset"
        if bound
        else "nothing keeps a job on the cores that it was given: it takes those of its neighbours",
        f"{CORES}=yes in cgroup.conf and TaskPlugin=task/affinity,task/cgroup; then restart slurmd on each node",
    )
