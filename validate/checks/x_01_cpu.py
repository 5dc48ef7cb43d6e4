"""X-01: a node without GPUs runs an image that is labelled for CUDA."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="X-01",
    title="CPU node runs a CUDA image",
    tier="quick",
    step="nested",
    cause="enroot's NVIDIA hook wants a driver that this node has no use for",
    fix="NVIDIA_VISIBLE_DEVICES=void in enroot's environ.d on nodes without GPUs; playbooks/site.yml writes it",
    after=("C-01",),
    needs=("no_gpus",),
    seconds=150,
)


HARMLESS = "Kernel module nvidia_uvm is not loaded"


def observe(node: Node) -> Any:
    """Start the newest CUDA image, or the run's own with what makes an image one: its NVIDIA_VISIBLE_DEVICES."""
    image = str(node.settings.get("newest_image") or "")
    options, given = ["--overlap", "--ntasks=1"], {}
    if not image:
        options, given = [*options, "--container-env=NVIDIA_VISIBLE_DEVICES"], {"NVIDIA_VISIBLE_DEVICES": "all"}
    return node.contained(["true"], options, image, 140, given).record()


def judge(observed: Any, context: Context) -> Finding:
    """It starts; a warning about nvidia_uvm is what such a node says."""
    if observed["code"] == 0:
        return passed(
            "it starts" + (f", with the expected warning: {HARMLESS}" if HARMLESS in observed["stderr"] else "")
        )
    return failed(observed["stderr"].strip()[-400:] or "nothing within 140 s", "a container that starts")
