"""H-07: the account of the run may use the nodes as it asks."""

from __future__ import annotations

import grp
import os
from typing import Any

from validate import slurm
from validate.model import MINUTES, TIERS, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-07",
    title="the account may run jobs",
    tier="quick",
    step="submit",
    cause="a wrong account, partition, QOS or limit, which the text names",
    fix="validate_partition, validate_account, validate_reservation; sinfo -s; sacctmgr show assoc user=ACCOUNT",
    who="operator",
    after=("H-01", "H-03", "H-04"),
)


def observe(node: Node) -> Any:
    """Have Slurm judge a job without running it, and read what that leaves out: the partition's state and groups."""
    # What allocation_options of validate/plan.py asks for: whole nodes for so long.
    minutes = MINUTES[str(node.settings.get("tier") or TIERS[0])]
    words = ["srun", "--test-only", "--nodes=1", "--exclusive", "--mem=0", f"--time={minutes}"]
    # Where none is named, the one that the run's first nodes were asked for in.
    name = str(node.settings.get("partition") or node.settings.get("proven_partition") or "")
    words += [f"--partition={name}"] if name else []
    for option in ("account", "reservation"):
        if node.settings.get(option):
            words.append(f"--{option}={node.settings[option]}")
    # Without --all Slurm hides those that the account may not use.
    text = node.run(["scontrol", "--all", "--oneliner", "show", "partition"], 8).stdout
    groups = [entry.gr_name for entry in grp.getgrall() if entry.gr_gid in {os.getgid(), *os.getgroups()}]
    partition = slurm.partition(text, name)
    return {**node.run([*words, "true"], 8).record(), "partition": partition, "groups": groups, "uid": os.getuid()}


def judge(observed: Any, context: Context) -> Finding:
    """It would be started, in a partition that is up."""
    # Only the control node has them.
    from validate import causes, diagnosis  # noqa: PLC0415 - see above

    said = (observed["stderr"] or observed["stdout"]).strip()
    partition = observed.get("partition") or {}
    name, state, allowed = (partition.get(key, "") for key in ("PartitionName", "State", "AllowGroups"))
    if state not in ("", "UP"):
        return failed(
            f"partition {name} is {state}",
            "a partition that is UP",
            "somebody closed the partition: its jobs wait, and none starts",
            "sinfo -s; scontrol update partitionname=NAME state=up",
        )
    # Root may use every partition.
    if allowed not in ("", "ALL") and observed["uid"] != 0 and not set(allowed.split(",")) & set(observed["groups"]):
        return failed(
            f"partition {name} allows {allowed}",
            f"one of the groups {', '.join(observed['groups'])}",
            "the account is in none of the groups that may use this partition",
            f"validate_partition or validate_user names another; or scontrol update partitionname={name} allowgroups=…",
        )
    if observed["code"] == 0:
        return passed(said.splitlines()[-1][:200] if said else "it would run")
    found = diagnosis.of(said, causes.REFUSED)
    if found:
        return failed(said[:400], "a job that would start", found.cause, found.fix, found.who)
    return failed(said[:400] or "nothing within 8 s", "a job that would start")
