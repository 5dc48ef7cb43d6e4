"""M-09: a step of PyTorch's distributed data parallel on all GPUs of a group."""

from __future__ import annotations

import json
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="M-09",
    title="PyTorch DDP on several nodes",
    tier="standard",
    step="group",
    cause="the rendezvous fails: MASTER_ADDR, its port, or enroot's hook 50-slurm-pytorch.sh is missing",
    fix="ls -l /etc/enroot/hooks.d/50-slurm-pytorch.sh; srun --container-image=… env | grep -e MASTER -e RANK",
    after=("C-04", "M-02", "N-12"),
    needs=("nvidia", "pytorch"),
    seconds=320,
    usual=60,
)


# Each rank has the same model and other data: after the step all must have the same parameters, and the sum of all
# ranks' numbers is known. Where NCCL waits for a rank that is not there, this ends after two minutes.
PROGRAM = r"""
import datetime, json, os, torch, torch.distributed as dist
rank, size, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
print("@ddp " + json.dumps({"rank": rank, "at": "start", "host": os.environ.get("SLURMD_NODENAME", "")}), flush=True)
torch.cuda.set_device(local % torch.cuda.device_count())
dist.init_process_group("nccl", timeout=datetime.timedelta(seconds=120))
torch.manual_seed(1)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(64, 64).cuda())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(rank)
loss = model(torch.randn(32, 64, device="cuda")).square().mean()
loss.backward()
optimizer.step()
total = torch.tensor([float(rank + 1)], device="cuda", dtype=torch.float64)
dist.all_reduce(total)
state = sum(float(parameter.detach().double().sum()) for parameter in model.parameters())
print("@ddp " + json.dumps({"rank": rank, "at": "end", "total": float(total), "state": round(state, 9),
      "host": os.environ.get("SLURMD_NODENAME", "")}), flush=True)
dist.destroy_process_group()
"""


def observe(node: Node) -> Any:
    """Run it with a rank for each GPU."""
    count = len(node.openable(node.devices()))
    size = count * len(node.nodes)
    options = ["--overlap", f"--ntasks={size}", f"--ntasks-per-node={count}"]
    image = str(node.settings["workload_image"])
    output = node.contained(["python3", "-c", PROGRAM], options, image, 300, nodes=node.nodes)
    said = read(output.stdout)
    ended = {task["rank"]: task for task in said if task["at"] == "end"}
    missing = sorted(set(range(size)) - {task["rank"] for task in said})
    return {
        name: {"size": size, "missing": missing[:50], "states": sorted({task["state"] for task in ended.values()})[:5],
               "totals": sorted({task["total"] for task in ended.values()})[:5], "ended": len(ended),
               "mine": len([task for task in ended.values() if task["host"] == name]), "each": count,
               "said": output.stderr[-1000:]} for name in node.nodes
    }  # fmt: skip


def read(text: str) -> list[dict[str, Any]]:
    """Return what the ranks said."""
    found = []
    for line in text.splitlines():
        _before, mark, content = line.partition("@ddp ")
        try:
            found += [json.loads(content)] if mark else []
        except ValueError:
            continue
    return found


def judge(observed: Any, context: Context) -> Finding:
    """All ranks have the same parameters, and the exact sum."""
    size, expected = observed["size"], f"{observed['size']} ranks with the same parameters and the exact sum"
    if observed["missing"]:
        return failed(f"ranks missing at the rendezvous: {', '.join(map(str, observed['missing']))}", expected)
    if observed["ended"] != size:
        line = (observed["said"].strip().splitlines() or ["nothing said"])[-1]
        return failed(f"{observed['ended']} of {size} ranks ended: {line[:300]}", expected)
    if observed["totals"] != [size * (size + 1) / 2]:
        return failed(
            f"sums {observed['totals']}", expected, "NCCL's all-reduce is wrong: a GPU or a link corrupts data"
        )
    if len(observed["states"]) != 1:
        return failed(f"parameters differ: {observed['states']}", expected, "a GPU computes otherwise than the others")
    if observed["mine"] != observed["each"]:
        return failed(f"{observed['mine']} ranks on this node", f"{observed['each']}")
    return passed(f"{size} ranks")
