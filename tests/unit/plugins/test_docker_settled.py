"""What node_facts sees of Docker, and the filters that tell from it whether anything is to be done."""

from __future__ import annotations

import grp
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.filter.docker_settled import (
    docker_group_settled,
    docker_keys_settled,
)
from ansible_collections.slipway.containers.plugins.module_utils import command, docker_facts, docker_process


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(docker_facts, "RECORDS", str(tmp_path / "records"))
    for name, file in (("CONFIG", "daemon.json"), ("CONTAINERD_CONFIG", "config.toml"), ("GROUPS", "group")):
        monkeypatch.setattr(docker_facts, name, str(tmp_path / file))
    return tmp_path


def test_no_file_has_no_keys(place: Path) -> None:
    assert docker_facts.keys() == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"http-proxy": "http://ada:hush@proxy"}', '{"x": {"password": "hush"}}'])
def test_what_cannot_be_read_or_shown(place: Path, text: str) -> None:
    (place / "daemon.json").write_text(text)
    assert docker_facts.keys() is None
    assert not docker_keys_settled({"keys": None, "written": {"docker": []}}, {}, "docker")


def test_keys(place: Path) -> None:
    found = {"live-restore": True, "log-opts": {"max-size": "10m", "tag": "x"}}
    (place / "daemon.json").write_text(json.dumps(found))
    docker = {"keys": docker_facts.keys(), "written": {"docker": []}}
    assert docker_keys_settled(docker, {"log-opts": {"max-size": "10m"}, "bip": None}, "docker")
    assert not docker_keys_settled(docker, {"log-opts": {"max-size": "1m"}}, "docker")
    assert not docker_keys_settled(docker, {"live-restore": 1}, "docker")
    assert not docker_keys_settled(docker, {"log-opts": {"tag": None}}, "docker")


@pytest.mark.parametrize(
    ("written", "settled"),
    [
        ({"docker": ["mtu"]}, True),
        ({"docker": []}, True),
        # One that is to be taken back.
        ({"docker": ["bip", "mtu"]}, False),
        ({"docker": ["log-opts.max-size"]}, False),
        ({"toolkit": ["features.cdi"], "docker": []}, True),
        # What an earlier release wrote is not noted yet.
        ({"toolkit": []}, False),
    ],
)
def test_what_was_written(written: dict[str, list[str]], settled: bool) -> None:
    docker = {"keys": {"mtu": 1400}, "written": written}
    assert docker_keys_settled(docker, {"mtu": 1400}, "docker") is settled


def test_records_have_no_values(place: Path) -> None:
    assert docker_facts.written() == {}
    path = Path(f"{place}/records/{place}/daemon.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"docker": {"proxies.http-proxy": "http://ada:hush@proxy", "mtu": 1}, "odd": 1}')
    assert docker_facts.written() == {"docker": ["mtu", "proxies.http-proxy"]}
    path.write_text("{")
    assert docker_facts.written() == {}


@pytest.mark.parametrize(
    ("old", "new", "settled"),
    [
        ("", "", True),
        ("ActiveState=active", "ActiveState=inactive", False),
        ("UnitFileState=enabled", "UnitFileState=disabled", False),
        ("UnitFileState=enabled", "UnitFileState=masked", False),
        ("NeedDaemonReload=no", "NeedDaemonReload=yes", False),
    ],
)
def test_services(
    place: Path, recorded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, old: str, new: str, settled: bool
) -> None:
    text = recorded("systemd-257/docker-units.txt")
    monkeypatch.setattr(command, "run", lambda _words, _seconds: command.Output(0, text.replace(old, new), ""))
    monkeypatch.setattr(docker_process, "find_program", lambda: "/usr/sbin/dockerd")
    monkeypatch.setattr(docker_process, "was_replaced", lambda _process: False)
    monkeypatch.setattr(docker_process, "SOCKET", str(place))
    assert docker_facts.settled() is settled
    monkeypatch.setattr(docker_process, "find_program", lambda: "")
    assert not docker_facts.settled()


def test_group(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "group").write_text("docker:x:990:bob\n")
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 990, ["ada"])))
    assert docker_facts.group() == {"number": 990, "members": ["ada", "bob"], "local": True}
    assert docker_facts.primary_groups(["root", "nobody-has-this-name"]) == {"root": 0}


def group(**more: Any) -> dict[str, Any]:
    return {"group": {"number": 990, "members": ["ada", "bob"]}, "accounts": {"ada": 1, "bob": 2, "eve": 990}, **more}


def test_members() -> None:
    assert docker_group_settled(group(), ["ada", "eve"], False)
    assert docker_group_settled(group(), ["bob", "ada"], True)
    assert not docker_group_settled(group(), ["ada"], True)
    # The module says that it does not know him.
    assert not docker_group_settled(group(), ["ada", "nobody"], False)
    assert not docker_group_settled(group(accounts={"ada": 1, "bob": 2, "eve": 3}), ["eve"], False)
    assert not docker_group_settled(group(group=None), [], False)
