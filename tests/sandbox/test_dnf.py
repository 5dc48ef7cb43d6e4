"""The same playbooks on nodes with dnf: Debian 12 under the name of Rocky Linux 9, packages from a local repository.

A sandbox of its own with one compute node. What dnf and rpm do here is real; their packages are stand-ins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cluster.settings import from_environment

from tests.sandbox.harness import Run, Sandbox, driver

pytestmark = pytest.mark.sandbox

INSTALLED = "rpm --query --queryformat '%{NAME} %{VERSION}\\n' "
NEEDED = ("jq", "parallel", "squashfs-tools", "zstd")
PROGRAM, HOOK = "/usr/bin/enroot-nsenter", "/etc/enroot/hooks.d/10-devices.sh"
# A package without files that is only in rpm's database.
LISTED = r"""
printf '%s\n' 'Name: {name}' 'Version: {version}' 'Release: 1' 'Summary: listed' 'License: none' > /tmp/{name}.spec
printf '%s\n' %description listed %files >> /tmp/{name}.spec
rpmbuild -bb --quiet --define '_rpmdir /tmp/listed' /tmp/{name}.spec
rpm --install --justdb --force --nodeps --force-debian /tmp/listed/*/{name}-{version}-*.rpm
"""
# rpm's own lock, as another package manager holds it, for long enough that the run meets it.
LOCK = (
    "systemd-run --quiet python3 -c 'import fcntl, time; lock = open(\"/var/lib/rpm/.rpm.lock\", \"w\"); "
    "fcntl.lockf(lock, fcntl.LOCK_EX); time.sleep(25)'"
)


@pytest.fixture(scope="module")
def rocky() -> Iterator[Sandbox]:
    """The nodes with dnf, converged."""
    wanted = {
        "SANDBOX_NAME": f"{os.environ.get('SANDBOX_NAME') or 'test'}-dnf"[:20],
        "SANDBOX_DISTRIBUTION": "rocky",
        "SANDBOX_COMPUTE": "1",
    }
    settings = from_environment({**os.environ, **wanted})
    try:
        driver("up", wanted)
        driver("converge", {**wanted, "XDG_CACHE_HOME": str(settings.state / "cache")})
        running = Sandbox(settings)
        running.settled = True
        yield running
    finally:
        if os.environ.get("KEEP_SANDBOX") != "1":
            driver("down", wanted)


@dataclass(frozen=True)
class Repair:
    """What rpm says of broken packages, and the run that finds them; rpm is locked on the head meanwhile."""

    broken: dict[str, str]
    run: Run


@pytest.fixture(scope="module")
def repair(rocky: Sandbox) -> Repair:
    rocky.settle()
    rocky.alter("compute1", f"rm {PROGRAM} {HOOK}")
    # As a killed upgrade leaves it: the old package is still in the database when the new one's files are there.
    rocky.alter("login1", LISTED.format(name="enroot", version="4.0.0"))
    rocky.alter("head", f"rm {PROGRAM}; {LOCK}")
    broken = {node: rocky.ask(node, f"{INSTALLED} enroot; rpm --verify enroot || true") for node in rocky.nodes}
    return Repair(broken, rocky.converge())


def test_the_nodes_say_that_they_are_rocky(rocky: Sandbox) -> None:
    assert rocky.cluster.distribution == "rocky"
    assert "under the name of Rocky" in rocky.ask("compute1", "cat /etc/os-release")


@pytest.mark.case("E14")
def test_dnf_installed_the_packages_and_what_they_need(rocky: Sandbox) -> None:
    version = rocky.version("enroot")
    for node in rocky.nodes:
        found = rocky.ask(node, f"{INSTALLED} enroot enroot+caps {' '.join(NEEDED)}").splitlines()
        assert found[:2] == [f"enroot {version}", f"enroot+caps {version}"]
        assert rocky.execute(node, "dpkg-query --show enroot").code != 0


def test_the_node_that_built_pyxis_got_its_tools_by_dnf(rocky: Sandbox) -> None:
    builders = [node for node in rocky.nodes if rocky.execute(node, "rpm --query gcc slurm-devel").code == 0]
    assert len(builders) == 1


@pytest.mark.case("E14")
def test_container_jobs_run(rocky: Sandbox) -> None:
    rocky.serves_jobs()


def test_a_second_run_changes_nothing(rocky: Sandbox) -> None:
    rocky.converge().unchanged()


def test_one_run_repairs_broken_packages(rocky: Sandbox, repair: Repair) -> None:
    assert f"missing     {PROGRAM}" in repair.broken["compute1"]
    assert "enroot 4.0.0" in repair.broken["login1"]
    repair.run.succeeded()
    for node in rocky.nodes:
        assert rocky.ask(node, f"{INSTALLED} enroot") == f"enroot {rocky.version('enroot')}"
        assert "missing" not in rocky.ask(node, "rpm --verify enroot || true")
    rocky.serves_jobs()


@pytest.mark.case("N5")
def test_a_locked_package_manager_was_waited_for(rocky: Sandbox, repair: Repair) -> None:
    refused = "can't create transaction lock on /var/lib/rpm/.rpm.lock"
    assert refused in rocky.ask("head", "cat /var/log/dnf.log"), "the lock was released before the run met it"
    assert "missing" in repair.broken["head"]


def test_the_run_after_a_repair_changes_nothing(rocky: Sandbox, repair: Repair) -> None:
    rocky.converge().unchanged()


def test_a_removal_takes_out_no_package_of_others(rocky: Sandbox) -> None:
    rocky.settle()
    # No repository of these nodes holds Docker: what stands for it is to be found, removed, and what others may need
    # is to stay.
    for name in ("docker-ce", "containerd.io"):
        rocky.alter("compute1", LISTED.format(name=name, version="4.29"))
    before = {node: set(rocky.ask(node, "rpm --query --all").split()) for node in rocky.nodes}
    rocky.play("remove").succeeded()
    for node in rocky.nodes:
        gone = before[node] - set(rocky.ask(node, "rpm --query --all").split())
        docker = ["docker-ce"] if node == "compute1" else []
        assert sorted(name.rpartition("-4.")[0] for name in gone) == [*docker, "enroot", "enroot+caps"]
    assert rocky.ask("login1", "srun hostname", "member") == "compute1"
