"""A bounded job that proves that a container step runs inside its container: script, and judgement of its output.

Pure: nothing here starts a process.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BEGIN, END = "slipway-host-begin", "slipway-host-end"
INSIDE_BEGIN, INSIDE_END = "slipway-container-begin", "slipway-container-end"

# Runs on the node, as the job's user. An image of the node's own shell and its libraries needs no registry,
# and the token in it cannot be read outside the container.
MAKE_IMAGE = r"""
set -eu
umask 022
work=$(mktemp -d /tmp/slipway-proof.XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/root"
shell=$(readlink -f /bin/sh)
cp "$shell" "$root/bin/sh"
for library in $(ldd "$shell" | grep -o '/[^ )]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
printf 'ID=slipway-proof\nVERSION_ID=%s\n' "$SLIPWAY_PROOF_TOKEN" > "$root/etc/os-release"
PATH=$PATH:/usr/sbin:/sbin mksquashfs "$root" "$work/image" -quiet -no-progress -noappend > /dev/null
mv "$work/image" "$SLIPWAY_PROOF_IMAGE"
"""

# `read` and `echo` are the shell's own: the image holds no other program. The number of the mount that is / tells
# inside from outside where both are of the same distribution.
SHOW = """
echo {begin} ${{SLURMD_NODENAME:-}}
while read -r line; do echo "$line"; done < /etc/os-release
while read -r number parent device root point rest; do
    [ "$point" != / ] || echo "root $number"
done < /proc/self/mountinfo
echo {end}
"""

# Runs on the submitting host inside the allocation.
SCRIPT = r"""
srun --ntasks=1 sh -c "$SLIPWAY_PROOF_HOST" || exit 90
if [ -n "${SLIPWAY_PROOF_CONTAINER:-}" ]; then
    image=${SLIPWAY_PROOF_GIVEN:-}
    if [ -z "$image" ]; then
        export SLIPWAY_PROOF_IMAGE=/tmp/slipway-proof-$SLURM_JOB_ID.sqsh
        srun --ntasks=1 sh -c "$SLIPWAY_PROOF_MAKE" || exit 91
        image=$SLIPWAY_PROOF_IMAGE
        trap 'srun --ntasks=1 rm -f "$SLIPWAY_PROOF_IMAGE"' EXIT
    fi
    srun --ntasks=1 --container-image="$image" sh -c "$SLIPWAY_PROOF_INSIDE" || exit 92
fi
"""

STAGES = {
    90: "a plain step without a container failed",
    91: "the test image could not be made on the node",
    92: "the container step failed",
}
# Slurm's slurm_errno.c.
BUSY = re.compile(
    "Requested nodes are busy|Immediate execution impossible|Resources temporarily unavailable|"
    "Requested (?:node|partition) configuration (?:is )?not available|Nodes required for job are DOWN|"
    # What salloc --immediate=SECONDS says when they are over (24.11).
    r"queued and waiting for resources\n[\s\S]*Unable to allocate resources: Connection timed out"
)
GRANTED = "Granted job allocation"
# A client that cannot load the plugin submits nothing at all, so that no job would ever say so.
BROKEN_CLIENT = re.compile(
    "spank: |pyxis: |Incompatible Slurm plugin|plugin_load_from_file|Plug-in initialization|plugin stack"
)
PREFIX = re.compile(r"^(?:srun|salloc|slurmstepd(?:-\S+)?): (?:error: )?(?:spank: )?(?:error: )?")
# The same for every cause (stack-facts section 6, pyxis 0.24), or no cause at all.
NOISE = re.compile(
    r"HOME: unbound variable|unusual entrypoint|printing enroot log file|couldn't start container|"
    r"container start failed with error code|container was not started successfully by another task|"
    r"child \d+ failed with error code|task_init\(\) failed|Failed to invoke spank plugin stack|"
    r"Job/step already completing|task \d+: Exited|Job step aborted|forcing job termination|Granted job allocation|"
    r"Relinquishing job allocation|Waiting for resource configuration|ready for job$|queued and waiting for resources|"
    r"has been allocated resources|import(?:ing|ed) docker image|provided by both|^\[INFO\]"
)
FAULT = re.compile(
    r"\[ERROR\]|unrecognized option|[Ee]rror|failed|[Nn]o such|[Dd]enied|[Cc]annot|[Cc]ould not|not found|Invalid"
)


class Verdict(NamedTuple):
    """``outcome`` is proven, failed (with the cause), unproven (no node was free) or refused (no job at all)."""

    outcome: str
    cause: str
    node: str


def environment(container: bool, image: str, token: str) -> dict[str, str]:
    """Return the variables that SCRIPT reads."""
    variables = {
        "SLIPWAY_PROOF_HOST": SHOW.format(begin=BEGIN, end=END),
        "SLIPWAY_PROOF_INSIDE": SHOW.format(begin=INSIDE_BEGIN, end=INSIDE_END),
        "SLIPWAY_PROOF_MAKE": MAKE_IMAGE,
        "SLIPWAY_PROOF_TOKEN": token,
    }
    if container:
        variables["SLIPWAY_PROOF_CONTAINER"] = "yes"
    if image:
        variables["SLIPWAY_PROOF_GIVEN"] = image
    return variables


def between(text: str, begin: str, end: str) -> tuple[str, str] | None:
    """Return (node, os-release text) of one step's output, None when the step did not print it whole."""
    found = re.search(r"^%s ?(\S*)\n(.*?)^%s$" % (begin, end), text, re.MULTILINE | re.DOTALL)
    return (found.group(1), found.group(2)) if found else None


def inner_cause(text: str) -> str:
    """Return the line that says why, out of what srun, pyxis and enroot print around it."""
    inside, outside, rest = [], [], []
    for whole in text.splitlines():
        line = PREFIX.sub("", whole)
        told = line.removeprefix("pyxis: ").strip()
        if not told or NOISE.search(told):
            rest.append(told)
        elif line.startswith("pyxis:     "):
            inside.append(told)
        elif "error:" in whole:
            outside.append(told)
        else:
            rest.append(told)
    faults = sorted((line for line in inside if FAULT.search(line)), key=lambda line: "[ERROR]" not in line)
    candidates = faults or outside or [line for line in rest if FAULT.search(line) and not NOISE.search(line)]
    candidates = candidates or inside[-1:] or [line for line in rest if line][-1:]
    return candidates[0] if candidates else "nothing was printed"


def _job_problem(code: int | None, ran: bool, output: str, errors: str) -> tuple[str, str]:
    """Return (outcome, cause) of what went wrong before a container was asked for, ('', '') when nothing did."""
    told = inner_cause(errors or output)
    if code is None:
        if not ran and "Waiting for resource configuration" in errors and "ready for job" not in errors:
            return "unproven", "the node was not ready in time: " + told
        return "failed", "the job did not end in time; so far: " + told
    if code in STAGES:
        return "failed", "%s: %s" % (STAGES[code], told)
    if code == 0:
        return ("", "") if ran else ("failed", "the job printed nothing whole: " + told)
    if ran or GRANTED in errors:
        return "failed", "salloc ended with exit code %d: %s" % (code, told)
    if BUSY.search(errors):
        return "unproven", "no node was free: " + told
    return ("failed", "salloc cannot load the plugin: " + told) if BROKEN_CLIENT.search(errors) else ("refused", told)


def _container_problem(host: str, inside: tuple[str, str] | None, errors: str, token: str) -> str:
    """Return why a container step that ended well proves nothing, '' when it proves that it ran inside."""
    if inside is None:
        return "the container step printed nothing whole: " + inner_cause(errors)
    if inside[1] == host:
        return "the step ran on the node and not in the container"
    if token and token not in inside[1]:
        return "the step ran in some other image than the one asked for"
    return ""


def judge(code: int | None, output: str, errors: str, container: bool, token: str) -> Verdict:
    """Judge a finished job; ``code`` is salloc's exit code, None when it was stopped at its time limit."""
    host = between(output, BEGIN, END)
    node, release = host or ("", "")
    outcome, cause = _job_problem(code, host is not None, output, errors)
    if outcome:
        return Verdict(outcome, cause, node)
    if container:
        cause = _container_problem(release, between(output, INSIDE_BEGIN, INSIDE_END), errors, token)
    return Verdict("failed" if cause else "proven", cause, node)
