"""I-07: each rank runs beside its own GPU (LUMI's masks)."""

from __future__ import annotations

import json
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="I-07",
    title="rank, cores and GPU on one NUMA node",
    tier="standard",
    step="sample",
    cause="the mask of --cpu-bind does not fit this node's topology",
    fix="validate_cpu_bind; nvidia-smi topo -m, or rocm-smi --showtoponuma",
    after=("C-01", "N-03"),
    needs=("gpus",),
    seconds=70,
)


PROGRAM = r"""
import glob, json, os
def cores(text):
    found = set()
    for part in text.strip().split(","):
        first, _dash, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1)) if first else set()
    return found
def read(name):
    try:
        return open(name).read().strip()
    except OSError:
        return ""
cards = [name for name in sorted(glob.glob("/sys/bus/pci/devices/*"))
         if read(name + "/vendor") in ("0x10de", "0x1002") and read(name + "/class")[:4] in ("0x03", "0x12")]
nodes = glob.glob("/sys/devices/system/node/node[0-9]*")
numa = {os.path.basename(name)[4:]: cores(read(name + "/cpulist")) for name in nodes}
rank = int(os.environ.get("SLURM_LOCALID", "0"))
mine, card = os.sched_getaffinity(0), cards[rank] if rank < len(cards) else ""
print(json.dumps({
    "rank": rank, "cores": sorted(mine), "card": os.path.basename(card),
    "card_numa": read(card + "/numa_node") if card else "",
    "cores_numa": sorted(name for name, there in numa.items() if there & mine),
    "right": sorted(numa.get(read(card + "/numa_node"), ())) if card else [],
}))
"""


def observe(node: Node) -> Any:
    """Start a rank for each GPU with the site's binding; rank n uses GPU n in the order of the bus."""
    bind, count = str(node.settings.get("cpu_bind") or ""), len(node.openable(node.devices()))
    count = count or len(node.devices("dri/renderD*"))
    if not bind:
        return {"bind": ""}
    options = ["--overlap", f"--ntasks={count or 1}", f"--cpu-bind={bind}"]
    output = node.contained(["python3", "-I", "-c", PROGRAM], options)
    ranks = []
    for line in output.stdout.splitlines():
        try:
            ranks.append(json.loads(line))
        except ValueError:
            continue
    return {"bind": bind, "wanted": count or 1, "ranks": ranks, "said": output.stderr[-800:]}


def mask(cores: list[int]) -> str:
    """Return cores as Slurm's mask."""
    return hex(sum(1 << core for core in cores))


def judge(observed: Any, context: Context) -> Finding:
    """Every rank's cores are of its GPU's NUMA node; otherwise say the mask that would be right."""
    if not observed["bind"]:
        return skipped("validate_cpu_bind names no binding")
    ranks = sorted(observed["ranks"], key=lambda rank: rank["rank"])
    if len(ranks) != observed["wanted"] or any(not rank["card"] for rank in ranks):
        return errored(observed["said"].strip()[-300:] or f"{len(ranks)} ranks, and GPUs that are not on the bus")
    bad = [rank for rank in ranks if rank["cores_numa"] != [rank["card_numa"]]]
    if not bad:
        return passed(f"{len(ranks)} ranks beside their GPUs")
    said = "; ".join(
        f"rank {rank['rank']} on NUMA {','.join(rank['cores_numa'])}, {rank['card']} on {rank['card_numa']}"
        for rank in bad
    )
    right = ",".join(mask(rank["right"]) for rank in ranks)
    return failed(
        said,
        "each rank on its GPU's NUMA node",
        "",
        f"--cpu-bind=mask_cpu:{right} holds the whole NUMA node of each GPU",
    )
