"""C-08: a batch script with #SBATCH --container-image runs in its image."""

from __future__ import annotations

import re
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node, Output

CHECK = Check(
    id="C-08",
    title="batch script in a container (deep: on every node)",
    tier="quick",
    step="submit",
    cause="sbatch's option is switched off (sbatch_support=0), or the node that ran it has no pyxis (pyxis#58)",
    fix="look at the arguments in plugstack.conf; playbooks/reconfigure.yml",
    after=("H-01", "H-03", "H-04", "H-07", "H-08", "N-01", "N-30", "C-01", "L-04"),
    seconds=100,
)
SECONDS = 90
# Seconds between two looks at a job: as many looks for a slow start as for a long one. sbatch --wait would look again
# only after 2, 8 and 32 s (Slurm 24.11), and an ended job would be waited for half a minute.
SOONEST, LATEST = 0.3, 4.0
# States of a job whose script ended, and of one that something else ended: it proves nothing of containers.
ENDED = ("COMPLETED", "FAILED", "OUT_OF_MEMORY")
STOPPED = ("CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "REVOKED")
# Jobs at once, where the deep tier tries every node.
PARALLEL = 64
INSIDE, OUTSIDE, UNKNOWN = 42, 43, 44
# The job's exit code is the answer, so that no file has to be visible on both hosts. Inside, another file system than
# the node's is mounted on /: the image may be of the very system that the submit host or the node has.
SCRIPT = """#!/bin/sh
#SBATCH --container-image={image}
found=:
while read -r _ _ _ part point rest; do
  [ "$point" = / ] || continue
  rest="${{rest#*- }}" && rest="${{rest#* }}" && found="${{rest%% *}}:$part"
done < /proc/self/mountinfo
case "$found" in :) exit {unknown};; {root}) exit {outside};; *) exit {inside};; esac
"""


def observe(node: Node) -> Any:
    """Submit it and wait, on every node that answered where ``proven`` names them all."""
    proven = list(node.settings.get("proven") or ())
    if not proven:
        return {"nowhere": True}
    deadline = time.monotonic() + SECONDS
    jobs = min(PARALLEL, len(proven))
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda name: submit(node, name, deadline, jobs), proven))
    if any(run["code"] is None for run in runs):
        # A job that found no node in time would still run later.
        node.run(["scancel", "--quiet", f"--name={node.settings.get('job') or 'validate'}"], 5)
    return {"image": str(node.settings.get("image") or ""), "runs": runs}


def submit(node: Node, name: str, deadline: float, jobs: int) -> dict[str, Any]:
    """Run the script on one node, beside so many others; ``code`` is None where it did not end in time."""
    image, job = str(node.settings.get("image") or ""), str(node.settings.get("job") or "validate")
    words = ["sbatch", "--parsable", f"--nodelist={name}", "--nodes=1", f"--job-name={job}", "--output=/dev/null"]
    words += ["--chdir=/", "--time=5", "--no-requeue"]
    for option in ("partition", "account", "reservation"):
        value = (node.settings.get("proven_partition") if option == "partition" else "") or node.settings.get(option)
        words += [f"--{option}={value}"] if value else []
    root = str((node.settings.get("roots") or {}).get(name) or "?")
    codes = {"inside": INSIDE, "outside": OUTSIDE, "unknown": UNKNOWN}
    script = SCRIPT.format(image=shlex.quote(image), root=shlex.quote(root), **codes)
    command = f"printf %s {shlex.quote(script)} | {shlex.join(words)}"
    left = deadline - time.monotonic()
    output = node.run(["sh", "-c", command], left) if left > 0 else Output(None, "", "not tried: no time was left")
    if output.code == 0:
        number = re.search(r"^(\d+)(;\S+)?\s*\Z", output.stdout, re.MULTILINE)
        output = ended(node, number.group(1), deadline, jobs) if number else Output(None, output.stdout, output.stderr)
    return {"node": name, "known": root != "?", **output.record()}


def ended(node: Node, job: str, deadline: float, jobs: int) -> Output:
    """Wait for one of so many jobs; its exit code, as a shell has it, and what Slurm last said of it."""
    # All of them ask slurmctld, which may serve an account only so many times a second.
    pause, longest = max(SOONEST, jobs / 30), max(LATEST, jobs / 5)
    while True:
        shown = node.run(["scontrol", "--oneliner", "show", "job", job], max(1, min(20, deadline - time.monotonic())))
        said = dict(re.findall(r"\b(JobState|Reason|ExitCode)=(\S+)", shown.stdout))
        text = " ".join(f"{key}={value}" for key, value in said.items()) or shown.stderr
        state, (code, _, signal) = said.get("JobState", ""), said.get("ExitCode", "0:0").partition(":")
        # One that completes may be about to begin anew, and then it has no code yet.
        if state in ENDED or (state == "COMPLETING" and (code, signal) != ("0", "0")):
            return Output(128 + int(signal) if int(signal or 0) else int(code), f"job {job}: {text}", "")
        # Slurm forgets jobs after MinJobAge.
        if state in STOPPED or "Invalid job id" in shown.stderr or time.monotonic() + pause > deadline:
            return Output(None, f"job {job}: {text}", "")
        time.sleep(pause)
        pause = min(longest, pause * 1.3)


def judge(observed: Any, context: Context) -> Finding:
    """It ran, and not on the node's own system."""
    if "pyxis" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name pyxis")
    if observed.get("nowhere"):
        return errored("not tried: no node had answered")
    # Results stored before the nodes were named have one run.
    runs = observed.get("runs", [observed])
    bad = [(run.get("node", ""), said) for run in runs if (said := fault(run))]
    if bad:
        more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
        said = "; ".join(f"{name or 'the node'}: {said}" for name, said in bad[:3])
        return failed(said + more, "a script that runs in its image", about=tuple(name for name, _said in bad))
    unproven = [f"{run.get('node', 'the node')}: {said}" for run in runs if (said := doubt(run))]
    if unproven:
        return errored(f"{'; '.join(unproven[:3])}, {len(unproven)} of {len(runs)}")
    names = ", ".join(str(run.get("node", "")) for run in runs[:5])
    return passed(f"ran in the image on {names if len(runs) <= 5 else f'{len(runs)} nodes'}")


def doubt(run: Any) -> str:
    """Return why a run proves nothing, '' where it does."""
    if run["code"] is None:
        return f"not run to its end within {SECONDS} s: {(run['stderr'] or run['stdout']).strip()[:300]}"
    if run["code"] == UNKNOWN or run.get("known") is False:
        return "the script or the node did not say what is mounted on /"
    return ""


def fault(run: Any) -> str:
    """Return what is wrong with a run that ended, '' where nothing is or it did not end."""
    if run["code"] in (None, INSIDE, UNKNOWN):
        return ""
    if run["code"] == OUTSIDE:
        return "the script saw the node's own system"
    return (run["stderr"] or run["stdout"]).strip()[:300] or f"exit code {run['code']}"
