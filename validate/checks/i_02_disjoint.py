"""I-02: two jobs' GPUs on one node are different ones."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="I-02",
    title="neighbours have different GPUs",
    tier="standard",
    step="nested",
    cause="devices are not confined, or gres.conf names a file twice",
    fix="ConstrainDevices=yes in cgroup.conf; the File= of gres.conf; restart slurmd",
    after=("C-01", "I-01", "N-03"),
    needs=("gpu_devices",),
    seconds=70,
)


# Each holds its GPU until the other has one, too, so that the two really are neighbours.
PROGRAM = r"""
import glob, json, os, time
began, found = time.time(), []
for name in sorted(glob.glob("/dev/nvidia[0-9]*")):
    try:
        os.close(os.open(name, os.O_RDONLY))
        found.append(name)
    except OSError:
        pass
open("/validate/i02-" + os.environ["SLURM_STEP_ID"], "w").close()
while time.time() < began + 45 and len(glob.glob("/validate/i02-*")) < 2:
    time.sleep(0.1)
print(json.dumps({"devices": found, "began": began, "ended": time.time()}))
"""


def observe(node: Node) -> Any:
    """Run two at once, each with one GPU."""
    if len(node.openable(node.devices())) < 2:
        return {"devices": len(node.openable(node.devices()))}
    options = ["--exact", "--ntasks=1", "--cpus-per-task=1", "--mem=256M", "--gres=gpu:1"]
    options.append(f"--container-mounts={node.scratch}:/validate")
    with ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(lambda _n: node.contained(["python3", "-I", "-c", PROGRAM], options), range(2)))
    return {"devices": 2, "answers": [answer(output.stdout) for output in outputs], "said": outputs[0].stderr[-800:]}


def answer(text: str) -> Any:
    """Return what a step printed, None where it is not that."""
    try:
        return json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None


def judge(observed: Any, context: Context) -> Finding:
    """One each, at the same time, and not the same."""
    if observed["devices"] < 2:
        return (
            skipped("the node has one GPU") if context.slurm["gpus"] < 2 else failed("one GPU in the job", "all GPUs")
        )
    first, second = observed["answers"]
    if not first or not second:
        return errored(observed["said"].strip()[-300:] or "a step said nothing")
    if min(first["ended"], second["ended"]) <= max(first["began"], second["began"]):
        return errored("the two steps did not run at the same time")
    said = f"{', '.join(first['devices']) or 'none'} and {', '.join(second['devices']) or 'none'}"
    if len(first["devices"]) == len(second["devices"]) == 1 and first["devices"] != second["devices"]:
        return passed(said)
    return failed(said, "one GPU each, and different ones")
