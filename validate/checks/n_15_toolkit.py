"""N-15: the container toolkit sees the GPUs."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-15",
    title="nvidia-container-cli sees all GPUs",
    tier="quick",
    step="host",
    cause="libnvidia-container is missing, or cannot talk to the driver",
    fix="nvidia-container-cli -k -d /dev/tty info; systemctl status nvidia-persistenced",
    after=("N-04", "N-05", "N-13"),
    needs=("nvidia",),
    seconds=20,
)


def observe(node: Node) -> Any:
    """Ask it."""
    return node.run(["nvidia-container-cli", "info"], 15).record()


def judge(observed: Any, context: Context) -> Finding:
    """It lists as many as Slurm has."""
    if observed["code"] != 0:
        said = (observed["stderr"] + observed["stdout"]).strip()
        return failed(said[:300] or "no answer within 15 s", "exit code 0")
    count = len(re.findall(r"^GPU UUID:\s*GPU-", observed["stdout"], re.MULTILINE))
    if count != context.slurm["gpus"]:
        return failed(f"{count} GPUs", f"{context.slurm['gpus']} GPUs")
    return passed(f"{count} GPUs")
