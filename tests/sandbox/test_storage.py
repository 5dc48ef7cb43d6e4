"""A disk that is mounted after the first run: data stays where it is, and every run says so."""

from __future__ import annotations

import pytest

from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

NODE = "compute1"
DATA = "/scratch/slipway"
# A part of the node's own disk, mounted once more: a local filesystem, on a mount point of its own.
MOUNT = "mkdir -p /late /scratch/late && mount --bind /scratch/late /late"
UNMOUNT = "umount /late && rm -r /late /scratch/late"
KEPT = f"{DATA}/enroot/data/member/kept"
DAEMONS = "systemctl show --property=MainPID --value docker.service containerd.service"


@pytest.fixture(scope="module")
def late(sandbox: Sandbox) -> tuple[str, Run, str]:
    """Docker's processes, a run with a better candidate than the one in use, and Docker's processes after it."""
    sandbox.settle()
    sandbox.ask(NODE, f"{MOUNT} && mkdir -p {KEPT}")
    before = sandbox.ask(NODE, DAEMONS)
    candidates = ["/late", "/scratch", "/"]
    run = sandbox.converge("--tags", "docker", "--limit", NODE, storage_candidates=candidates)
    after = sandbox.ask(NODE, DAEMONS)
    sandbox.ask(NODE, f"rm -r {KEPT} && {UNMOUNT}")
    return before, run, after


def test_data_stays_and_docker_is_left_alone(late: tuple[str, Run, str]) -> None:
    before, run, after = late
    run.unchanged()
    assert before == after


def test_the_remedy_is_said(late: tuple[str, Run, str]) -> None:
    said = late[1].text
    assert f"/late can be used now, and stays unused: {DATA} holds data" in said
    assert "set storage_candidates: [/late] for it" in said
