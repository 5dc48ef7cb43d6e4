"""Talks to the running Slurm: what its nodes are, and whether a job really is confined."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import CommandError, SandboxError
from .plan import Existing
from .podman import Podman
from .slurm_config import GPUS

READY_SECONDS = 90
WORKING = {"idle", "mixed", "allocated", "completing"}
# Set aside by somebody on purpose: reported, but nothing that `up` should undo.
SET_ASIDE = {"drained", "draining", "reserved", "maint", "planned"}
PROBE = (
    'opened=""; for i in $(seq 0 $((GPUS - 1))); do '
    '(: < /dev/nvidia$i) 2>/dev/null && opened="$opened$i,"; done; '
    'echo "$(hostname) ${CUDA_VISIBLE_DEVICES:-none} ${opened%,}"'
).replace("GPUS", str(GPUS))


@dataclass(frozen=True)
class States:
    states: dict[str, str]

    def listing(self, wanted: set[str]) -> list[str]:
        return [node for node, state in self.states.items() if state in wanted]

    def settled(self, nodes: Iterable[str]) -> bool:
        return all(self.states.get(node) in WORKING | SET_ASIDE for node in nodes)

    def describe(self) -> str:
        counts: dict[str, int] = {}
        for state in self.states.values():
            counts[state] = counts.get(state, 0) + 1
        return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def parse_states(text: str) -> States:
    """From `sinfo -h -N -o '%N %T'`; a trailing sign such as `*` marks a node that is silent."""
    pairs = (line.split() for line in text.splitlines() if line.strip())
    return States({pair[0]: pair[1] for pair in pairs if len(pair) == 2})


def states(podman: Podman, head: str) -> States:
    answer = podman.execute(head, "sinfo", "-h", "-N", "-o", "%N %T", accept=None, timeout=60)
    return parse_states(answer.stdout if answer.code == 0 else "")


def wait(podman: Podman, head: str, nodes: list[str]) -> States:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        found = states(podman, head)
        if found.settled(nodes):
            return found
        if time.monotonic() > deadline:
            break
        time.sleep(0.3)
    reasons = podman.execute(head, "sinfo", "-R", accept=None).output
    log = podman.execute(head, "tail", "-n5", "/var/log/slurm/slurmctld.log", accept=None).stdout
    raise SandboxError(
        f"after {READY_SECONDS} s Slurm's nodes are: {found.describe() or 'unknown'}\n"
        f"{reasons}\nslurmctld.log on head ends with:\n{log}"
    )


def judge_probe(text: str, nodes: Iterable[str]) -> list[str]:
    """Each node must have run the task, with two GPUs visible and only those two opening."""
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    problems = []
    for node in nodes:
        if node not in lines:
            problems.append(f"{node} ran no task")
        elif len(lines[node]) != 2 or len(lines[node][0].split(",")) != 2:
            problems.append(f"{node}: expected 2 visible GPUs, got: {' '.join(lines[node])}")
        elif lines[node][0] != lines[node][1]:
            seen, opened = lines[node]
            problems.append(f"{node}: GPUs {seen} are the job's, but GPUs {opened} open")
    return problems


def prove(podman: Podman, login: str, nodes: list[str]) -> None:
    """An ordinary user's job on every node, confined to the GPUs it asked for."""
    command = ["srun", f"--nodes={len(nodes)}", "--ntasks-per-node=1", "--gres=gpu:2"]
    try:
        answer = podman.execute(login, *command, "--immediate=60", "sh", "-c", PROBE, user="member", timeout=180)
    except CommandError as error:
        raise SandboxError(f"a job of `member` on all nodes did not run\n{error}") from error
    problems = judge_probe(answer.stdout, nodes)
    if problems:
        raise SandboxError("a job is not what it should be:\n  " + "\n  ".join(problems))


def adopt(podman: Podman, nodes: Iterable[Existing], files: list[str], head: str) -> None:
    """Tell running nodes of new ones. Slurm before 23.11 cannot add nodes while it runs."""
    replace = '[ ! -e /etc/slurm/slurm.conf ] || install -m 0644 "$@" /etc/slurm/'
    for node in nodes:
        podman.execute(node.id, "/usr/local/lib/slipway-sandbox/prepare")
        podman.execute(node.id, "sh", "-ec", replace, "sh", *files)
    version = podman.execute(head, "slurmctld", "-V").stdout.split()[-1]
    series = tuple(int(part) for part in version.split(".")[:2])
    if series >= (23, 11):
        podman.execute(head, "scontrol", "reconfigure")
    else:
        podman.execute(head, "systemctl", "restart", "slurmctld")
