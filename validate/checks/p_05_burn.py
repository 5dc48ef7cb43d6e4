"""P-05: ten minutes of load without a wrong number."""

from __future__ import annotations

from typing import Any

from validate import kernel
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-05",
    title="burn",
    tier="deep",
    step="container",
    cause="a GPU that computes wrongly, or is lost, when it is warm",
    fix="drain the node; nvidia-bug-report.sh; return the GPU",
    after=("C-04", "P-04"),
    needs=("nvidia",),
    seconds=720,
    usual=610,
)


SECONDS = 600.0
# All GPUs of a node do the same work.
SHARE = 0.9


def observe(node: Node) -> Any:
    """Compute on all of them, and compare again and again."""
    return kernel.everywhere(node, SECONDS, SECONDS + 60)


def judge(observed: Any, context: Context) -> Finding:
    """Every GPU was there to the end, right, and as fast as the others."""
    if len(observed) != context.slurm["gpus"]:
        return errored(f"{len(observed)} GPUs of {context.slurm['gpus']}")
    bad = [
        f"GPU {index}: {answer['wrong']} wrong numbers" if answer.get("wrong") else f"GPU {index}: lost"
        for index, answer in enumerate(observed) if answer.get("wrong") or "launches" not in answer
    ]  # fmt: skip
    if bad:
        return failed("; ".join(bad), f"{SECONDS / 60:g} minutes without an error")
    counts = sorted(answer["launches"] for answer in observed)
    slow = [f"GPU {index}: {answer['launches']} rounds" for index, answer in enumerate(observed)
            if answer["launches"] < SHARE * counts[len(counts) // 2]]  # fmt: skip
    if slow:
        return failed("; ".join(slow), f"about {counts[len(counts) // 2]} rounds", "it slows down: P-04")
    return passed(f"{len(observed)} GPUs, {SECONDS / 60:g} minutes")
