"""A-01: apptainer exec --nv sees the GPUs; its exit code would say nothing."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="A-01",
    title="apptainer exec --nv sees the GPUs",
    tier="quick",
    step="host",
    cause="--nv found no driver libraries (ldconfig), or stands behind the image on the command line",
    fix="ldconfig -p | grep libcuda; apptainer exec --nv IMAGE nvidia-smi -L; nvliblist.conf",
    after=("A-06", "N-04"),
    needs=("nvidia",),
    seconds=70,
)


def observe(node: Node) -> Any:
    """Run nvidia-smi inside."""
    image = str(node.settings.get("image") or "")
    if not node.which("apptainer") or not image.startswith("/"):
        return {"ran": False}
    return {"ran": True, **node.run(["apptainer", "exec", "--nv", image, "nvidia-smi", "-L"], 60).record()}


def judge(observed: Any, context: Context) -> Finding:
    """As many as Slurm has."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed["ran"]:
        return skipped("no apptainer, which A-06 says, or validate_image is no file")
    count = len(re.findall(r"^GPU \d+: .*UUID", observed["stdout"], re.MULTILINE))
    if count == context.slurm["gpus"]:
        return passed(f"{count} GPUs")
    said = (observed["stderr"].strip().splitlines() or ["nothing said"])[-1][:300]
    return failed(f"{count} GPUs: {said}", f"{context.slurm['gpus']} GPUs")
