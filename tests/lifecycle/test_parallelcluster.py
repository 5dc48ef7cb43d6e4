"""ParallelCluster: one file for every node, /opt/slurm of the head read-only on the others, slurmd started later."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster.settings import Settings

from tests.lifecycle.harness import Ended, Nodes, bring_up
from tests.lifecycle.server import Server
from tests.sandbox.harness import driver

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

FIRST = ("head", "login1", "compute1", "compute2")
OTHERS = ("login1", "compute1", "compute2")
COMPUTES = ("compute1", "compute2")
LATER = "compute3"
CONFIGURED = "on-node-configured"
# Everything below /opt/slurm with its times, but for what Slurm's daemons write themselves.
LOOK = "find /opt/slurm/ -printf '%p %T@ %s\\n' | sort"
REGISTERED = "grep -c spank_pyxis /opt/slurm/etc/plugstack.conf"


@pytest.fixture(scope="module")
def made(settings: Settings, server: Server) -> Iterator[Nodes]:
    """Nodes laid out; on the later ones nothing is mounted yet."""
    try:
        made = bring_up(settings, server, "parallelcluster")
        made.make_image(LATER)
        for node in FIRST:
            prepare(made, node)
        yield made
    finally:
        if os.environ.get("KEEP_SANDBOX") != "1":
            driver("down", {"SANDBOX_NAME": settings.name})


def prepare(made: Nodes, node: str, mount: str = "yes") -> None:
    made.sandbox.alter(node, f"echo {mount} > /root/mount")
    names = ("head", "login1", "compute1", "compute2", "compute3")
    made.lay_out(node, *(made.address(name) for name in names))


@pytest.fixture(scope="module")
def born(made: Nodes) -> dict[str, Ended]:
    """OnNodeConfigured on all nodes at once, then what the platform does: it starts slurmd."""
    made.server.forget()
    ended = made.run_everywhere(FIRST, CONFIGURED, made.single(CONFIGURED), made.proxy())
    for node in COMPUTES:
        made.sandbox.alter(node, "systemctl start slurmd")
    return ended


def test_hooks_that_start_together_all_succeed(born: dict[str, Ended]) -> None:
    for ended in born.values():
        ended.succeeded()
    roles = {node: ended.report["role"] for node, ended in born.items()}
    assert roles == {"head": "controller", "login1": "login", "compute1": "compute", "compute2": "compute"}


def test_a_container_job_runs_on_every_compute(made: Nodes, born: dict[str, Ended]) -> None:
    made.wait_idle(COMPUTES)
    for node in COMPUTES:
        made.container_job(node)


def test_only_the_head_writes_below_opt_slurm(made: Nodes, born: dict[str, Ended]) -> None:
    assert made.sandbox.ask("head", REGISTERED) == "1"
    for node in OTHERS:
        assert "fuse.sshfs" in made.sandbox.ask(node, "grep ' /opt/slurm ' /proc/self/mounts")
        assert made.sandbox.execute(node, "touch /opt/slurm/etc/x").code != 0
        assert not any("register_first" in name for name in born[node].changed)


def test_each_node_fetched_the_bundle_once_and_no_public_host_was_asked(made: Nodes, born: dict[str, Ended]) -> None:
    name = f"/{made.bundle.archive.name}"
    counts = made.server.counts()
    assert {counts[made.address(node), name] for node in FIRST} == {1}
    assert made.server.refused == []


def test_a_second_run_changes_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    before = made.sandbox.ask("head", LOOK)
    for node in FIRST:
        again = made.run(node, CONFIGURED, made.single(CONFIGURED), made.proxy()).unchanged()
        assert again.seconds < 30
    assert made.sandbox.ask("head", LOOK) == before


def test_an_update_with_a_job_running_disturbs_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    job = made.sandbox.ask("login1", "/opt/slurm/bin/sbatch --parsable -w compute1 --wrap 'sleep 60'", "member")
    look = "systemctl show -p MainPID --value slurmctld slurmd docker containerd"
    before = {node: made.sandbox.ask(node, look) for node in ("head", "compute1")}
    for node in ("head", "compute1"):
        made.run(node, "on-node-updated", made.single("on-node-updated"), made.proxy()).unchanged()
    assert {node: made.sandbox.ask(node, look) for node in ("head", "compute1")} == before
    assert made.sandbox.ask("head", f"/opt/slurm/bin/squeue -hj {job} -o %T") == "RUNNING"


def test_a_node_added_later_through_both_hooks(made: Nodes, born: dict[str, Ended]) -> None:
    made.renew(LATER)
    prepare(made, LATER, "no")
    before = made.sandbox.ask(LATER, LOOK)
    made.run(LATER, "on-node-start", made.single("on-node-start"), made.proxy()).succeeded()
    assert made.sandbox.ask(LATER, LOOK) == before
    assert made.sandbox.ask(LATER, "ls /scratch") == ""
    made.sandbox.alter(LATER, "sh /root/mount_slurm")
    made.run(LATER, CONFIGURED, made.single(CONFIGURED), made.proxy()).succeeded()
    assert made.service(LATER, "slurmd") == "inactive"
    made.sandbox.alter(LATER, "systemctl start slurmd")
    made.wait_idle([LATER])
    made.container_job(LATER)


def test_a_replaced_node_runs_containers(made: Nodes, born: dict[str, Ended]) -> None:
    before = made.sandbox.ask("head", LOOK)
    made.renew("compute2")
    prepare(made, "compute2")
    made.run("compute2", CONFIGURED, made.single(CONFIGURED), made.proxy()).succeeded()
    made.sandbox.alter("compute2", "systemctl start slurmd")
    made.wait_idle(["compute2"])
    made.container_job("compute2")
    assert made.sandbox.ask("head", LOOK) == before
