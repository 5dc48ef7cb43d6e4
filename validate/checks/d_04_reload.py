"""D-04: a docker container keeps its GPUs over systemctl daemon-reload."""

from __future__ import annotations

import os
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="D-04",
    title="docker's GPUs survive daemon-reload",
    tier="deep",
    step="sample",
    cause="systemd applies the device rules of the container's cgroup anew: Failed to initialize NVML: Unknown Error",
    fix="devices by CDI: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml; nvidia-ctk runtime configure "
    "--runtime=docker --cdi.enabled; systemctl restart docker; docker run --device nvidia.com/gpu=all",
    after=("D-03",),
    needs=("nvidia", "root", "network"),
    seconds=150,
)


def observe(node: Node) -> Any:
    """Ask nvidia-smi in the same container before and after."""
    image = str(node.settings.get("online_image") or "").replace("#", "/", 1)
    if not image or not node.which("docker"):
        return {"image": ""}
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    name = f"slipway-validate-{os.environ.get('SLURM_JOB_ID', '0')}"
    started = node.run(
        [*become, "docker", "run", "--detach", "--rm", f"--name={name}", "--gpus=all", image, "sleep", "60"], 100
    )
    try:
        ask = [*become, "docker", "exec", name, "nvidia-smi", "-L"]
        before = node.run(ask, 15)
        reload = node.run([*become, "systemctl", "daemon-reload"], 15)
        after = node.run(ask, 15)
    finally:
        node.run([*become, "docker", "rm", "--force", name], 15)
    return {
        "image": image,
        "started": started.record(),
        "before": before.record(),
        "reload": reload.code,
        "after": after.record(),
    }


def judge(observed: Any, context: Context) -> Finding:
    """The same answer twice."""
    if "docker" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name docker")
    if not observed["image"]:
        return skipped("validate_online_image names none")
    if observed["before"]["code"] != 0 or observed["reload"] != 0:
        said = observed["started"]["stderr"] or observed["before"]["stderr"] or "daemon-reload was refused"
        return errored(said.strip()[-300:])
    if observed["after"]["code"] != 0 or observed["after"]["stdout"] != observed["before"]["stdout"]:
        said = (observed["after"]["stdout"] + observed["after"]["stderr"]).strip()[-300:]
        return failed(said or "no GPU any more", "the GPUs of before")
    return passed("the same GPUs before and after")
