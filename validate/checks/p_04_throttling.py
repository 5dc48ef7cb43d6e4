"""P-04: no GPU slows down under load."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from validate import kernel, smi
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-04",
    title="no throttling under load",
    tier="standard",
    step="container",
    cause="cooling, power supply or airflow of this slot",
    fix="nvidia-smi -q -d TEMPERATURE,POWER,PERFORMANCE; clean the filters; look at the fans and the power cables",
    after=("C-04",),
    needs=("nvidia",),
    seconds=90,
    usual=15,
)


SECONDS = 12.0
REASONS = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
QUERY = "index,pci.bus_id,temperature.gpu," + ",".join(f"clocks_throttle_reasons.{name}" for name in REASONS)


def observe(node: Node) -> Any:
    """Compute on all GPUs, and ask nvidia-smi in the middle."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(kernel.everywhere, node, SECONDS, SECONDS + 60)
        time.sleep(SECONDS * 2 / 3)
        asked = node.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"], 10)
        return {"asked": asked.record(), "answers": load.result()}


def active(row: list[str]) -> str:
    """Return the reasons that a row names."""
    return ", ".join(name for name, value in zip(REASONS, row[3:]) if value == "Active")


def judge(observed: Any, context: Context) -> Finding:
    """No reason is active."""
    rows, busy = smi.csv(observed["asked"]["stdout"]), observed["answers"]
    if observed["asked"]["code"] not in smi.ANSWERED or not rows or any(len(row) != 3 + len(REASONS) for row in rows):
        return errored(
            (observed["asked"]["stderr"] or observed["asked"]["stdout"]).strip()[:200] or "nvidia-smi said nothing"
        )
    if not busy or any("wrong" not in answer for answer in busy):
        return errored("the GPUs were not under load: C-04 says why")
    bad = [
        f"GPU {row[0]} ({row[1]}): {active(row)} at {row[2]} C"
        for row in rows if "Active" in row[3:]
    ]  # fmt: skip
    return (
        failed("; ".join(bad), "none") if bad else passed(f"{len(rows)} GPUs, {max(row[2] for row in rows)} C at most")
    )
