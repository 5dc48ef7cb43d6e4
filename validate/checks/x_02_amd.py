"""X-02: a container on an AMD node has its GPUs, by pyxis and by apptainer --rocm."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="X-02",
    title="AMD GPUs in the container",
    tier="quick",
    step="container",
    cause="the account is not in the groups render and video, or ENROOT_RESTRICT_DEV hides the devices",
    fix="usermod -aG render,video USER on every node and the controller; ls -l /dev/kfd /dev/dri",
    after=("C-01", "N-03"),
    needs=("amd",),
)


def observe(node: Node) -> Any:
    """Open what ROCm opens."""
    cards = [f"dri/{name}" for name in node.devices("dri/renderD*")]
    return {"kfd": node.openable(["kfd"]), "cards": node.openable(cards), "there": len(cards)}


def judge(observed: Any, context: Context) -> Finding:
    """/dev/kfd, and as many cards as Slurm has."""
    driver = "opens" if observed["kfd"] else "does not open"
    said = f"kfd {driver}, {len(observed['cards'])} of {observed['there']} cards open"
    if observed["kfd"] and len(observed["cards"]) == context.slurm["gpus"]:
        return passed(said)
    return failed(said, f"kfd and {context.slurm['gpus']} cards")
