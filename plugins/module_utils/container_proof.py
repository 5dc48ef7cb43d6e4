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

# `read` and `echo` are the shell's own: the image holds no other program.
SHOW = 'echo {begin} ${{SLURMD_NODENAME:-}}; while read -r line; do echo "$line"; done < /etc/os-release; echo {end}'

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
BUSY = re.compile(r"Requested nodes are busy|Immediate execution impossible|Resources temporarily unavailable|"
                  r"Unable to allocate resources: (?:Requested node configuration is not available|Nodes required)")  # fmt: skip
# The same for every cause; the cause is inside the block of enroot's log (stack-facts, pyxis 0.24).
NOISE = re.compile(r"HOME: unbound variable|unusual entrypoint|printing enroot log file|couldn't start container|"
                   r"task_init\(\) failed|Failed to invoke spank plugin stack|launch failed|"
                   r"Job/step already completing|task \d+: Exited|Plugin stack initialization failed$")  # fmt: skip


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
    lines = [re.sub(r"^(?:srun|slurmstepd(?:-\S+)?|salloc|error|spank)[^:]*: *", "", line).strip() for line in text.splitlines()]
    lines = [re.sub(r"^(?:(?:error|pyxis|\d+|slurmstepd): *)+", "", line).strip() for line in lines]
    told = [line for line in lines if line and not NOISE.search(line)]
    for mark in ("[ERROR]", "unrecognized option", "error", "failed", "No such file", "denied", "cannot"):
        marked = [line for line in told if mark in line]
        if marked:
            return marked[0]
    return told[-1] if told else "nothing was printed"


def judge(code: int | None, output: str, errors: str, container: bool, token: str) -> Verdict:
    """Judge a finished job; ``code`` is salloc's exit code, None when it was stopped at its time limit."""
    host = between(output, BEGIN, END)
    if host is None and code is not None:
        if BUSY.search(errors):
            return Verdict("unproven", "no node was free: " + inner_cause(errors), "")
        if code not in STAGES:
            return Verdict("refused", inner_cause(errors), "")
    node = host[0] if host else ""
    if code is None:
        return Verdict("failed", "the job did not end in time; so far: " + inner_cause(errors or output), node)
    if code in STAGES:
        return Verdict("failed", "%s: %s" % (STAGES[code], inner_cause(errors)), node)
    if code or host is None:
        return Verdict("failed", "salloc ended with exit code %d: %s" % (code, inner_cause(errors)), node)
    if not container:
        return Verdict("proven", "", node)
    inside = between(output, INSIDE_BEGIN, INSIDE_END)
    if inside is None:
        return Verdict("failed", "the container step printed nothing: " + inner_cause(errors), node)
    if inside[1] == host[1]:
        return Verdict("failed", "the step ran on the node and not in the container", node)
    if token and token not in inside[1]:
        return Verdict("failed", "the step ran in some other image than the one asked for", node)
    return Verdict("proven", "", node)
