"""D-03: docker run --gpus all has all GPUs."""

from __future__ import annotations

from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="D-03",
    title="docker run --gpus all",
    tier="standard",
    step="sample",
    cause="the runtime is not in daemon.json, or the toolkit is missing: could not select device driver",
    fix="nvidia-ctk runtime configure --runtime=docker; systemctl restart docker",
    after=("D-01", "N-04", "N-15"),
    needs=("nvidia", "network"),
    seconds=320,
)


def observe(node: Node) -> Any:
    """List them inside; an ordinary account that docker refuses has nothing to see."""
    image = str(node.settings.get("online_image") or "")
    if not image or not node.which("docker"):
        return {"image": ""}
    refused = node.run(["docker", "ps"], 8).code != 0
    words = ["docker", "run", "--rm", "--gpus=all", image.replace("#", "/", 1), "nvidia-smi", "-L"]
    return {"image": image, "refused": refused, **(node.run(words, 300).record() if not refused else {})}


def judge(observed: Any, context: Context) -> Finding:
    """As many as Slurm has."""
    if "docker" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name docker")
    if not observed["image"]:
        return skipped("validate_online_image names none")
    if observed["refused"]:
        return skipped("docker refuses this account, which D-01 judges")
    count = smi.listed_gpus(observed["stdout"])
    if count == context.slurm["gpus"]:
        return passed(f"{count} GPUs")
    return failed(f"{count} GPUs: {observed['stderr'].strip()[-300:]}", f"{context.slurm['gpus']} GPUs")
