"""N-05: what the site installs is on the PATH of jobs."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-05",
    title="container programs on the job's PATH",
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


def observe(node: Node) -> Any:
    """Look for all of them."""
    return {name: node.which(name) for names in PROGRAMS.values() for name in names}


def judge(observed: Any, context: Context) -> Finding:
    """What validate_runtimes names is there."""
    wanted = [name for runtime in context.settings["runtimes"] for name in PROGRAMS.get(runtime, ())]
    missing = [name for name in wanted if not observed[name]]
    if missing:
        return failed(f"not found: {', '.join(missing)}", f"on PATH: {', '.join(wanted)}")
    return passed(", ".join(observed[name] for name in wanted) or "nothing is declared")
