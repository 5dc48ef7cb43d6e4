"""The same playbooks on nodes with dnf: Debian 12 under the name of Rocky Linux 9, packages from a local repository.

A sandbox of its own with one compute node. What dnf and rpm do here is real; their packages are stand-ins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster.settings import from_environment

from tests.sandbox.harness import IMAGE, INSIDE, Sandbox, driver
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

INSTALLED = "rpm --query --queryformat '%{NAME} %{VERSION}\\n' "
NEEDED = ("jq", "parallel", "squashfs-tools", "zstd")
PROGRAM, HOOK = "/usr/bin/enroot-nsenter", "/etc/enroot/hooks.d/10-devices.sh"
# Makes a repository as Docker's own, of Debian's Docker, and prints its version; what that needs comes by apt.
DOCKER_RPMS = (Path(__file__).parent / "docker_rpms.sh").read_text()
DOCKER_LIBRARIES = "apt-get -qq -y --no-install-recommends install iptables libdevmapper1.02.1 tini >/dev/null"
DOCKER_REPOSITORY = "/images/docker"
DOCKER = ("docker-buildx-plugin", "docker-ce", "docker-ce-cli", "docker-ce-rootless-extras")
# A package without files that is only in rpm's database.
LISTED = r"""
printf '%s\n' 'Name: {name}' 'Version: {version}' 'Release: 1' 'Summary: listed' 'License: none' > /tmp/{name}.spec
printf '%s\n' %description listed %files >> /tmp/{name}.spec
rpmbuild -bb --quiet --define '_rpmdir /tmp/listed' /tmp/{name}.spec
rpm --install --justdb --force --nodeps --force-debian /tmp/listed/*/{name}-{version}-*.rpm
"""
REFUSED = "can't create transaction lock on /var/lib/rpm/.rpm.lock"
# rpm's own lock, as another package manager holds it, until the run has met it.
LOCK = f"""
cat > /root/lock.py <<'EOF'
import fcntl, time
log, lock, told = open("/var/log/dnf.log"), open("/var/lib/rpm/.rpm.lock", "w"), ""
log.seek(0, 2)
fcntl.lockf(lock, fcntl.LOCK_EX)
end = time.monotonic() + 240
while "{REFUSED}" not in told and time.monotonic() < end:
    time.sleep(1)
    told += log.read()
EOF
systemd-run --quiet python3 /root/lock.py
"""


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
    rocky.alter("head", f"rm {PROGRAM}\n{LOCK}")
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
    assert REFUSED in rocky.ask("head", "cat /var/log/dnf.log"), "the run did not meet the lock"
    assert "missing" in repair.broken["head"]


def test_the_run_after_a_repair_changes_nothing(rocky: Sandbox, repair: Repair) -> None:
    rocky.converge().unchanged()


@dataclass(frozen=True)
class Docker:
    """What the inventory says of Docker's repository, and three runs: a wrong key, the right one, nothing to do."""

    version: str
    refused: Run
    installed: Run
    again: Run


@pytest.fixture(scope="module")
def docker(rocky: Sandbox) -> Docker:
    rocky.settle()
    for node in rocky.nodes:
        rocky.alter(node, DOCKER_LIBRARIES)
    packed = rocky.execute("head", f"set -- {DOCKER_REPOSITORY}\n{DOCKER_RPMS}", seconds=600)
    assert packed.code == 0, packed.output
    version = packed.stdout.split()[-1]
    wanted = {
        "docker_state": "present",
        "docker_source": "docker",
        "docker_version": version,
        "docker_repository_url": f"file://{DOCKER_REPOSITORY}",
    }
    right, wrong = (rocky.ask("head", f"cat {DOCKER_REPOSITORY}/{name}.asc") for name in ("key", "other"))
    keys = ({"docker_repository_key": key + "\n"} for key in (wrong, right, right))
    runs = [rocky.converge("--tags", "docker", **wanted, **key) for key in keys]
    return Docker(version, *runs)


def test_a_package_with_another_signature_is_refused(docker: Docker) -> None:
    docker.refused.failed()
    for said in docker.refused.failures.values():
        assert "is not signed with a key of file:///etc/pki/rpm-gpg/RPM-GPG-KEY-slipway-docker" in said


def test_dnf_installed_docker_at_the_version_and_holds_it(rocky: Sandbox, docker: Docker) -> None:
    docker.installed.succeeded()
    for node in rocky.nodes:
        assert rocky.ask(node, f"{INSTALLED} docker-ce") == f"docker-ce {docker.version}"
        assert "99.0" in rocky.ask(node, "dnf -q --setopt=slipway-docker.includepkgs= list --available docker-ce")
        upgraded = rocky.ask(node, "dnf -y upgrade docker-ce 2>&1")
        assert "Nothing to do" in upgraded


def test_docker_runs_containers_for_those_in_its_group(rocky: Sandbox, docker: Docker) -> None:
    run = f"docker run --rm {IMAGE} cat /etc/os-release"
    assert INSIDE in rocky.ask("compute1", run, "member")
    assert rocky.execute("compute1", run, "guest").code != 0
    assert rocky.ask("compute1", "docker info --format '{{.DockerRootDir}}'") == "/scratch/slipway/docker"


def test_a_run_after_that_changes_nothing(docker: Docker) -> None:
    docker.again.unchanged()


def test_a_removal_takes_out_no_package_of_others(rocky: Sandbox, docker: Docker) -> None:
    names = "rpm --query --all --queryformat '%{NAME}\\n'"
    before = {node: set(rocky.ask(node, names).split()) for node in rocky.nodes}
    rocky.play("remove").succeeded()
    for node in rocky.nodes:
        gone = before[node] - set(rocky.ask(node, names).split())
        # containerd.io stays: what others may need as well.
        assert sorted(gone) == sorted([*DOCKER, "enroot", "enroot+caps"])
        assert rocky.ask(node, "ls /etc/yum.repos.d /etc/pki/rpm-gpg | grep slipway || true") == ""
    assert rocky.ask("login1", "srun hostname", "member") == "compute1"
