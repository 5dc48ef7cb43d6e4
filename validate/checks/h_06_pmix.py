"""H-06: Slurm can start MPI jobs by PMIx."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-06",
    title="PMIx is available",
    tier="quick",
    step="submit",
    cause="Slurm was built without PMIx, or its plugin package is missing here",
    fix="install Slurm's PMIx plugin: slurm-wlm-basic-plugins on Debian, elsewhere a build with --with-pmix",
    after=("H-01", "H-04", "H-03"),
)


def observe(node: Node) -> Any:
    """Ask srun."""
    return node.run(["srun", "--mpi=list"], 5).record()


def judge(observed: Any, context: Context) -> Finding:
    """The list names pmix."""
    kinds = (observed["stdout"] + observed["stderr"]).split()
    if "pmix" in kinds:
        return passed("pmix is listed")
    return failed(" ".join(kinds)[:200] or "nothing", "pmix in srun --mpi=list")
