"""M-05: NCCL between the nodes of a group reaches its floor."""

from __future__ import annotations

from typing import Any

from validate import nccl
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-05",
    title="NCCL between nodes",
    tier="standard",
    step="group",
    cause="one node, or the link or switch between two, slows the whole group",
    fix="python -m validate run --only M-06,M-07 says which node, and by which transport",
    after=("M-02", "M-04", "N-21"),
    needs=("nvidia", "nccl_tests"),
    seconds=320,
    usual=60,
)


def observe(node: Node) -> Any:
    """Run it with a rank for each GPU."""
    count = len(node.openable(node.devices()))
    options = ["--overlap", f"--ntasks={count * len(node.nodes)}", f"--ntasks-per-node={count}", "--mpi=pmix"]
    words = ["all_reduce_perf_mpi", *nccl.SIZES, "-g", "1", "-T", "60"]
    image = str(node.settings["workload_image"])
    output = node.contained(words, options, image, 300, nodes=node.nodes)
    seen = {**nccl.read(output.stdout, output.stderr, output.code), "nodes": list(node.nodes)}
    return dict.fromkeys(node.nodes, seen)


def judge(observed: Any, context: Context) -> Finding:
    """No wrong number, and the floor."""
    floor = context.profile.expect.get("nccl_busbw_nodes")
    wrong = nccl.fault(observed, floor)
    expected = (
        f"at least {floor} GB/s between {len(observed['nodes'])} nodes" if floor else "a bandwidth, nothing wrong"
    )
    return failed(wrong, expected) if wrong else passed(nccl.text(observed))
