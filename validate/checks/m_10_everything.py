"""M-10: NCCL over all nodes at once."""

from __future__ import annotations

from typing import Any

from validate import groups, nccl
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-10",
    title="NCCL over all nodes",
    tier="deep",
    step="submit",
    cause="something between the groups: a spine switch, routing, or a node that the groups' own tests did not show",
    fix="the parts that are bad by themselves are named; python -m validate run --only M-06 --limit THEM",
    after=("H-01", "H-03", "H-07"),
    needs=("nccl_tests",),
    seconds=1500,
    usual=120,
)


def observe(node: Node) -> Any:
    """Run it in a job of its own; where it is bad, halve the nodes until the smallest bad part is left."""
    found = [
        f"--{name}={node.settings[name]}" for name in ("partition", "account", "reservation") if node.settings.get(name)
    ]
    job, image = str(node.settings.get("job") or "validate"), str(node.settings["workload_image"])

    def run(names: Any) -> dict[str, Any]:
        words = ["srun", f"--nodes={len(names)}", f"--nodelist={','.join(names)}", f"--job-name={job}", "--exclusive",
                 "--immediate=60", "--gpus-per-node=8", "--ntasks-per-node=8", "--mpi=pmix", "--time=10",
                 f"--container-image={image}", *found]  # fmt: skip
        words += ["all_reduce_perf_mpi", *nccl.SIZES, "-g", "1", "-T", "60"]
        output = node.run(words, 300)
        return nccl.read(output.stdout, output.stderr, output.code)

    if len(node.nodes) < 2:
        return {"nodes": len(node.nodes)}
    whole = run(node.nodes)
    parts = [] if nccl.good(whole) else groups.bisect(node.nodes, run, nccl.good, node.leaves)
    node.run(["scancel", "--quiet", f"--name={job}"], 10)
    return {"nodes": len(node.nodes), "whole": whole, "parts": parts}


def judge(observed: Any, context: Context) -> Finding:
    """Nothing wrong."""
    if observed["nodes"] < 2:
        return passed("fewer than two nodes")
    wrong = nccl.fault(observed["whole"], None)
    if not wrong:
        return passed(f"{observed['nodes']} nodes: {nccl.text(observed['whole'])}")
    parts = "; ".join(",".join(part) for part in observed["parts"])
    return failed(f"{wrong}; bad by themselves: {parts or 'none'}", f"all {observed['nodes']} nodes in one all-reduce")
