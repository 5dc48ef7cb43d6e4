"""ParallelCluster: one file for every node, /opt/slurm of the head read-only on the others, slurmd started later."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster.settings import Settings

from tests.lifecycle import images
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
# Nodes whose image has enroot and pyxis; that of the others has not, as one from `pcluster build-image`.
EQUIPPED = ("head", "compute1")
PACKAGE = "stat -c %Y /var/lib/dpkg/info/enroot.list; sha256sum /usr/local/lib/slurm/spank_pyxis.so"
# As the samples in use do: a docker that makes everybody root, directories for all, a line each time they run.
SAMPLES = """chmod g+s /usr/bin/docker
chmod 0777 /run/enroot /scratch/slipway/enroot/data /scratch/slipway/enroot/cache /scratch/slipway/enroot/tmp
mkdir -p /opt/slurm/etc/plugstack.conf.d
cp /opt/parallelcluster/examples/pyxis/pyxis.conf /opt/slurm/etc/plugstack.conf.d/
cat /opt/parallelcluster/examples/spank/plugstack.conf >> /opt/slurm/etc/plugstack.conf
cat /opt/parallelcluster/examples/spank/plugstack.conf >> /opt/slurm/etc/plugstack.conf"""
REGISTERED = "grep -c spank_pyxis /opt/slurm/etc/plugstack.conf"


@pytest.fixture(scope="module")
def made(settings: Settings, server: Server) -> Iterator[Nodes]:
    """Nodes laid out; on the later ones nothing is mounted yet."""
    try:
        made = bring_up(settings, server, "parallelcluster")
        made.make_image(LATER)
        for node in FIRST:
            prepare(made, node)
        for node in EQUIPPED:
            images.bring_examples(made, node)
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
    for node in EQUIPPED:
        made.sandbox.alter(node, f"({PACKAGE}) > /root/before")
    ended = made.run_everywhere(FIRST, CONFIGURED, made.single(CONFIGURED), made.proxy())
    for node in COMPUTES:
        made.sandbox.alter(node, "systemctl start slurmd")
    return ended


def test_hooks_that_start_together_all_succeed(born: dict[str, Ended]) -> None:
    for ended in born.values():
        ended.succeeded()
    roles = {node: ended.report["role"] for node, ended in born.items()}
    assert roles == {"head": "controller", "login1": "login", "compute1": "compute", "compute2": "compute"}


@pytest.mark.case("P3")
def test_what_the_image_has_is_enabled_and_its_data_is_on_the_disk(made: Nodes, born: dict[str, Ended]) -> None:
    for node in EQUIPPED:
        assert made.sandbox.ask(node, PACKAGE) == made.sandbox.ask(node, "cat /root/before"), (
            "nothing is put there twice"
        )
    for node in FIRST:
        data = made.sandbox.ask(node, "grep ^ENROOT_DATA_PATH /etc/enroot/enroot.conf").split()[1]
        assert data.startswith("/scratch/"), "neither in memory nor on the root disk"
        assert made.sandbox.ask(node, f"stat -c %a {data.rpartition('/')[0]}") == "1777"


@pytest.mark.case("P4")
def test_a_container_job_runs_on_every_compute(made: Nodes, born: dict[str, Ended]) -> None:
    made.wait_idle(COMPUTES)
    # A client of a network filesystem sees what the head has written when its cache is old enough.
    made.until("login1", "/opt/slurm/bin/srun --help | grep -q -- --container-image")
    for node in COMPUTES:
        made.container_job(node)


@pytest.mark.case("I8")
def test_only_the_head_writes_below_opt_slurm(made: Nodes, born: dict[str, Ended]) -> None:
    assert made.sandbox.ask("head", REGISTERED) == "1"
    for node in OTHERS:
        assert "fuse.sshfs" in made.sandbox.ask(node, "grep ' /opt/slurm ' /proc/self/mounts")
        assert made.sandbox.execute(node, "touch /opt/slurm/etc/x").code != 0
        assert not any("register_first" in name for name in born[node].changed)


@pytest.mark.case("N12")
def test_each_node_fetched_the_bundle_once_and_no_public_host_was_asked(made: Nodes, born: dict[str, Ended]) -> None:
    name = f"/{made.bundle.archive.name}"
    counts = made.server.counts()
    assert {counts[made.address(node), name] for node in FIRST} == {1}
    assert made.server.refused == []


@pytest.mark.case("I1")
def test_a_second_run_changes_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    before = made.sandbox.ask("head", LOOK)
    for node in FIRST:
        made.run(node, CONFIGURED, made.single(CONFIGURED), made.proxy()).unchanged().quick()
    assert made.sandbox.ask("head", LOOK) == before


@pytest.mark.case("I13")
def test_an_update_with_a_job_running_disturbs_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    job = made.sandbox.ask("login1", "/opt/slurm/bin/sbatch --parsable -w compute1 --wrap 'sleep 900'", "member")
    look = "systemctl show -p MainPID --value slurmctld slurmd docker containerd"
    before = {node: made.sandbox.ask(node, look) for node in ("head", "compute1")}
    for node in ("head", "compute1"):
        made.run(node, "on-node-updated", made.single("on-node-updated"), made.proxy()).unchanged()
    assert {node: made.sandbox.ask(node, look) for node in ("head", "compute1")} == before
    assert made.sandbox.ask("head", f"/opt/slurm/bin/squeue -hj {job} -o %T; /opt/slurm/bin/scancel {job}") == "RUNNING"


@pytest.mark.case("S9")
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


@pytest.mark.case("N13")
def test_a_replaced_node_without_a_network_runs_containers(made: Nodes, born: dict[str, Ended]) -> None:
    made.renew("compute2")
    prepare(made, "compute2")
    carried = images.carry_packages(made, "compute1", "compute2")
    usual = made.bundle
    made.bundle = made.make_bundle(made.settings.state / "plugins", carried)
    made.cut_off("compute2")
    made.run("compute2", CONFIGURED, made.single(CONFIGURED), made.proxy()).succeeded()
    assert made.refused_packets("compute2") == 0
    made.bundle = usual
    made.sandbox.alter("compute2", "systemctl start slurmd")
    made.wait_idle(["compute2"])
    made.container_job("compute2")


@pytest.mark.case("I17")
def test_what_the_platforms_samples_have_left_is_put_right(made: Nodes, born: dict[str, Ended]) -> None:
    made.sandbox.alter("head", SAMPLES)
    made.run("head", CONFIGURED, made.single(CONFIGURED), made.proxy()).succeeded()
    effective = (
        "cat /opt/slurm/etc/plugstack.conf /opt/slurm/etc/plugstack.conf.d/* | grep -c '^ *[a-z]* .*spank_pyxis'"
    )
    assert made.sandbox.ask("head", effective) == "1"
    assert made.sandbox.ask("head", "stat -c %a /usr/bin/docker /run/enroot /scratch/slipway/enroot/*").split() == [
        "755", "1777", "1777", "1777", "1777",
    ]  # fmt: skip
    made.wait_idle(COMPUTES)
    made.container_job("compute1")


@pytest.mark.case("I2")
def test_another_version_of_one_component_changes_that_one_only(made: Nodes, born: dict[str, Ended]) -> None:
    version = f"{made.sandbox.version('pyxis')}.next"
    made.bundle = made.make_bundle(images.rename_plugin(made, version), pyxis_version=version)
    ended = made.run("compute1", CONFIGURED, made.single(CONFIGURED), made.proxy()).succeeded()
    assert ended.changed == ["install | Bring the plugin where it is not, prove it, and switch to it"]
    assert f"/{version}-slurm-" in made.sandbox.ask("compute1", "readlink /usr/local/lib/slipway/pyxis/spank_pyxis.so")
    made.container_job("compute1")
