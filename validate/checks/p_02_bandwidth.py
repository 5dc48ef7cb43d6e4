"""P-02: memory and PCIe move data at the speed of their kind."""

from __future__ import annotations

import json
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-02",
    title="GPU memory and PCIe bandwidth",
    tier="standard",
    step="nested",
    cause="a PCIe link that is narrower than it could be, or a process on the wrong NUMA node",
    fix="N-20; nvidia-smi topo -m; lspci -vv -s BUS | grep LnkSta",
    after=("C-04", "N-20"),
    needs=("nvidia", "nvbandwidth"),
    seconds=130,
    usual=60,
)


TESTS = {
    "host_to_device_memcpy_ce": "h2d_gbs",
    "device_to_host_memcpy_ce": "d2h_gbs",
    "device_local_copy": "hbm_gbs",
}


def observe(node: Node) -> Any:
    """Run nvbandwidth in the workload image and keep its numbers by GPU (GB/s)."""
    words = ["nvbandwidth", "-j", *(word for name in TESTS for word in ("-t", name))]
    output = node.contained(words, image=str(node.settings["workload_image"]), seconds=120)
    return {"rates": read(output.stdout), "code": output.code, "said": output.stderr[-500:]}


def read(text: str) -> dict[str, list[float]]:
    """Return test -> the numbers of its matrix (nvbandwidth 0.6 and later print them as texts)."""
    try:
        cases = json.loads(text[text.index("{") :])["nvbandwidth"]["testcases"]
        return {
            case["name"]: [float(cell) for row in case["bandwidth_matrix"] for cell in row if cell != "N/A"]
            for case in cases if case["name"] in TESTS and case.get("status") == "Passed"
        }  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return {}


def judge(observed: Any, context: Context) -> Finding:
    """Each is there and above its floor."""
    missing = [name for name in TESTS if not observed["rates"].get(name)]
    if missing:
        return errored(f"{', '.join(missing)}: {observed['said'].strip()[-300:] or 'no number'}")
    floors = {name: context.profile.expect.get(key) for name, key in TESTS.items()}
    least = {name: min(rates) for name, rates in observed["rates"].items()}
    slow = [f"{name} {least[name]:g}" for name, floor in floors.items() if floor and least[name] < floor]
    if slow:
        return failed(
            ", ".join(slow), ", ".join(f"{name} {floor}" for name, floor in floors.items() if floor) + " GB/s"
        )
    return passed(", ".join(f"{name} {rate:g} GB/s" for name, rate in least.items()))
