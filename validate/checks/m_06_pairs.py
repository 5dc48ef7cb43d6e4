"""M-06: which node makes a group bad: pairs, and a second opinion from a good partner."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from validate import groups, nccl
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-06",
    title="NCCL in pairs: which node",
    tier="deep",
    step="group",
    cause="this node is slow with a partner that is fast with others",
    fix="ibstat and nvidia-smi nvlink -s here; move its cable to another port",
    after=("M-04", "N-21"),
    needs=("nvidia", "nccl_tests"),
    seconds=600,
    usual=90,
)


# A pair is bad below this share of the median pair.
SHARE = 0.8


def observe(node: Node) -> Any:
    """Run disjoint pairs at once, then those that were bad with partners that were good."""
    count = len(node.openable(node.devices()))

    def run(pair: Sequence[str]) -> dict[str, Any]:
        options = ["--overlap", f"--ntasks={2 * count}", f"--ntasks-per-node={count}", "--mpi=pmix"]
        words = ["all_reduce_perf_mpi", *nccl.SIZES, "-g", "1", "-T", "60"]
        at = "" if node.name in pair else pair[-1]
        output = node.contained(words, options, str(node.settings["workload_image"]), 130, nodes=pair, start=at)
        return nccl.read(output.stdout, output.stderr, output.code)

    found = groups.pairs(
        node.nodes, run, lambda seen, every: nccl.good(seen) and seen["busbw"] >= SHARE * usual(every), node.leaves
    )
    bound = SHARE * usual([entry["seen"] for entry in found.values()])
    return {name: {**entry, "bound": round(bound, 1)} for name, entry in found.items()}


def usual(every: Sequence[Any]) -> float:
    """Return the median bandwidth of the pairs that ended well."""
    rates = [seen["busbw"] for seen in every if nccl.good(seen)]
    return statistics.median(rates) if rates else 0.0


def judge(observed: Any, context: Context) -> Finding:
    """Good with one of its partners: above the floor of its kind, and not far below the usual pair."""
    floor = max(context.profile.expect.get("nccl_busbw_nodes") or 0.0, observed["bound"])
    seen = [observed, *([observed["again"]] if observed.get("again") else [])]
    wrong = [(pair["with"], nccl.fault(pair["seen"], floor)) for pair in seen]
    well = [name for name, fault in wrong if not fault]
    if not well:
        said = "; ".join(f"with {name}: {fault}" for name, fault in wrong)
        return failed(said, f"at least {floor:g} GB/s with one partner")
    bad = [name for name, fault in wrong if fault]
    # Results stored before links were looked for have none.
    link = observed.get("link", bad[0] if bad else "")
    if link:
        return failed(
            f"not with {link}{', ' + dict(wrong)[link] if dict(wrong).get(link) else ''}; well with {well[0]}",
            f"at least {floor:g} GB/s with {link}",
            f"the link between {' and '.join(sorted((context.node, link)))}: each is well with others",
            "ibtracert or ping between both; the ports and cables of the switches between them; then this pair again",
        )
    return passed(f"well with {well[0]}" + (f"; not with {bad[0]}" if bad else ""))
