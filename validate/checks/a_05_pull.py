"""A-05: Apptainer builds an image from a registry, through the node's proxy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="A-05",
    title="apptainer build from a registry",
    tier="standard",
    step="sample",
    cause="the registry is not reached from the compute node: http_proxy and https_proxy are not set there",
    fix="env | grep -i proxy in a job on this node; curl -I the registry; apptainer registry login",
    after=("A-06", "C-20", "C-16"),
    needs=("network",),
    seconds=330,
)


def observe(node: Node) -> Any:
    """Build it in the job's scratch directory."""
    image, scratch = str(node.settings.get("online_image") or ""), Path(node.scratch)
    if not image or not node.which("apptainer"):
        return {"image": ""}
    built = scratch / "a05.sif"
    # A site that allows enroot plain HTTP has such a registry, and Apptainer must be told.
    plain = ["--no-https"] if reading.enroot_settings(node).get("ENROOT_ALLOW_HTTP", "").lower() in ("y", "yes") else []
    directories = {"APPTAINER_TMPDIR": node.scratch, "APPTAINER_CACHEDIR": str(scratch / "a05-cache")}
    words = ["apptainer", "build", *plain, str(built), f"docker://{image.replace('#', '/', 1)}"]
    done = node.run(words, 300, directories)
    inside = node.run(["apptainer", "--silent", "exec", str(built), "true"], 20) if done.code == 0 else done
    built.unlink(missing_ok=True)
    proxy = sorted(name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy"))
    return {"image": image, "build": done.record(), "inside": inside.record(), "proxy": proxy}


def judge(observed: Any, context: Context) -> Finding:
    """Built, and it starts."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed["image"]:
        return skipped("validate_online_image names none")
    for what in ("build", "inside"):
        if observed[what]["code"] != 0:
            lines = [line for line in observed[what]["stderr"].splitlines() if "FATAL" in line]
            said = (lines or observed[what]["stderr"].strip().splitlines() or ["no end in time"])[-1][:400]
            return failed(f"{said} (proxy variables: {', '.join(observed['proxy']) or 'none'})", "built and started")
    return passed(observed["image"])
