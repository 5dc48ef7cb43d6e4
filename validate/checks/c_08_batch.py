"""C-08: a batch script with #SBATCH --container-image runs in its image."""

from __future__ import annotations

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
    with ThreadPoolExecutor(min(PARALLEL, len(proven))) as pool:
        runs = list(pool.map(lambda name: submit(node, name, deadline), proven))
    if any(run["code"] is None for run in runs):
        # A job that found no node in time would still run later.
        node.run(["scancel", "--quiet", f"--name={node.settings.get('job') or 'validate'}"], 5)
    return {"image": str(node.settings.get("image") or ""), "runs": runs}


def submit(node: Node, name: str, deadline: float) -> dict[str, Any]:
    """Run the script on one node; ``code`` is None where it did not end in time."""
    image, job = str(node.settings.get("image") or ""), str(node.settings.get("job") or "validate")
    words = ["sbatch", f"--nodelist={name}", "--wait", "--nodes=1", f"--job-name={job}", "--output=/dev/null"]
    words += ["--chdir=/", "--time=5"]
    for option in ("partition", "account", "reservation"):
        value = (node.settings.get("proven_partition") if option == "partition" else "") or node.settings.get(option)
        words += [f"--{option}={value}"] if value else []
    root = str((node.settings.get("roots") or {}).get(name) or "?")
    codes = {"inside": INSIDE, "outside": OUTSIDE, "unknown": UNKNOWN}
    script = SCRIPT.format(image=shlex.quote(image), root=shlex.quote(root), **codes)
    command = f"printf %s {shlex.quote(script)} | {shlex.join(words)}"
    left = deadline - time.monotonic()
    output = node.run(["sh", "-c", command], left) if left > 0 else Output(None, "", "not tried: no time was left")
    return {"node": name, "known": root != "?", **output.record()}


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
        return f"no node ran it within {SECONDS} s: {(run['stderr'] or run['stdout']).strip()[:300]}"
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
