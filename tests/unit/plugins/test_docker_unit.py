"""The flags in Docker's unit, with what the distributions leave to an admin's files."""

from __future__ import annotations

from typing import Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import command
from ansible_collections.slipway.containers.plugins.module_utils import docker_unit as tools

# systemd 252 about Amazon Linux's unit, shortened.
AMAZONS = """\
ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// $OPTIONS $STORAGE ${ONE} ; ignore_errors=no ; \
start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Environment="STORAGE=--storage-driver overlay2" ONE=--label=a
EnvironmentFiles=/etc/sysconfig/docker (ignore_errors=yes)
EnvironmentFiles=/none (ignore_errors=yes)
"""
FILES = {"/etc/sysconfig/docker": '# flags\nOPTIONS="--default-ulimit nofile=32768:65536 --config-file /x"\n'}


def read(path: str) -> str:
    return FILES.get(path, "")


def test_variables_are_filled_in() -> None:
    assert tools.parse(AMAZONS, read) == [
        "-H", "fd://", "--default-ulimit", "nofile=32768:65536", "--config-file", "/x",
        "--storage-driver", "overlay2", "--label=a",
    ]  # fmt: skip


@pytest.mark.parametrize("shown", ["", "ExecStart=\nEnvironment=\n", "ExecStart={ odd }\n"])
def test_no_unit_has_no_flags(shown: str) -> None:
    assert tools.parse(shown, read) == []


def test_of_debians_package(recorded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = recorded("systemd-257/docker-unit.txt")
    monkeypatch.setattr(command, "run", lambda _words, _seconds: command.Output(0, text, ""))
    monkeypatch.setattr(tools, "_read", lambda _path: 'DOCKER_OPTS="--dns 8.8.8.8 --config-file=/etc/x"\n')
    assert tools.flags() == ["-H", "fd://", "--containerd=/run/containerd/containerd.sock", "--dns", "8.8.8.8"]
