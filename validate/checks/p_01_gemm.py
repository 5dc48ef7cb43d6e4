"""P-01: matrix multiplication on all GPUs at once reaches its floor."""

from __future__ import annotations

import json
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-01",
    title="GEMM on every GPU",
    tier="standard",
    step="nested",
    cause="a power cap, heat, or a GPU that clocks low",
    fix="nvidia-smi -q -d CLOCK,POWER,PERFORMANCE; P-04 names the reason",
    after=("C-04",),
    needs=("nvidia", "pytorch"),
    seconds=130,
    usual=45,
)


SECONDS = 30
# TFLOP/s of each GPU, all of them at once; the product of ones is known.
PROGRAM = r"""
import json, sys, time, torch
n, seconds = 8192, float(sys.argv[1])
cards = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
ones = [torch.ones(n, n, device=card, dtype=torch.bfloat16) for card in cards]
wrong = [int(((one[:256] @ one)[:, :256] != n).sum()) for one in ones]
count, began = 0, time.monotonic()
while time.monotonic() - began < seconds:
    for _ in range(20):
        for one in ones:
            one @ one
    for card in cards:
        torch.cuda.synchronize(card)
    count += 20
together = round(len(cards) * count * 2 * n**3 / (time.monotonic() - began) / 1e12, 1)
# Once more one by one, so that each GPU has a number of its own.
alone = []
for card, one in zip(cards, ones):
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.cuda.device(card):
        first.record()
        for _ in range(50):
            one @ one
        last.record()
        torch.cuda.synchronize(card)
    alone.append(round(50 * 2 * n**3 / (first.elapsed_time(last) / 1000) / 1e12, 1))
print(json.dumps({"tflops": alone, "together": together, "wrong": wrong}))
"""


def observe(node: Node) -> Any:
    """Run it in the workload image."""
    words = ["python3", "-c", PROGRAM, str(SECONDS)]
    output = node.contained(words, image=str(node.settings["workload_image"]), seconds=120)
    try:
        return {**json.loads(output.stdout.strip().splitlines()[-1]), "said": ""}
    except (ValueError, IndexError, TypeError):
        return {"tflops": [], "wrong": [], "said": output.text[-500:] or "no answer"}


def judge(observed: Any, context: Context) -> Finding:
    """Right, and above the floor on each."""
    if not observed["tflops"]:
        return errored(observed["said"].strip()[-300:] or "nothing")
    if any(observed["wrong"]):
        return failed(
            f"wrong numbers by GPU: {observed['wrong']}",
            "none",
            "a GPU computes wrongly",
            "drain the node, and return the GPU",
        )
    floor, said = (
        context.profile.expect.get("gemm_tflops"),
        f"{min(observed['tflops'])} to {max(observed['tflops'])} TFLOP/s",
    )
    slow = [f"GPU {index}: {value}" for index, value in enumerate(observed["tflops"]) if floor and value < floor]
    if slow:
        return failed("; ".join(slow), f"at least {floor} TFLOP/s on each")
    return passed(said if floor else f"{said}; profile {context.profile.kind} has no floor")
