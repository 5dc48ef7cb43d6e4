"""A second converge changes nothing, restarts nothing, and asks each node little."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

# The goal for the whole stack is 20: one looks at the node.
MOST_REMOTE_CALLS = 1
# Three times as many where no host leaves the play; each that leaves is a line of its own.
MOST_TASKS = 12
# The kernel draws auxv's random address anew on every exec, so it shows a daemon that re-executed itself.
DAEMONS = (
    "for name in slurmctld slurmd; do for process in $(pgrep -x $name); do "
    "echo $name $process $(cut -d' ' -f22 /proc/$process/stat) $(md5sum < /proc/$process/auxv); done; done; true"
)


@dataclass(frozen=True)
class Second:
    """A converge with nothing to do, and Slurm's daemons before and after it."""

    before: dict[str, str]
    run: Run
    after: dict[str, str]


def daemons(sandbox: Sandbox) -> dict[str, str]:
    return {node: sandbox.ask(node, DAEMONS) for node in sandbox.nodes}


@pytest.fixture(scope="module")
def second(sandbox: Sandbox) -> Second:
    sandbox.settle()
    return Second(daemons(sandbox), sandbox.converge("-vvv"), daemons(sandbox))


def test_a_second_converge_changes_nothing(sandbox: Sandbox, second: Second) -> None:
    run = second.run.unchanged()
    assert sorted(run.recap) == sorted(sandbox.nodes)


def test_a_second_converge_restarts_nothing(second: Second) -> None:
    assert "slurmctld" in second.before["head"] and "slurmd" in second.before["compute1"]
    assert second.after == second.before


def test_a_second_converge_makes_few_remote_calls(sandbox: Sandbox, second: Second) -> None:
    marks = (" SSH: EXEC ", " PUT ", " FETCH ")
    calls = Counter(
        line.partition(">")[0].strip("<")
        for line in second.run.output.splitlines()
        if line.startswith("<") and any(mark in line for mark in marks)
    )
    counted = {node.name: calls[node.address] for node in sandbox.cluster.nodes}
    assert min(counted.values()) > 0, "no call was counted: has the log another form?"
    assert max(counted.values()) <= MOST_REMOTE_CALLS, counted


def test_hosts_leave_a_second_converge(sandbox: Sandbox, second: Second) -> None:
    assert second.run.tasks <= MOST_TASKS + len(sandbox.nodes)
