"""A run that is killed anywhere is made good by the next one.

SANDBOX_KILL_POINTS says at how many points, spread evenly over a converge of bare nodes (three, unless set).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

import pytest

from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.usefixtures("only_pyxis")]

POINTS = int(os.environ.get("SANDBOX_KILL_POINTS") or 3)


@dataclass(frozen=True)
class Undisturbed:
    """A converge of bare nodes, and what the roles keep on them afterwards."""

    run: Run
    managed: dict[str, snapshots.Snapshot]


@pytest.fixture(scope="module")
def unkilled(sandbox: Sandbox, only_pyxis: None) -> Undisturbed:
    """A run that nobody kills."""
    sandbox.strip()
    sandbox.forget_downloads()
    run = sandbox.converge()
    return Undisturbed(run, snapshots.managed(sandbox))


@pytest.mark.parametrize("point", range(1, POINTS + 1), ids=lambda point: f"{point}-of-{POINTS}")
def test_a_killed_run_is_made_good(sandbox: Sandbox, unkilled: Undisturbed, point: int) -> None:
    unkilled.run.succeeded()
    begin = time.monotonic()
    sandbox.strip()
    sandbox.forget_downloads()
    task = sandbox.kill_at(max(1, unkilled.run.tasks * point // (POINTS + 1)))
    assert task, "the run ended before it could be killed"
    sandbox.converge().succeeded()
    found = snapshots.managed(sandbox)
    for node, wanted in unkilled.managed.items():
        assert not snapshots.difference(wanted, found[node]), f"{node}, killed at {task}"
    sandbox.runs_containers()
    sys.stdout.write(f"killed at {task}: made good in {time.monotonic() - begin:.0f} s\n")
