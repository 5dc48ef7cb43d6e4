"""I-09: docker does not leave the job, or the site says that it may."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="I-09",
    title="docker stays in its job",
    tier="standard",
    step="sample",
    cause="dockerd is no child of the job: its containers have all GPUs, cores and memory of the node",
    fix="take users out of the group docker, use enroot or apptainer; or say validate_docker_escape: allow",
    after=("D-01",),
    seconds=150,
)


def observe(node: Node) -> Any:
    """Start a container of an image that is there or can be had, and look at the cgroup of its first process."""
    if not node.which("docker"):
        return {"installed": False}
    refused = node.run(["docker", "ps"], 8)
    if refused.code != 0:
        said = refused.stderr.strip()[-300:] or f"exit code {refused.code}"
        return {"installed": True, "refused": said, "hung": refused.code is None}
    name = f"slipway-validate-{os.environ.get('SLURM_JOB_ID', '0')}"
    image = str(node.settings.get("online_image") or "")
    local = node.run(["docker", "image", "ls", "--quiet"], 8).stdout.split()
    chosen = local[0] if local else image
    if not chosen:
        return {"installed": True, "refused": "", "image": ""}
    started = node.run(["docker", "run", "--detach", "--rm", f"--name={name}", chosen, "sleep", "30"], 120)
    pid = node.run(["docker", "inspect", "--format={{.State.Pid}}", name], 8).stdout.strip()
    group = node.read(f"/proc/{pid}/cgroup") if pid.isdigit() else None
    node.run(["docker", "rm", "--force", name], 20)
    if not local:
        node.run(["docker", "image", "rm", chosen], 20)
    return {"installed": True, "refused": "", "image": chosen, **started.record(), "group": group}


def judge(observed: Any, context: Context) -> Finding:
    """Refused, or inside the job's cgroup; else as the site says, and never silently."""
    if "docker" not in context.settings["runtimes"] or not observed["installed"]:
        return skipped("validate_runtimes does not name docker")
    if observed.get("hung"):
        return errored("docker ps did not answer")
    if observed["refused"]:
        return passed(f"docker is refused: {observed['refused']}")
    if not observed["image"]:
        return skipped("no image: docker has none, and validate_online_image names none")
    if observed["group"] is None:
        return errored(observed["stderr"].strip()[-300:] or "its process was not found")
    if re.search(r"slurm|job_\d+", observed["group"]):
        return passed("in the job's cgroup")
    policy, said = context.settings.get("docker_escape", "warn"), "a container outside the job's cgroup"
    if policy == "allow":
        return passed(f"{said}, which validate_docker_escape allows")
    return (failed if policy == "refuse" else warned)(said, "refused, or inside the job")
