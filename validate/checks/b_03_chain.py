"""B-03: what docker built is imported by enroot, and runs under Slurm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="B-03",
    title="build, import, run",
    tier="deep",
    step="sample",
    cause="enroot cannot read docker's image: the account may not use docker, or the temporary path has no room",
    fix="enroot import dockerd://IMAGE on this node",
    after=("B-01", "C-01"),
    needs=("nvidia", "network"),
    seconds=330,
)


def observe(node: Node) -> Any:
    """Import the image of B-01, run its program in a job, and remove both."""
    if not node.which("docker") or len(node.settings.get("build_images") or ()) != 2:
        return {"built": False}
    tag, path = f"slipway-validate:{os.environ.get('SLURM_JOB_ID', '0')}", Path(node.scratch, "b03.sqsh")
    done = node.run(["enroot", "import", "--output", str(path), f"dockerd://{tag}"], 250)
    ran = node.contained(["/square"], image=str(path), seconds=60) if done.code == 0 else done
    path.unlink(missing_ok=True)
    node.run(["docker", "image", "rm", "--force", tag], 15)
    return {"built": True, "import": done.record(), "ran": ran.record()}


def judge(observed: Any, context: Context) -> Finding:
    """The same result as in docker."""
    if "docker" not in context.settings["runtimes"] or not observed["built"]:
        return skipped("validate_runtimes does not name docker, or validate_build_images names none")
    for what in ("import", "ran"):
        if observed[what]["code"] != 0:
            return failed(f"{what}: {observed[what]['stderr'].strip()[-300:]}", "imported, and run")
    if "sum=5559680" not in observed["ran"]["stdout"]:
        return failed(observed["ran"]["stdout"].strip()[-200:] or "nothing", "sum=5559680")
    return passed("built by docker, imported by enroot, run by Slurm")
