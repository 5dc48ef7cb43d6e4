"""C-07: the one-line example of the platforms' guides: an image straight from its registry."""

from __future__ import annotations

import re
from typing import Any

from validate import reading, smi
from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-07",
    title="image from a registry, in one line",
    tier="standard",
    step="sample",
    cause="the registry refuses, limits, or is not reached from this node",
    fix="enroot digest docker://IMAGE on this node; registry#path; ~/.config/enroot/.credentials; proxy",
    after=("C-01", "C-20", "C-16"),
    beside=("N-04",),
    needs=("network",),
    seconds=310,
)


PROGRAM = f"cat /etc/os-release; {reading.SHOW_ROOT}; command -v nvidia-smi > /dev/null && nvidia-smi -L; true"


def observe(node: Node) -> Any:
    """Run it as a user would type it."""
    image = str(node.settings.get("online_image") or "")
    said = node.contained(["sh", "-c", PROGRAM], image=image, seconds=300).record() if image else {}
    return {"image": image, "root": reading.root_mount(node), **said}


def judge(observed: Any, context: Context) -> Finding:
    """Another root file system than the node's answers, on an NVIDIA node with its GPUs."""
    # Only the control node has it.
    from validate import diagnosis  # noqa: PLC0415 - see above

    if not observed["image"]:
        return skipped("validate_online_image names none")
    if observed["code"] is None:
        return failed(
            "no container within 300 s", "a container", "the registry does not answer in time: proxy, bandwidth"
        )
    if not re.search(r"^\w+=", observed["stdout"], re.MULTILINE):
        found = diagnosis.of_container(observed["stderr"])
        return failed(found.line, f"{observed['image']} starts", found.cause, found.fix, found.who)
    # Not by os-release: image and node may be the same distribution.
    root = reading.root_of(observed["stdout"])
    if root == ":":
        return errored("the image did not say what is mounted on /")
    if root == observed["root"]:
        return failed(
            "the node's own system",
            "the image's",
            "the job ran on the node instead of in the image (pyxis#84)",
            "see C-01: playbooks/site.yml installs pyxis here, playbooks/reconfigure.yml has slurmd load it",
        )
    count = smi.listed_gpus(observed["stdout"])
    if "nvidia" in context.profile.has and count != context.slurm["gpus"]:
        return failed(f"{count} GPUs", f"{context.slurm['gpus']} GPUs")
    return passed(f"{observed['image']}, {count} GPUs")
