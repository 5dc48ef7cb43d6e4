"""What Docker's services need, judged from what systemd and the files say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import docker_service as tools

DOCKER, SOCKET, CONTAINERD = tools.UNITS
UP = {
    DOCKER: tools.Unit(DOCKER, "loaded", "active", "enabled", started=100, changed=110, process=2),
    SOCKET: tools.Unit(SOCKET, "loaded", "active", "enabled", changed=110),
    CONTAINERD: tools.Unit(CONTAINERD, "loaded", "active", "enabled", started=90, changed=95, process=1),
}
SETTLED = tools.Seen(UP, config_modified=80, config_changed=80, containerd_modified=80)
LIVE = {"LiveRestoreEnabled": True, "DockerRootDir": "/x", "Driver": "overlay2"}
RESTART = tools.Plan(restart=[DOCKER])


def with_units(**changes: dict[str, Any]) -> tools.Seen:
    units = {name: replace(unit, **changes.get(name.split(".")[0], {})) for name, unit in UP.items()}
    return replace(SETTLED, units=units)


def test_the_recorded_units(recorded) -> None:
    units = tools.parse_units(recorded("systemd-257/docker-units.txt"))
    assert list(units) == [DOCKER, SOCKET, CONTAINERD, "nosuch.service"]
    docker = units[DOCKER]
    assert docker.installed and docker.running and not docker.stale and docker.file_state == "enabled"
    assert docker.started == pytest.approx(1795375368.10792)
    assert docker.changed > docker.started
    assert units[SOCKET].process == 0
    assert not units["nosuch.service"].installed
    assert tools.judge(tools.Seen(units)).empty


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("n/a", 0), ("Thu 1970-01-01 00:01:00 UTC", 60), ("Thu 1970-01-01 00:00:01.5 UTC", 1.5)],
)
def test_seconds(text: str, expected: float) -> None:
    assert tools.seconds(text) == expected


def test_nothing_to_do() -> None:
    assert tools.judge(SETTLED).empty
    assert tools.judge(SETTLED, started=False).empty


def test_nothing_is_installed() -> None:
    assert tools.judge(tools.Seen({})).empty


@pytest.mark.parametrize(
    ("seen", "plan"),
    [
        (replace(SETTLED, config_modified=101, config_changed=101), {"restart": [DOCKER]}),
        # Older than the start: that a reload was missed shows in the change time alone.
        (replace(SETTLED, config_changed=111), {"reload": True}),
        (replace(SETTLED, config_modified=101, config_changed=109), {"restart": [DOCKER]}),
        (replace(SETTLED, containerd_modified=91), {"restart": [CONTAINERD]}),
        (replace(SETTLED, containerd_modified=91, config_modified=101), {"restart": [CONTAINERD, DOCKER]}),
        (replace(SETTLED, replaced=frozenset([DOCKER])), {"restart": [DOCKER]}),
        (replace(SETTLED, replaced=frozenset([CONTAINERD])), {"restart": [CONTAINERD]}),
        (replace(SETTLED, socket_exists=False), {"restart": [SOCKET, DOCKER]}),
        (replace(SETTLED, socket_exists=False, config_modified=101), {"restart": [SOCKET, DOCKER]}),
        (with_units(docker={"stale": True}), {"reread": True}),
        (with_units(containerd={"stale": True}), {"reread": True}),
    ],
)
@pytest.mark.parametrize("started", [True, False])
def test_what_runs_and_has_not_read_its_files(seen: tools.Seen, plan: dict[str, Any], started: bool) -> None:
    found = tools.judge(seen, started)
    assert found.reasons
    assert replace(found, reasons=[]) == tools.Plan(**plan)


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({"docker": {"active": "inactive"}}, {"start": [DOCKER]}),
        ({"docker": {"active": "failed"}}, {"start": [DOCKER]}),
        ({"containerd": {"active": "inactive"}}, {"start": [CONTAINERD]}),
        ({"docker": {"file_state": "disabled"}}, {"enable": [DOCKER, SOCKET]}),
        (
            {name: {"load": "masked", "active": "inactive", "file_state": "masked-runtime"} for name in ("docker",)},
            {"unmask": [DOCKER, SOCKET], "reread": True, "enable": [DOCKER, SOCKET], "start": [DOCKER]},
        ),
    ],
)
def test_what_does_not_run(changes: dict[str, dict[str, Any]], plan: dict[str, Any]) -> None:
    seen = with_units(**changes)
    found = tools.judge(seen)
    assert found.reasons
    assert replace(found, reasons=[]) == tools.Plan(**plan)
    assert tools.judge(seen, started=False).empty


def test_a_unit_that_an_admin_masked() -> None:
    assert tools.masked(with_units(docker={"file_state": "masked"})) == [DOCKER, SOCKET]
    assert tools.masked(with_units(docker={"file_state": "masked-runtime"})) == []


@pytest.mark.parametrize(
    ("plan", "running", "info", "keys", "cause"),
    [
        (RESTART, 0, None, {}, ""),
        (tools.Plan(reload=True), 3, None, {}, ""),
        (tools.Plan(start=[DOCKER]), 3, None, {}, ""),
        (RESTART, 1, LIVE, {"data-root": "/x", "storage-driver": "overlay2"}, ""),
        (RESTART, 1, None, {}, "1 container runs, and Docker does not say"),
        (RESTART, 2, {**LIVE, "LiveRestoreEnabled": False}, {}, "2 containers run, and live-restore is not in effect"),
        (RESTART, 1, LIVE, {"data-root": "/y"}, "over a change of data-root"),
        (RESTART, 1, LIVE, {"storage-driver": "vfs"}, "over a change of storage-driver"),
        (RESTART, 1, LIVE, {"bip": "10.1.0.1/24", "mtu": 1400}, "over a change of bip, mtu"),
        (tools.Plan(restart=[CONTAINERD, DOCKER]), 1, LIVE, {}, "containerd is to be restarted"),
        (tools.Plan(reread=True), 1, LIVE, {}, "GPUs"),
    ],
)
def test_what_has_to_wait(plan: tools.Plan, running: int, info: Any, keys: dict[str, Any], cause: str) -> None:
    found = tools.obstacle(plan, running, info, keys)
    assert cause in found and bool(found) == bool(cause)


def test_address_pools_are_compared_with_those_in_use() -> None:
    keys = {"default-address-pools": [{"base": "10.200.0.0/16", "size": 24}]}
    same = {**LIVE, "DefaultAddressPools": [{"Base": "10.200.0.0/16", "Size": 24}]}
    assert tools.obstacle(RESTART, 1, same, keys) == ""
    assert "default-address-pools" in tools.obstacle(RESTART, 1, LIVE, keys)


def test_data_that_a_new_root_leaves_behind_is_named() -> None:
    info = {**LIVE, "Images": 3, "Containers": 1}
    said = tools.leaves_data(info, {"data-root": "/y"})
    assert "from /x to /y, and 3 images and 1 containers stay behind" in said
    assert not tools.leaves_data(info, {"data-root": "/x"})
    assert not tools.leaves_data(info, {})
    assert not tools.leaves_data({**info, "Images": 0, "Containers": 0}, {"data-root": "/y"})
    assert not tools.leaves_data(None, {"data-root": "/y"})


def test_what_is_left_to_do_while_containers_run() -> None:
    plan = tools.Plan(reread=True, enable=[DOCKER], restart=[DOCKER], start=[CONTAINERD], reasons=["x"])
    assert plan.undisturbing() == tools.Plan(enable=[DOCKER], start=[CONTAINERD])
    assert tools.Plan(unmask=[DOCKER], reread=True, enable=[DOCKER]).undisturbing().empty
