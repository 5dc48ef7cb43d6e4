"""P-03: the n-body sample reaches its GFLOP/s (the BCP and CSCS acceptance)."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-03",
    title="nbody GFLOP/s",
    tier="standard",
    step="nested",
    cause="a power cap, heat, or a GPU that clocks low",
    fix="nvidia-smi -q -d CLOCK,POWER,PERFORMANCE; P-04 names the reason",
    after=("C-04",),
    needs=("nvidia", "nbody"),
    seconds=130,
    usual=40,
)


def observe(node: Node) -> Any:
    """Run it on all GPUs, in double precision."""
    count = len(node.openable(node.devices()))
    words = ["nbody", "-benchmark", "-fp64", "-numbodies=200000", f"-numdevices={count}"]
    return node.contained(words, image=str(node.settings["workload_image"]), seconds=120).record()


def rate(text: str) -> float:
    """Return the GFLOP/s that nbody printed; ValueError where it printed none."""
    found = re.search(r"=\s*(\d+(?:\.\d+)?) double-precision GFLOP/s", text)
    if not found:
        raise ValueError("no GFLOP/s")
    return float(found.group(1))


def judge(observed: Any, context: Context) -> Finding:
    """Above the floor of its kind."""
    try:
        reached = rate(observed["stdout"])
    except ValueError:
        return errored((observed["stderr"] or observed["stdout"]).strip()[-300:] or "nothing")
    floor = context.profile.expect.get("nbody_gflops")
    if floor and reached < floor:
        return failed(f"{reached:g} GFLOP/s", f"at least {floor} GFLOP/s")
    return passed(f"{reached:g} GFLOP/s" + ("" if floor else f"; profile {context.profile.kind} has no floor"))
