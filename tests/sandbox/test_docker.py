"""Docker on every node: who may use it, what one run repairs, and what it does while a container runs.

Two runs do it all: in the first compute1 has drifted, login1 has a file that is no JSON, and on head a container runs
that a restart of containerd would end; before the second that container is gone, and one on compute1 runs that
live-restore carries over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.sandbox.harness import IMAGE, INSIDE, Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

CONFIG = "/etc/docker/daemon.json"
CONTAINERD = "/etc/containerd/config.toml"
DROP_IN = "/etc/systemd/system/docker.service.d/slipway.conf"
SOCKET = "/run/docker.sock"
RUN = f"docker run --rm {IMAGE} cat /etc/os-release"
INVALID = '{\n  "debug": tru\n}\n'
# A daemon that was restarted is another process.
DAEMONS = "systemctl show --property=MainPID --value docker.service containerd.service"
SET_KEY = "import json; path = '{}'; keys = json.load(open(path)); {}; json.dump(keys, open(path, 'w'))"
OTHER_NUMBER = 4321


def set_key(statement: str) -> str:
    """Return a shell command that edits daemon.json as an admin would."""
    return f'python3 -c "{SET_KEY.format(CONFIG, statement)}"'


def keys(sandbox: Sandbox, node: str) -> dict[str, object]:
    return dict(json.loads(sandbox.ask(node, f"cat {CONFIG}")))


def start(sandbox: Sandbox, node: str, name: str) -> str:
    """Start a container that stays, and return its process."""
    sandbox.ask(node, f"docker run --detach --name {name} {IMAGE} sleep 3600", "member")
    return process(sandbox, node, name)


def process(sandbox: Sandbox, node: str, name: str) -> str:
    return sandbox.ask(node, f"docker inspect --format '{{{{.State.Pid}}}}' {name}")


@dataclass(frozen=True)
class Seen:
    """Daemons and files before the runs, after the first, and after the second."""

    before: dict[str, str]
    first: Run
    between: dict[str, str]
    second: Run
    after: dict[str, str]
    invalid: str
    kept: tuple[str, str]  # the process of compute1's container before and after the second run
    state: str  # what compute1 had after the first run
    keys: dict[str, object]  # its daemon.json after the second


def daemons(sandbox: Sandbox) -> dict[str, str]:
    return {node: sandbox.ask(node, DAEMONS) for node in sandbox.nodes}


LOOK = f"stat --format='%a %U:%G' {SOCKET}; id --name --groups member; runc --version | head -1; cat {DROP_IN}"


@pytest.fixture(scope="module")
def seen(sandbox: Sandbox) -> Seen:
    sandbox.settle()
    before = daemons(sandbox)
    compute1 = (
        set_key("keys['log-opts']['max-size'] = '1g'; keys['max-concurrent-downloads'] = 2")
        + f"; gpasswd --delete member docker; chmod 0666 {SOCKET}; rm {DROP_IN} /usr/sbin/runc"
    )
    sandbox.alter("compute1", compute1)
    sandbox.alter("login1", f"cp {CONFIG} /root/daemon.json; printf '{INVALID}' > {CONFIG}")
    start(sandbox, "head", "stays")
    sandbox.alter("head", f"sed --in-place '/^root = /d' {CONTAINERD}")
    first = sandbox.converge("--tags", "docker", docker_users=["member", "nobody-here"])
    between, state = daemons(sandbox), sandbox.ask("compute1", LOOK)
    invalid = sandbox.ask("login1", f"cat {CONFIG}; cat /var/lib/slipway/refused/daemon.json.*")

    sandbox.ask("head", "docker rm --force stays")
    sandbox.alter("login1", f"mv /root/daemon.json {CONFIG}; groupmod --gid {OTHER_NUMBER} docker")
    running = start(sandbox, "compute1", "survives")
    sandbox.alter("compute1", set_key("keys['log-opts']['max-size'] = '1g'"))
    second = sandbox.converge("--tags", "docker")
    kept = (running, process(sandbox, "compute1", "survives"))
    sandbox.ask("compute1", "docker rm --force survives")
    after, found = daemons(sandbox), keys(sandbox, "compute1")
    sandbox.alter("compute1", set_key("del keys['max-concurrent-downloads']"))
    number = sandbox.ask("head", "getent group docker | cut -d: -f3")
    sandbox.alter("login1", f"groupmod --gid {number} docker; chgrp docker {SOCKET}; rm -r /var/lib/slipway/refused")
    return Seen(before, first, between, second, after, invalid, kept, state, found)


@pytest.mark.parametrize("node", ["head", "login1", "compute1"])
def test_a_listed_account_runs_containers(converged: Sandbox, node: str) -> None:
    assert INSIDE in converged.ask(node, RUN, "member")


@pytest.mark.parametrize("node", ["head", "login1", "compute1"])
def test_another_account_is_refused(converged: Sandbox, node: str) -> None:
    refused = converged.execute(node, RUN, "guest")
    assert refused.code != 0
    assert "permission denied" in refused.output


def test_a_job_has_the_groups_of_the_controller(converged: Sandbox) -> None:
    for node in converged.computes:
        assert INSIDE in converged.ask("login1", f"timeout 60 srun --nodelist={node} {RUN}", "member")
        refused = converged.execute("login1", f"timeout 60 srun --nodelist={node} {RUN}", "guest")
        assert refused.code != 0 and "permission denied" in refused.output


@pytest.mark.case("D10")
@pytest.mark.case("D11")
def test_data_is_on_the_storage(converged: Sandbox) -> None:
    for node in converged.nodes:
        assert converged.ask(node, "docker info --format '{{.DockerRootDir}}'") == "/scratch/slipway/docker"
        assert 'root = "/scratch/slipway/containerd"' in converged.ask(node, "containerd config dump")
        assert converged.ask(node, "ls -d /var/lib/docker 2>&1 || true").endswith("No such file or directory")
        mounts = converged.ask(node, "systemctl show --property=RequiresMountsFor docker.service containerd.service")
        assert mounts.count("/scratch/slipway/docker") == 2


@pytest.mark.case("U5")
def test_nobody_becomes_root_by_the_way(converged: Sandbox) -> None:
    for node in converged.nodes:
        assert converged.ask(node, f"stat --format='%a %U:%G' {SOCKET}") == "660 root:docker"
        found = converged.ask(node, "find /usr/bin/docker* /usr/sbin/docker* /usr/bin/containerd* -perm /6000")
        assert not found


@pytest.mark.case("I15")
@pytest.mark.case("I16")
def test_one_run_repairs_what_drifted(seen: Seen) -> None:
    socket, groups, runc, *drop_in = seen.state.splitlines()
    assert socket == "660 root:docker"
    assert "docker" in groups.split()
    assert runc.startswith("runc version")
    assert "RequiresMountsFor=/scratch/slipway/docker /scratch/slipway/containerd" in drop_in
    assert seen.between["compute1"] != seen.before["compute1"], "the key was not made effective"


@pytest.mark.case("I14")
def test_an_admins_key_stays(seen: Seen) -> None:
    assert seen.keys["max-concurrent-downloads"] == 2
    assert seen.keys["log-opts"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.case("U1")
def test_an_unknown_account_is_reported_and_no_failure(seen: Seen) -> None:
    assert "compute1: nobody-here: no such account on this node" in seen.first.text
    assert "compute1" not in seen.first.failures


@pytest.mark.case("I14")
def test_a_file_that_is_no_json_is_refused_and_docker_untouched(seen: Seen) -> None:
    assert list(seen.first.failures) == ["login1"], seen.first.tail()
    said = seen.first.failures["login1"]
    assert CONFIG in said and "line 2, column 12" in said and "/var/lib/slipway/refused/daemon.json." in said
    assert seen.invalid == INVALID + INVALID.rstrip()
    assert seen.between["login1"] == seen.before["login1"]


def test_a_restart_waits_for_a_container_and_is_made_up_for(seen: Seen) -> None:
    assert "head: restart pending" in seen.first.text
    assert "1 container runs, and containerd is to be restarted" in seen.first.text
    assert seen.between["head"] == seen.before["head"]
    assert "head: restart pending" not in seen.second.succeeded().text
    assert seen.after["head"] != seen.before["head"]


def test_live_restore_carries_a_container_over_a_restart(seen: Seen) -> None:
    assert seen.after["compute1"] != seen.between["compute1"], "Docker was not restarted"
    before, after = seen.kept
    assert before == after != "0"


@pytest.mark.case("U3")
def test_a_group_of_another_number_is_reported_and_left_alone(seen: Seen) -> None:
    assert f"The group docker is {OTHER_NUMBER} here" in seen.second.text


def test_absent_is_refused_while_a_container_runs(sandbox: Sandbox, seen: Seen) -> None:
    start(sandbox, "compute1", "runs")
    before = sandbox.ask("compute1", DAEMONS)
    run = sandbox.converge("--tags", "docker", "--limit", "compute1", docker_state="absent").failed()
    assert "1 container runs on this node" in run.text
    assert sandbox.ask("compute1", DAEMONS) == before
    sandbox.ask("compute1", "docker rm --force runs")
