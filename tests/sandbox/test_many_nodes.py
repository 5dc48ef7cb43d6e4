"""The acceptance suite on many nodes (`make test-many`, SANDBOX_COMPUTE=32): a dead slurmd costs one row, and no more.

An ordinary `srun` over all nodes is given up by Slurm as soon as one of them does not answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import stack
from cluster.process import Runner

from tests.faults import bench
from tests.sandbox.harness import Sandbox
from validate.model import NO_RESULT, PASS

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

KILLED = next(fault for fault in bench.load("live") if fault.name == "slurmd_killed")


@pytest.fixture
def ready(sandbox: Sandbox) -> Sandbox:
    """All nodes idle, and the image where every node sees it."""
    stack.stage_image(Runner(), sandbox.settings)
    sandbox.look()
    bench.settle(sandbox)
    return sandbox


@pytest.fixture
def dead(ready: Sandbox) -> Iterator[str]:
    """A node in the middle of the chunk, whose slurmd has been killed and is not started again."""
    name = ready.computes[len(ready.computes) // 2]
    ready.ask(name, f"set -e\n{KILLED.content['break']}")
    yield name
    ready.ask(name, f"set -e\n{KILLED.content['mend']}")
    # With slurmd back, the run's job on that node ends too, and nothing is left of it.
    bench.settle(ready)


def states(sandbox: Sandbox) -> dict[str, str]:
    """Return every node's state with its flags and reason, as Slurm has them."""
    lines = sandbox.ask("head", "sinfo --Node --noheader --format='%N %T %E'").splitlines()
    return {name: state for name, _space, state in (line.partition(" ") for line in lines)}


def test_a_dead_slurmd_costs_one_row_and_drains_nobody(ready: Sandbox, dead: str, tmp_path: Path) -> None:
    before = states(ready)
    judged = bench.validate(ready, [], tmp_path)
    after = states(ready)

    fault = dataclasses.replace(KILLED, hosts=(dead,))
    assert bench.complaints(fault, judged) == []
    assert judged.exit_code == 2 and judged.refused == [dead]
    (row,) = judged.of(dead)
    assert row.status == NO_RESULT and row.fix and row.who
    others = [name for name in ready.computes if name != dead]
    assert {name: judged.nodes[name] for name in others} == dict.fromkeys(others, PASS)
    assert all(any(cell.check == "C-01" and cell.status == PASS for cell in judged.of(name)) for name in others)
    assert (tmp_path / "failing_nodes.txt").read_text().split() == [dead]

    # Slurm itself takes the dead node for down after a while; nobody else's state changes, and nobody drains anything.
    assert {name: state for name, state in after.items() if name != dead} == {
        name: state for name, state in before.items() if name != dead
    }
    assert "drain" not in after[dead] and "slipway" not in after[dead]
