"""The module docker_service against a systemctl that answers as the recorded one."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import command, docker_api, docker_process

Run = Callable[..., dict[str, Any]]
# 2020-11-22 19:22:48 UTC
STARTED = 1606072968
INFO = {"LiveRestoreEnabled": True, "DockerRootDir": "/x", "Driver": "overlay2", "Images": 2, "Containers": 0}


class Node:
    """A node's systemd and Docker, with what was asked of them."""

    def __init__(self, units: str) -> None:
        self.units = units
        self.calls: list[str] = []
        self.fails = ""
        self.warnings: list[str] = []
        self.containers = 0
        self.rootless: list[int] = []
        self.info: dict[str, Any] | None = INFO

    def run(self, arguments: list[str], _seconds: float) -> command.Output:
        line = " ".join(arguments)
        if line.startswith("systemctl show"):
            return command.Output(0, self.units, "")
        if line.startswith("journalctl"):
            return command.Output(0, "failed to start daemon: bad pool\n", "")
        self.calls.append(line.removeprefix("systemctl "))
        if self.fails and self.fails in line:
            return command.Output(1, "", "Job for docker.service failed.")
        return command.Output(0, "abc\n" if line == "docker ps --quiet" else "", "")

    def change(self, unit: str, old: str, new: str) -> None:
        blocks = self.units.split("\n\n")
        place = next(number for number, block in enumerate(blocks) if "Id=%s\n" % unit in block)
        assert old in blocks[place]
        blocks[place] = blocks[place].replace(old, new)
        self.units = "\n\n".join(blocks)


@pytest.fixture
def node(recorded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Node:
    # Long ago, whatever this machine's clock says.
    node = Node(recorded("systemd-257/docker-units.txt").replace("2026-11-22", "2020-11-22"))
    monkeypatch.setattr(command, "run", node.run)
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: node.warnings.append(text))
    monkeypatch.setattr(docker_process, "containers", lambda: node.containers)
    monkeypatch.setattr(docker_api, "info", lambda _seconds: node.info)
    monkeypatch.setattr(docker_process, "was_replaced", lambda _process: False)
    monkeypatch.setattr(docker_process, "rootless", lambda: node.rootless)
    monkeypatch.setattr(docker_process, "SOCKET", str(tmp_path))
    return node


@pytest.fixture
def service(run_module: Run, tmp_path: Path) -> Run:
    def run(check: bool = False, **parameters: Any) -> dict[str, Any]:
        paths = {"config": str(tmp_path / "daemon.json"), "containerd_config": str(tmp_path / "config.toml")}
        return run_module("docker_service", check=check, **paths, **parameters)

    return run


def write(path: Path, text: str, time: float) -> None:
    path.write_text(text)
    os.utime(path, (time, time))


def test_what_runs_is_left_alone(node: Node, service: Run) -> None:
    result = service()
    assert (result["changed"], result["reasons"], result["pending"], node.calls) == (False, [], "", [])


def test_a_younger_file_restarts_docker(node: Node, service: Run, tmp_path: Path) -> None:
    write(tmp_path / "daemon.json", '{"data-root": "/y"}', STARTED + 10)
    for options in ({"check": True}, {"act": False}):
        result = service(**options)
        assert result["changed"] and not node.calls
    result = service()
    assert result["reasons"] == ["daemon.json changed since Docker started"]
    assert node.calls == ["reset-failed docker.service", "restart docker.service"]
    assert "from /x to /y, and 2 images" in node.warnings[-1]


def test_a_file_of_the_future_does_not_restart_docker_for_ever(node: Node, service: Run, tmp_path: Path) -> None:
    now = tmp_path.stat().st_mtime
    node.units = node.units.replace("2020-11-22", "%d-11-22" % (datetime.fromtimestamp(now, timezone.utc).year + 1))
    write(tmp_path / "daemon.json", "{}", now + 10**9)
    write(tmp_path / "config.toml", "", now + 10**9)
    assert not service()["changed"]


