"""H-10: Slurm's prolog and epilog end well and quickly."""

from __future__ import annotations

import os
import time
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-10",
    title="prolog and epilog run clean",
    tier="standard",
    step="sample",
    cause="a script calls Slurm's commands or waits for a file system; a failing epilog drains the node",
    fix="run it as root with SLURM_JOB_ID and SLURM_JOB_USER set; bash -x SCRIPT",
    after=("N-30",),
    needs=("root",),
    seconds=60,
)


SECONDS = 5.0
# No job has this number, so that a script that looks for the job's own things finds none.
JOB = "4294901760"


def observe(node: Node) -> Any:
    """Run each script that Slurm names, as root, for a job that does not exist."""
    config = node.run(["scontrol", "show", "config"], 8).stdout
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    given = [f"SLURM_JOB_ID={JOB}", f"SLURM_JOBID={JOB}", "SLURM_JOB_USER=nobody", "SLURM_JOB_UID=65534",
             f"SLURMD_NODENAME={node.name}"]  # fmt: skip
    found = {}
    for kind in ("Prolog", "Epilog"):
        script = slurm.setting(config, kind)
        script = slurm.setting(config, f"{kind}[0]") if script in ("", "(null)") else script
        if script in ("", "(null)"):
            continue
        began = time.monotonic()
        output = node.run([*become, "env", *given, f"SLURM_SCRIPT_CONTEXT={kind.lower()}_slurmd", script], 25)
        found[script] = {**output.record(), "seconds": round(time.monotonic() - began, 2)}
    return {"known": bool(config), "scripts": found}


def judge(observed: Any, context: Context) -> Finding:
    """Exit code 0 within five seconds."""
    if not observed["known"]:
        return errored("scontrol show config said nothing")
    expected = f"exit code 0 within {SECONDS:g} s"
    for script, seen in observed["scripts"].items():
        if seen["code"] != 0:
            said = (seen["stderr"] or seen["stdout"]).strip()[:200]
            return failed(f"{script} ended with {seen['code']}: {said or 'nothing said'}", expected)
        if seen["seconds"] > SECONDS:
            return failed(f"{script} took {seen['seconds']} s", expected)
    return passed(", ".join(observed["scripts"]) or "Slurm names no prolog and no epilog")
