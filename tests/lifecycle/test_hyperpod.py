"""HyperPod with its classic OnCreate: an image made first, then hooks on all nodes at once, and what comes later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cluster.settings import Settings

from tests.lifecycle.harness import Ended, Nodes, bring_up
from tests.lifecycle.server import Server
from tests.sandbox.harness import driver

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

FIRST = ("head", "login1", "compute1", "compute2")
COMPUTES = ("compute1", "compute2")
LATER = "compute3"
PREFIX = "/tmp/sagemaker-sandbox/src"
PLUGSTACK = "/opt/slurm/etc/plugstack.conf"
# Units that run on a node, but for those of the terminal and of a user who looks.
RUNNING = "systemctl list-units --type=service,socket --state=active --plain --no-legend | cut -d' ' -f1 | sort"
PARAMETERS = """{"version": "1.0.0", "workload_manager": "slurm", "controller_group": "controller-machine",
 "login_group": "login-group", "worker_groups": [{"instance_group_name": "workers", "partition_name": "main"}]}"""


@pytest.fixture(scope="module")
def made(settings: Settings, server: Server) -> Iterator[Nodes]:
    """The nodes, none of them laid out."""
    try:
        yield bring_up(settings, server, "hyperpod")
    finally:
        if os.environ.get("KEEP_SANDBOX") != "1":
            driver("down", {"SANDBOX_NAME": settings.name})


@dataclass(frozen=True)
class Image:
    """A machine on which an image was made, and the units that ran there before and after."""

    ended: Ended
    before: str
    after: str


@pytest.fixture(scope="module")
def image(made: Nodes) -> Image:
    """The image hook on a machine that is to become an image; its plugin goes into the bundle of all others."""
    before = made.sandbox.ask(LATER, RUNNING)
    ended = made.make_image(LATER)
    return Image(ended, before, made.sandbox.ask(LATER, RUNNING))


@pytest.fixture(scope="module")
def born(made: Nodes, image: Image) -> dict[str, Ended]:
    """OnCreate on all nodes at once."""
    for node in FIRST:
        prepare(made, node)
    made.server.forget()
    return made.run_everywhere(FIRST, "on-create", f"{PREFIX}/on_create.sh", made.proxy())


def prepare(made: Nodes, node: str) -> None:
    """Lay a node out, and copy the prefix to it as the platform does."""
    names = ("head", "login1", "compute1", "compute2", "compute3")
    made.lay_out(node, *(made.address(name) for name in names))
    made.sandbox.alter(node, f"mkdir -p {PREFIX}")
    target = f"{made.sandbox.cluster.node(node).id}:{PREFIX}/"
    made.sandbox.podman("cp", f"{made.bundle.directory}/.", target)
    made.sandbox.alter(node, f"cat > {PREFIX}/provisioning_parameters.json <<'END'\n{PARAMETERS}\nEND")


@pytest.mark.case("R33")
def test_an_image_is_installed_and_nothing_of_it_runs(made: Nodes, image: Image) -> None:
    assert image.after == image.before
    assert image.ended.report["role"] == "image"
    assert made.sandbox.ask(LATER, "systemctl is-enabled docker") == "enabled"
    assert made.sandbox.ask(LATER, "command -v docker enroot apptainer").count("\n") == 2
    assert made.sandbox.ask(LATER, "ls /etc/ssh/ssh_host_* 2>/dev/null | wc -l") == "0"
    assert made.sandbox.ask(LATER, "wc -c < /etc/machine-id") == "0"


def test_an_image_is_sealed_once(image: Image) -> None:
    assert [step["name"] for step in image.ended.report["steps"]].count("playbook seal_image") == 1


def test_hooks_that_start_together_all_succeed(born: dict[str, Ended]) -> None:
    for ended in born.values():
        ended.succeeded()
        assert [step["name"] for step in ended.report["steps"]].count("playbook start_slurm") == 1


def test_a_container_job_runs_on_every_compute(made: Nodes, born: dict[str, Ended]) -> None:
    made.wait_idle(COMPUTES)
    for node in COMPUTES:
        made.container_job(node)


def test_roles_and_daemons_are_those_of_the_platform(made: Nodes, born: dict[str, Ended]) -> None:
    assert {node: born[node].report["role"] for node in FIRST} == {
        "head": "controller", "login1": "login", "compute1": "compute", "compute2": "compute",
    }  # fmt: skip
    assert made.service("head", "slurmctld") == "active"
    assert made.service("head", "slurmd") == "inactive"
    for node in ("login1", *COMPUTES):
        assert made.service(node, "slurmd") == "active"
        assert made.sandbox.ask(node, f"ls {PLUGSTACK} 2>/dev/null | wc -l") == "0"


def test_no_public_host_was_asked_for_anything(made: Nodes, born: dict[str, Ended]) -> None:
    assert made.server.refused == []
    assert made.server.served == []


def test_a_second_run_changes_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    look = "systemctl show -p MainPID --value slurmctld slurmd docker containerd"
    before = {node: made.sandbox.ask(node, look) for node in FIRST}
    for node in FIRST:
        again = made.run(node, "on-create", f"{PREFIX}/on_create.sh", made.proxy()).unchanged()
        assert again.seconds < 30
    assert {node: made.sandbox.ask(node, look) for node in FIRST} == before


def test_a_node_that_slurm_conf_does_not_name_yet(made: Nodes, born: dict[str, Ended]) -> None:
    made.renew(LATER)
    prepare(made, LATER)
    made.run(LATER, "on-create", f"{PREFIX}/on_create.sh", made.proxy()).succeeded()
    # Only now the platform's agent names it.
    widen = "sed -i 's/compute\\[1-2\\]/compute[1-3]/' /opt/slurm/etc/slurm.conf /opt/slurm/etc/gres.conf"
    made.sandbox.alter("head", f"{widen}; /opt/slurm/bin/scontrol reconfigure")
    made.wait_idle([*COMPUTES, LATER])
    made.container_job(LATER)


def test_a_replaced_node_runs_containers_and_the_registration_stays(made: Nodes, born: dict[str, Ended]) -> None:
    line = made.sandbox.ask("head", f"cat {PLUGSTACK}; stat -c %i {PLUGSTACK}")
    made.renew("compute2")
    prepare(made, "compute2")
    made.run("compute2", "on-create", f"{PREFIX}/on_create.sh", made.proxy()).succeeded()
    made.wait_idle(COMPUTES)
    made.container_job("compute2")
    assert made.sandbox.ask("head", f"cat {PLUGSTACK}; stat -c %i {PLUGSTACK}") == line