def test_a_restart_waits_for_a_container(node: Node, service: Run, tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "", STARTED + 10)
    node.containers = 1
    result = service()
    assert not result["changed"] and not node.calls
    assert (
        "restart pending (containerd's configuration changed since it started): 1 container runs" in result["pending"]
    )
    assert node.warnings == [result["pending"]]


def test_a_first_start(node: Node, service: Run) -> None:
    for unit in ("docker.service", "docker.socket", "containerd.service"):
        node.change(unit, "ActiveState=active", "ActiveState=inactive")
        node.change(unit, "UnitFileState=enabled", "UnitFileState=disabled")
    assert not service(state="settled")["changed"]
    assert service()["changed"]
    assert node.calls == [
        "enable docker.service docker.socket containerd.service",
        "reset-failed containerd.service docker.service",
        "start containerd.service docker.service",
    ]


def test_an_image_has_docker_started_by_its_first_boot(node: Node, service: Run, tmp_path: Path) -> None:
    node.change("docker.service", "ActiveState=active", "ActiveState=inactive")
    node.change("docker.service", "UnitFileState=enabled", "UnitFileState=disabled")
    write(tmp_path / "config.toml", "", STARTED + 10)
    assert service(state="enabled")["changed"]
    assert node.calls == ["enable docker.service"]
    node.change("docker.service", "UnitFileState=disabled", "UnitFileState=enabled")
    assert not service(state="enabled")["changed"]


def test_a_docker_that_does_not_start_shows_its_log(node: Node, service: Run, tmp_path: Path) -> None:
    write(tmp_path / "daemon.json", "{}", STARTED + 10)
    node.fails = "restart docker.service"
    said = service()["msg"]
    assert "Job for docker.service failed." in said and "bad pool" in said


def test_a_docker_that_does_not_answer(node: Node, service: Run, tmp_path: Path) -> None:
    write(tmp_path / "daemon.json", "{}", STARTED + 10)
    node.info = None
    assert "does not answer" in service()["msg"]


def test_a_masked_unit_is_an_admins_word(node: Node, service: Run) -> None:
    node.change("docker.service", "UnitFileState=enabled", "UnitFileState=masked")
    assert "docker.service is masked" in service()["msg"]
    assert not service(state="settled").get("failed")


@pytest.mark.case("P9")
def test_a_rootless_docker_is_reported_and_left_alone(node: Node, service: Run) -> None:
    node.rootless = [1001, 1002]
    result = service()
    assert not result["changed"] and not node.calls
    assert "uid 1001, 1002 runs a rootless Docker, which is left alone" in node.warnings[-1]


def test_stopped(node: Node, service: Run) -> None:
    assert service(state="stopped", check=True)["changed"] and not node.calls
    assert service(state="stopped")["changed"]
    units = "docker.service docker.socket containerd.service"
    assert node.calls == ["stop " + units, "disable " + units]
    for unit in units.split():
        node.change(unit, "ActiveState=active", "ActiveState=inactive")
    node.calls.clear()
    assert service(state="stopped")["changed"]
    assert node.calls == ["disable " + units]
    for unit in units.split():
        node.change(unit, "UnitFileState=enabled", "UnitFileState=disabled")
    node.calls.clear()
    assert not service(state="stopped")["changed"] and not node.calls


def test_a_stop_leaves_no_socket(node: Node, service: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(docker_process, "SOCKET", str(path))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    assert service(state="stopped", check=True)["changed"] and path.is_socket()
    assert service(state="stopped")["changed"] and not path.exists()


def test_stopped_is_refused_while_containers_run(node: Node, service: Run) -> None:
    node.containers = 2
    assert "2 containers run on this node" in service(state="stopped")["msg"] and not node.calls
    assert service(state="stopped", stop_containers=True)["changed"]
    assert node.calls[:2] == ["docker ps --quiet", "docker stop abc"]
