"""Docker's inputs seen in the daemon that runs, on one node: all at once, repaired once they drifted, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.sandbox.harness import IMAGE, Sandbox

pytestmark = pytest.mark.sandbox

NODE = "compute2"
OPTIONS = ("--tags", "docker", "--limit", NODE)
NUMBER = 4555
POOL = "10.201.0.0/16"
PIN = "/etc/apt/preferences.d/slipway-docker.pref"
UNITS = "docker.service docker.socket containerd.service"
STATES = f"systemctl is-enabled {UNITS}; systemctl is-active {UNITS}"
GROUP = "getent group docker"
RUN = f"docker run --rm {IMAGE} true"


@dataclass(frozen=True)
class Seen:
    """What shows the inputs on the node."""

    info: dict[str, Any]
    keys: dict[str, Any]
    group: list[str]
    states: list[str]
    pin: str
    subnet: str


def look(sandbox: Sandbox) -> Seen:
    network = "docker network create seen > /dev/null; docker network inspect seen; docker network rm seen > /dev/null"
    created = json.loads(sandbox.ask(NODE, network))
    return Seen(
        json.loads(sandbox.ask(NODE, "docker info --format '{{json .}}'")),
        json.loads(sandbox.ask(NODE, "cat /etc/docker/daemon.json")),
        sandbox.ask(NODE, GROUP).split(":"),
        sandbox.ask(NODE, STATES).split(),
        sandbox.ask(NODE, f"cat {PIN} 2>/dev/null; true"),
        str(created[0]["IPAM"]["Config"][0]["Subnet"]),
    )


@pytest.fixture(scope="module")
def inputs(sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    """Several inputs that an ordinary run does not have."""
    sandbox.settle()
    version = sandbox.ask(NODE, "docker version --format '{{.Server.Version}}'").partition("+")[0]
    yield {
        "docker_log_driver": "journald",
        "docker_log_options": {"max-size": "10m", "max-file": 3, "tag": "seen"},
        "docker_live_restore_enabled": False,
        "docker_address_pools": [{"base": POOL, "size": "24"}],
        "docker_config": {"insecure-registries": ["head:5000"], "mtu": 1400},
        "docker_group_id": NUMBER,
        "docker_users_exclusive": True,
        "docker_version": version,
    }
    sandbox.settled = False


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, inputs: dict[str, Any]) -> Seen:
    """After a run with the inputs, on a node whose group was deleted."""
    sandbox.alter(NODE, "groupdel docker")
    sandbox.converge("--check", *OPTIONS, **inputs).succeeded()
    sandbox.converge(*OPTIONS, **inputs).succeeded()
    return look(sandbox)


@pytest.fixture(scope="module")
def repaired(sandbox: Sandbox, inputs: dict[str, Any], first: Seen) -> Seen:
    """After a second one, on a node where much of it was undone by hand."""
    sandbox.alter(NODE, f"gpasswd --add guest docker; rm {PIN}; systemctl disable --now {UNITS}")
    sandbox.converge(*OPTIONS, **inputs).succeeded()
    return look(sandbox)


@pytest.fixture(scope="module")
def back(sandbox: Sandbox, repaired: Seen) -> Seen:
    """After an ordinary run, on a node whose group was deleted again; only one with the controller knows its number."""
    sandbox.alter(NODE, "groupdel docker")
    sandbox.converge("--tags", "docker").succeeded()
    return look(sandbox)


def test_the_daemon_has_the_inputs(sandbox: Sandbox, first: Seen) -> None:
    assert first.info["LoggingDriver"] == "journald"
    assert first.keys["log-opts"] == {"tag": "seen"}, "another driver refuses what bounds a file"
    assert first.info["LiveRestoreEnabled"] is False
    assert first.info["DefaultAddressPools"] == [{"Base": POOL, "Size": 24}]
    assert first.subnet.startswith("10.201.") and first.subnet.endswith("/24")
    assert sandbox.ask(NODE, f"systemctl is-active docker; {RUN}", "member") == "active"


def test_a_deleted_group_comes_back_with_the_number_of_the_inventory(first: Seen) -> None:
    assert first.group == ["docker", "x", str(NUMBER), "member"]
    assert "Pin-Priority: 990" in first.pin


@pytest.mark.case("I15")
@pytest.mark.case("I16")
def test_one_run_repairs_services_pin_and_members(first: Seen, repaired: Seen) -> None:
    assert repaired.states == first.states == ["enabled"] * 3 + ["active"] * 3
    assert repaired.pin == first.pin
    assert repaired.group == first.group, "nobody but those of docker_users is in the group"
    assert repaired.keys == first.keys


def test_what_leaves_the_inventory_leaves_the_node(sandbox: Sandbox, back: Seen) -> None:
    assert back.info["LoggingDriver"] == "json-file" and back.info["LiveRestoreEnabled"] is True
    assert back.keys["log-opts"] == {"max-size": "10m", "max-file": "3"}
    assert "default-address-pools" not in back.keys and "mtu" not in back.keys
    assert not back.subnet.startswith("10.201.")
    assert back.pin == ""


def test_without_one_in_the_inventory_the_number_is_the_controllers(sandbox: Sandbox, back: Seen) -> None:
    assert back.group == sandbox.ask("head", GROUP).split(":")
    sandbox.converge("--tags", "docker").unchanged()


@pytest.mark.usefixtures("back")
def test_absent_stops_containers_where_it_may(sandbox: Sandbox) -> None:
    sandbox.ask(NODE, f"docker run --detach --name runs {IMAGE} sleep 3600", "member")
    sandbox.converge(*OPTIONS, docker_state="absent", docker_stop_containers=True).succeeded()
    assert sandbox.ask(NODE, "pgrep --count containerd-shim; ls /usr/bin/docker 2>/dev/null; true") == "0"
    # The NVIDIA toolkit's own, whose role was not asked to run.
    assert set(json.loads(sandbox.ask(NODE, "cat /etc/docker/daemon.json"))) == {"runtimes", "features"}
    # What the unit gives as a flag keeps a Docker that was never started from starting, and is refused before.
    run = sandbox.converge(*OPTIONS, docker_config={"hosts": ["unix:///run/docker.sock"]}).failed()
    assert "specified both as a flag and in the configuration file: hosts" in run.failures[NODE]
    sandbox.converge(*OPTIONS).succeeded()
    assert sandbox.ask(NODE, RUN, "member") == ""
