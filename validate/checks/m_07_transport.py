"""M-07: NCCL uses the fabric, and not sockets."""

from __future__ import annotations

import re
from typing import Any

from validate import nccl
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-07",
    title="NCCL by the right transport",
    tier="standard",
    step="group",
    cause="the image lacks the fabric's libraries, memory may not be locked, or NCCL chose another adapter (nccl#345)",
    fix="NCCL_DEBUG=INFO; ulimit -l in a job; NCCL_IB_HCA; on EFA the OFI plugin in the image",
    after=("N-21", "N-22", "M-02"),
    needs=("nvidia", "fabric", "nccl_tests"),
    seconds=140,
    usual=30,
)


def observe(node: Node) -> Any:
    """Run something small with NCCL's own words."""
    count = len(node.openable(node.devices()))
    options = [
        "--overlap",
        f"--ntasks={count * len(node.nodes)}",
        f"--ntasks-per-node={count}",
        "--mpi=pmix",
        "--label",
    ]
    words = ["all_reduce_perf_mpi", "-b", "8M", "-e", "8M", "-g", "1", "-T", "60"]
    debug = {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET"}
    output = node.contained(words, options, str(node.settings["workload_image"]), 130, debug, node.nodes)
    text = output.stdout + output.stderr
    said, lines_of = nccl.read("", output.stderr, output.code)["said"], text.splitlines()
    mine = {
        name: [line for line in lines_of if re.search(rf"\b{re.escape(name)}:\d+:\d+", line)] for name in node.nodes
    }
    return {
        name: {
            "code": output.code,
            "used": sorted(set(re.findall(r"Using network (\S+)|via NET/(\w+)/", "\n".join(lines)))),
            "direct": any("GDRDMA" in line for line in lines),
            "said": said,
        }
        for name, lines in mine.items()
    }


def judge(observed: Any, context: Context) -> Finding:
    """InfiniBand or OFI, directly from the GPU where the profile says so."""
    used = sorted({name for pair in observed["used"] for name in pair if name})
    expected = "NET/IB or NET/OFI" + ", GPU Direct" * bool(context.profile.expect.get("gpu_direct"))
    if not used:
        return failed(observed["said"].strip()[-300:] or "NCCL said nothing of this node", expected)
    if any("socket" in name.lower() for name in used):
        return failed(f"NET/{', '.join(used)}", expected)
    if context.profile.expect.get("gpu_direct") and not observed["direct"]:
        return failed(
            f"NET/{', '.join(used)}, not directly from the GPU",
            expected,
            "nvidia_peermem is not loaded",
            "modprobe nvidia_peermem",
        )
    return passed(f"NET/{', '.join(used)}" + ", GPU Direct" * observed["direct"])
