"""C-06: a plain image gets what the site promises by its environ.d."""

from __future__ import annotations

import re
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-06",
    title="plain image as the site promises",
    tier="standard",
    step="sample",
    cause="NVIDIA_VISIBLE_DEVICES is not in enroot's environ.d, or NVIDIA_DRIVER_CAPABILITIES lacks compute",
    fix="write NVIDIA_VISIBLE_DEVICES=all and NVIDIA_DRIVER_CAPABILITIES=compute,utility to /etc/enroot/environ.d",
    after=("C-01", "C-02"),
    seconds=150,
)


PROGRAM = "cat /etc/os-release; echo visible=$NVIDIA_VISIBLE_DEVICES; nvidia-smi -L; ldconfig -p | grep libcuda.so.1"


def observe(node: Node) -> Any:
    """Start it, with nothing said of GPUs."""
    image = str(node.settings.get("plain_image") or "")
    said = node.contained(["sh", "-c", PROGRAM], image=image, seconds=140).record() if image else {}
    return {"image": image, "host": node.release(), **said}


def judge(observed: Any, context: Context) -> Finding:
    """Another system; on an NVIDIA node its GPUs, nvidia-smi and libcuda."""
    if not observed["image"]:
        return skipped("validate_plain_image names none")
    if not re.search(r"^ID=", observed["stdout"], re.MULTILINE):
        return failed((observed["stderr"].strip() or "nothing")[-400:], f"{observed['image']} starts")
    count = reading.listed_gpus(observed["stdout"])
    if "nvidia" in context.profile.has:
        if count != context.slurm["gpus"]:
            return failed(f"{count} GPUs", f"{context.slurm['gpus']} GPUs")
        if "libcuda.so.1" not in observed["stdout"]:
            return failed(
                "nvidia-smi, and no libcuda", "libcuda.so.1 in the container", "its capabilities are utility only"
            )
    return passed(f"{observed['image']}, {count} GPUs")
