"""N-05: what the site installs is on the PATH of jobs."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-05",
    title="container programs and srun on the job's PATH",
    tier="quick",
    step="host",
    cause="the install did not reach this node, or the program lies outside slurmd's PATH",
    fix="playbooks/site.yml --limit this node; systemctl show slurmd -p Environment",
)


PROGRAMS = {
    "enroot": ("enroot",),
    "docker": ("docker",),
    "apptainer": ("apptainer",),
    "nvidia_container_toolkit": ("nvidia-container-cli",),
}


# Jobs start steps of their own, and so does the suite.
SLURM = "srun"


def observe(node: Node) -> Any:
    """Look for all of them."""
    return {name: node.which(name) for name in (SLURM, *(name for names in PROGRAMS.values() for name in names))}


def judge(observed: Any, context: Context) -> Finding:
    """What validate_runtimes names is there, and srun."""
    if not observed.get(SLURM, SLURM):
        return failed(
            f"not found: {SLURM}",
            f"{SLURM} on PATH",
            "Slurm's own programs are not on the job's PATH: a job on this node cannot start steps",
            "command -v srun in a job and in a login shell; install Slurm's client commands, or mend PATH",
        )
    wanted = [name for runtime in context.settings["runtimes"] for name in PROGRAMS.get(runtime, ())]
    missing = [name for name in wanted if not observed[name]]
    if missing:
        return failed(f"not found: {', '.join(missing)}", f"on PATH: {', '.join(wanted)}")
    return passed(", ".join(observed[name] for name in wanted) or "nothing is declared")
