"""C-05: the newest image that the site supports fits this node's driver."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-05",
    title="image and driver compatible",
    tier="quick",
    step="sample",
    cause="the image needs a newer driver than the node has",
    fix="a newer driver, or an older image: nvidia-smi; docs.nvidia.com/deploy/cuda-compatibility",
    after=("C-01", "N-13"),
    needs=("nvidia",),
    seconds=150,
)


def observe(node: Node) -> Any:
    """Start it."""
    image = str(node.settings.get("newest_image") or "")
    return {"image": image, **(node.contained(["true"], image=image, seconds=140).record() if image else {})}


def judge(observed: Any, context: Context) -> Finding:
    """It starts."""
    if not observed["image"]:
        return skipped("validate_newest_image names none")
    if observed["code"] == 0:
        return passed(observed["image"])
    return failed((observed["stderr"].strip() or "nothing")[-400:], f"{observed['image']} starts")
