"""Faults on real nodes: each is caught by exactly one check with its cause, and a good cluster raises no alarm.

`make faults` runs all of them, `make test` those of SAMPLE; a fault is a file of tests/faults/live.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import stack
from cluster.process import Runner

from tests.faults import bench
from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox
from validate.model import PASS

pytestmark = pytest.mark.sandbox

SAMPLE = ("capabilities_lost", "socket_world_writable")
EVERYTHING = os.environ.get("FAULTS") == "all"
CLEAN_RUNS = int(os.environ.get("FAULTS_CLEAN") or 20) if EVERYTHING else 1
# What takes an image from the sandbox's own registry must not be skipped there.
REGISTRY = {"C-07", "C-16", "L-03", "A-05"}
FAULTS = [fault for fault in bench.load("live") if EVERYTHING or fault.name in SAMPLE]


@pytest.mark.skipif(not EVERYTHING, reason="make faults")
def test_no_fault_is_left_out_of_the_whole_bench(sandbox: Sandbox) -> None:
    """`make faults` on fewer nodes than a fault needs would seem to have tried it."""
    few = [fault.name for fault in FAULTS if fault.content.get("nodes", 1) > len(sandbox.computes)]
    assert few == [], f"{len(sandbox.computes)} compute nodes are too few for {', '.join(few)}: SANDBOX_COMPUTE"


@pytest.fixture(scope="module")
def image(sandbox: Sandbox) -> None:
    """The image of the container step, where every node sees it."""
    sandbox.settle()
    stack.stage_image(Runner(), sandbox.settings)
    sandbox.look()


@pytest.fixture(scope="module")
def before_faults(sandbox: Sandbox, image: None) -> dict[str, snapshots.Snapshot]:
    bench.settle(sandbox)
    return bench.picture(sandbox)


@pytest.fixture
def unharmed(sandbox: Sandbox, before_faults: dict[str, snapshots.Snapshot]) -> Iterator[None]:
    """Nothing is left of the fault, nor of the run that found it."""
    yield
    bench.settle(sandbox)
    left = bench.changes(before_faults, bench.picture(sandbox))
    assert left == [], "\n".join(left)


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("number", range(CLEAN_RUNS))
def test_a_good_cluster_raises_no_alarm(
    sandbox: Sandbox, tmp_path: Path, pytestconfig: pytest.Config, number: int
) -> None:
    judged = bench.validate(sandbox, [], tmp_path)
    found = bench.complaints(None, judged)
    row(pytestconfig, (f"clean run {number + 1}", "-", "-", "no" if found else "yes"))
    assert judged.exit_code == 0 and found == [], "\n".join(found)


@pytest.mark.usefixtures("image")
@pytest.mark.skipif(not EVERYTHING, reason="it takes minutes: make faults")
@pytest.mark.parametrize("tier", ["standard", "deep"])
def test_a_good_cluster_raises_no_alarm_in_the_later_tiers(
    sandbox: Sandbox, tmp_path: Path, pytestconfig: pytest.Config, tier: str
) -> None:
    judged = bench.validate(sandbox, [f"--tier={tier}"], tmp_path)
    found = bench.complaints(None, judged)
    row(pytestconfig, (f"clean run, {tier}", "-", "-", "no" if found else "yes"))
    assert judged.exit_code == 0 and found == [], "\n".join(found)
    tried = {cell.check for cell in judged.verdicts if cell.status == PASS}
    assert tried >= REGISTRY, f"not tried: {', '.join(sorted(REGISTRY - tried))}"


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_caught_by_its_check(
    sandbox: Sandbox, tmp_path: Path, pytestconfig: pytest.Config, fault: bench.Fault
) -> None:
    if len(sandbox.computes) < fault.content.get("nodes", 1):
        pytest.skip(f"it needs {fault.content['nodes']} compute nodes: SANDBOX_COMPUTE")
    judged = bench.broken(fault, sandbox, tmp_path)
    found = bench.complaints(fault, judged)
    row(pytestconfig, (fault.title, fault.check, bench.named(fault, judged), "no" if found else "yes"))
    assert found == [], "\n".join(found)


def row(config: pytest.Config, cells: tuple[str, str, str, str]) -> None:
    """Keep a line of the table that conftest.py prints at the end."""
    config.stash.setdefault(bench.ROWS, []).append(cells)
