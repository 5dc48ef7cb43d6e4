"""N-02: the node runs the controller's Slurm series."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-02",
    title="same Slurm everywhere",
    tier="quick",
    step="host",
    cause="the node was upgraded half",
    fix="upgrade Slurm here, then playbooks/site.yml, which builds pyxis for it",
)


def observe(node: Node) -> Any:
    """Ask the slurmd on the PATH of daemons."""
    for program in ("slurmd", "/usr/sbin/slurmd", "/opt/slurm/sbin/slurmd"):
        output = node.run([program, "-V"], 5)
        if output.code == 0:
            return output.stdout.strip()
    return node.run(["srun", "--version"], 5).stdout.strip()


def judge(observed: Any, context: Context) -> Finding:
    """Its major and minor version are the controller's."""
    own = observed.split()[-1] if observed else ""
    wanted = str(context.cluster.get("version") or "")
    if not own:
        return errored("neither slurmd -V nor srun --version said anything")
    if not wanted:
        return errored("the controller's version is not known")
    if own.split(".")[:2] != wanted.split(".")[:2]:
        return failed(own, wanted)
    # What slurmd said of itself when it registered.
    running = str(context.slurm.get("version") or own)
    if running.split(".")[:2] != own.split(".")[:2]:
        return failed(
            f"{own} installed, slurmd {running} running",
            wanted,
            "slurmd was not restarted after the upgrade",
            "systemctl restart slurmd on this node",
        )
    return passed(own)
