"""N-19: GPU memory healthy."""

from __future__ import annotations

from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-19",
    title="GPU memory healthy",
    tier="quick",
    step="host",
    cause="uncorrectable memory errors",
    fix="pending: reset the GPU (nvidia-smi -r) or reboot; failure: return the GPU",
    after=("N-04",),
    needs=("nvidia",),
    seconds=20,
)


ECC, ROWS = "ecc.errors.uncorrected.volatile.total", "remapped_rows.pending,remapped_rows.failure"


def observe(node: Node) -> Any:
    """Ask nvidia-smi: older ones know the remapped rows only in a query of their own."""
    found = ask(node, f"--query-gpu=index,{ECC},{ROWS}")
    if "is not a valid field" not in found["stdout"] + found["stderr"]:
        return found
    errors, remapped = ask(node, f"--query-gpu=index,uuid,{ECC}"), ask(node, f"--query-remapped-rows=gpu_uuid,{ROWS}")
    broken = next((asked for asked in (errors, remapped) if asked["code"] not in smi.ANSWERED), None)
    if broken:
        return broken
    # A GPU that has none is not in it.
    rows = {row[0]: row[1:] for row in smi.csv(remapped["stdout"]) if row}
    joined = [[row[0], *row[2:], *rows.get(row[1], ["N/A", "N/A"])] for row in smi.csv(errors["stdout"]) if row[1:]]
    return {**errors, "stdout": "".join(f"{', '.join(row)}\n" for row in joined)}


def ask(node: Node, query: str) -> dict[str, Any]:
    """Ask nvidia-smi for a line of each GPU."""
    return node.run(["nvidia-smi", query, "--format=csv,noheader,nounits"], 6).record()


def judge(observed: Any, context: Context) -> Finding:
    """No uncorrected error, nothing pending, nothing failed; a GPU without the counter says N/A."""
    rows, problem = smi.of_gpus(observed, 4)
    if problem:
        return problem
    good = ("0", "No", *smi.ABSENT)
    bad = [row for row in rows if any(value not in good for value in row[1:])]
    strange = [row for row in bad if not all(value in (*good, "Yes") or value.isdigit() for value in row[1:])]
    if strange:
        return smi.unlike(f"GPU {', '.join(strange[0])}")
    if bad:
        said = "; ".join(f"GPU {row[0]}: {row[1]} uncorrected, pending {row[2]}, failure {row[3]}" for row in bad)
        return failed(said, "0 uncorrected, nothing pending or failed")
    fewer = smi.of_all(rows, context.slurm["gpus"])
    uncounted = [row[0] for row in rows if row[1] in smi.ABSENT]
    if fewer or not 0 < len(uncounted) < len(rows):
        return fewer or passed(f"{len(rows)} GPUs without an error")
    return warned(
        f"GPU {', '.join(uncounted)}: no count of errors",
        f"one, as of the {len(rows) - len(uncounted)} others",
        "ECC is off on some GPUs of the node, whose memory's errors nobody sees, or they are in MIG mode",
        f"nvidia-smi -q -d ECC; nvidia-smi -e 1 -i {uncounted[0]}, as root, and reboot",
    )
