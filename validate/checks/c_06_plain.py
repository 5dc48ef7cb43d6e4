"""C-06: a plain image gets what the site promises by its environ.d."""

from __future__ import annotations

import re
from typing import Any

from validate import reading, smi
from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-06",
    title="plain image as the site promises",
    tier="standard",
    step="sample",
    cause="NVIDIA_VISIBLE_DEVICES is not in enroot's environ.d, or NVIDIA_DRIVER_CAPABILITIES lacks compute",
    fix="write NVIDIA_VISIBLE_DEVICES=all and NVIDIA_DRIVER_CAPABILITIES=compute,utility to "
    "/etc/enroot/environ.d/50-nvidia.env",
    after=("C-01", "C-02"),
    beside=("N-04",),
    seconds=150,
)


PROGRAM = f"cat /etc/os-release; {reading.SHOW_ROOT}; nvidia-smi -L; ldconfig -p | grep libcuda.so.1"
INSTEAD = "the job ran on the node instead of in the image (pyxis#84)"
FIX = "see C-01: playbooks/site.yml installs pyxis here, playbooks/reconfigure.yml has slurmd load it"


def observe(node: Node) -> Any:
    """Start it, with nothing said of GPUs."""
    image = str(node.settings.get("plain_image") or "")
    said = node.contained(["sh", "-c", PROGRAM], image=image, seconds=140).record() if image else {}
    return {"image": image, "root": reading.root_mount(node), **said}


def judge(observed: Any, context: Context) -> Finding:
    """Another root file system than the node's; on an NVIDIA node its GPUs, nvidia-smi and libcuda."""
    if not observed["image"]:
        return skipped("validate_plain_image names none")
    if not re.search(r"^ID=", observed["stdout"], re.MULTILINE):
        return failed((observed["stderr"].strip() or "nothing")[-400:], f"{observed['image']} starts")
    root = reading.root_of(observed["stdout"])
    if root == ":":
        return errored("the image did not say what is mounted on /")
    if root == observed["root"]:
        return failed("the node's own system", "the image's", INSTEAD, FIX)
    count = smi.listed_gpus(observed["stdout"])
    if "nvidia" in context.profile.has:
        if count != context.slurm["gpus"]:
            return failed(f"{count} GPUs", f"{context.slurm['gpus']} GPUs")
        if "libcuda.so.1" not in observed["stdout"]:
            return failed(
                "nvidia-smi, and no libcuda", "libcuda.so.1 in the container", "its capabilities are utility only"
            )
    return passed(f"{observed['image']}, {count} GPUs")
