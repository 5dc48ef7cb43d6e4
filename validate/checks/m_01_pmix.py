"""M-01: two tasks of one node find each other by PMIx in a container."""

from __future__ import annotations

from typing import Any

from validate import ranks
from validate.model import CONTAINER_FILES, Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-01",
    title="PMIx in one node",
    tier="quick",
    step="nested",
    cause="enroot's hook 50-slurm-pmi.sh is missing, or Slurm has no PMIx on this node (enroot's standard hooks)",
    fix="ls -l /etc/enroot/hooks.d/50-slurm-pmi.sh; srun --mpi=list; psec munge: PMIX_MCA_psec=native in environ.d",
    after=("C-01", "N-12", "H-06", "N-30", "N-22", "N-07"),
    files=CONTAINER_FILES,
    seconds=70,
)


# Said by Slurm 22.05 of Debian 12, which looks for libpmix.so.
LIBRARY = (
    "Slurm's PMIx plugin is on this node, and the library that it loads is not",
    "install it (Debian 13 libpmix2, Debian 12 libpmix-dev, RHEL pmix), then restart slurmd",
)


def observe(node: Node) -> Any:
    """Have both say who they are."""
    output = node.contained(ranks.WORDS, ["--overlap", "--ntasks=2", "--mpi=pmix"])
    return {"tasks": ranks.read(output.stdout), "code": output.code, "said": output.stderr[-1500:]}


def judge(observed: Any, context: Context) -> Finding:
    """Ranks 0 and 1 of 2."""
    if len(observed["tasks"]) != 2:
        said = observed["said"].strip()[-400:]
        if observed["code"] is None:
            return failed(said or "no answer in time", "two ranks", "the tasks wait for each other: PMIx hangs")
        if "can not load PMIx library" in said:
            return failed(said.splitlines()[0], "two ranks", *LIBRARY)
        return failed(said, "two ranks") if said else errored(f"{len(observed['tasks'])} tasks answered")
    wrong = ranks.fault(observed["tasks"], range(2), 2)
    how = (
        "by PMIx itself"
        if observed["tasks"][0]["library"]
        else "by its variables and directory; the image has no libpmix"
    )
    return failed(wrong, "ranks 0 and 1 of 2") if wrong else passed(f"ranks 0 and 1 of 2, {how}")
