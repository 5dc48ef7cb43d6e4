"""H-07: the account of the run may use the nodes as it asks."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-07",
    title="the account may run jobs",
    tier="quick",
    step="submit",
    cause="a wrong account, partition, QOS or limit, which the text names",
    fix="validate_partition, validate_account, validate_reservation; sinfo -s; sacctmgr show assoc user=$USER",
    who="operator",
    after=("H-01", "H-03", "H-04"),
)


def observe(node: Node) -> Any:
    """Have Slurm judge a job without running it."""
    words = ["srun", "--test-only", "--nodes=1"]
    for name in ("partition", "account", "reservation"):
        if node.settings.get(name):
            words.append(f"--{name}={node.settings[name]}")
    return node.run([*words, "true"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """It would be started."""
    said = (observed["stderr"] or observed["stdout"]).strip()
    if observed["code"] == 0:
        return passed(said.splitlines()[-1][:200] if said else "it would run")
    return failed(said[:400] or "nothing within 8 s", "a job that would start")
