"""C-08: a batch script with #SBATCH --container-image runs in its image."""

from __future__ import annotations

import shlex
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-08",
    title="batch script in a container (one node)",
    tier="quick",
    step="submit",
    cause="sbatch's option is switched off (sbatch_support=0), or the node that ran it has no pyxis (pyxis#58)",
    fix="look at the arguments in plugstack.conf; playbooks/reconfigure.yml",
    after=("H-01", "H-03", "H-04", "H-07", "H-08", "N-01", "N-30", "C-01", "L-04"),
    seconds=100,
)
SECONDS = 90
INSIDE, OUTSIDE = 42, 43
# The job's exit code is the answer, so that no file has to be visible on both hosts.
SCRIPT = """#!/bin/sh
#SBATCH --container-image={image}
if [ "$(cat /etc/os-release)" = "$VALIDATE_SYSTEM" ]; then exit {outside}; else exit {inside}; fi
"""


def observe(node: Node) -> Any:
    """Submit it and wait; a job that found no node in time is cancelled."""
    image, job = str(node.settings.get("image") or ""), str(node.settings.get("job") or "validate")
    proven = node.settings.get("proven")
    if not proven:
        return {"nowhere": True}
    words = [
        "sbatch",
        f"--nodelist={','.join(proven)}",
        "--wait",
        "--nodes=1",
        f"--job-name={job}",
        "--output=/dev/null",
        "--chdir=/",
        "--time=5",
    ]
    for name in ("partition", "account", "reservation"):
        if node.settings.get(name):
            words.append(f"--{name}={node.settings[name]}")
    script = SCRIPT.format(image=shlex.quote(image), inside=INSIDE, outside=OUTSIDE)
    command = f"printf %s {shlex.quote(script)} | {shlex.join(words)}"
    system = node.read("/etc/os-release") or ""
    output = node.run(["sh", "-c", command], SECONDS, {"VALIDATE_SYSTEM": system.rstrip("\n")})
    if output.code is None:
        node.run(["scancel", "--quiet", f"--name={job}"], 5)
    return {**output.record(), "image": image}


def judge(observed: Any, context: Context) -> Finding:
    """It ran, and not on this system."""
    if "pyxis" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name pyxis")
    if observed.get("nowhere"):
        return errored("not tried: no node had answered")
    said = (observed["stderr"] or observed["stdout"]).strip()[:300]
    if observed["code"] == INSIDE:
        return passed("ran in the image")
    if observed["code"] is None:
        return errored(f"no node ran it within {SECONDS} s: {said}")
    if observed["code"] == OUTSIDE:
        return failed("the script saw the node's own system", "the image's system")
    return failed(said or f"exit code {observed['code']}", "a script that runs in its image")
