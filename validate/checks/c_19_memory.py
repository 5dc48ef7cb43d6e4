"""C-19: a container starts in a job with little memory."""

from __future__ import annotations

from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-19",
    title="a job with 2 GB starts a container",
    tier="standard",
    step="nested",
    cause="unsquashfs with all cores needs more memory than the job has (enroot#90)",
    fix="ENROOT_MAX_PROCESSORS 4 in enroot.conf; or more memory for the job",
    after=("C-01", "N-22", "N-07"),
    files=CONTAINER_FILES,
    seconds=70,
)


def observe(node: Node) -> Any:
    """Start one."""
    return node.contained(["true"], ["--overlap", "--ntasks=1", "--mem=2G"]).record()


def judge(observed: Any, context: Context) -> Finding:
    """It starts."""
    if observed["code"] == 0:
        return passed("with --mem=2G")
    said = observed["stderr"].strip()[-400:] or ("nothing within 60 s" if observed["code"] is None else "nothing")
    return failed(said, "a container with --mem=2G")
