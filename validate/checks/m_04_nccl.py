"""M-04: NCCL inside one node reaches the floor of its kind."""

from __future__ import annotations

from typing import Any

from validate import nccl
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-04",
    title="NCCL in one node",
    tier="standard",
    step="nested",
    cause="NVLink is down, peer access is off (ACS, IOMMU), or the topology file is another machine's",
    fix="nvidia-smi nvlink -s; nvidia-smi topo -p2p r; again with NCCL_P2P_DISABLE=1 tells which of them",
    after=("C-01", "C-04", "N-17"),
    needs=("nvidia", "nccl_tests"),
    seconds=200,
    usual=30,
)


def observe(node: Node) -> Any:
    """Run it without MPI: one process has all GPUs, and a sick node delays no other."""
    count = len(node.openable(node.devices()))
    words = ["all_reduce_perf", *nccl.SIZES, "-g", str(count), "-T", "60"]
    output = node.contained(words, image=str(node.settings["workload_image"]), seconds=190)
    return {**nccl.read(output.stdout, output.stderr, output.code), "gpus": count}


def judge(observed: Any, context: Context) -> Finding:
    """No wrong number, and the floor."""
    floor = context.profile.expect.get("nccl_busbw")
    wrong = nccl.fault(observed, floor)
    expected = f"at least {floor} GB/s, nothing wrong" if floor else "a bandwidth, nothing wrong"
    if wrong:
        return failed(wrong, expected)
    return passed(nccl.text(observed) + ("" if floor else f"; profile {context.profile.kind} has no floor"))
