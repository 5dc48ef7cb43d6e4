"""Which dockerd is the node's own, and what it was started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import docker_process as tools


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    return tmp_path


def process(proc: Path, number: int, name: str, parent: int, *words: str) -> None:
    (proc / str(number)).mkdir()
    (proc / str(number) / "stat").write_text("%d (%s) S %d 1 1 0\n" % (number, name, parent))
    (proc / str(number) / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))


def test_the_one_that_init_started(proc: Path) -> None:
    process(proc, 70, "dockerd", 60, "dockerd")
    process(proc, 900, "dockerd", 1, "/usr/sbin/dockerd", "-H", "fd://")
    process(proc, 100, "a ) b", 1, "x")
    assert tools.process_of("dockerd", str(proc)) == 900
    assert tools.flags(str(proc)) == ["-H", "fd://"]


@pytest.mark.parametrize("words", [["--config-file", "/etc/x", "--debug"], ["--config-file=/etc/x", "--debug"]])
def test_the_flag_that_names_its_file_is_left_out(proc: Path, words: list[str]) -> None:
    process(proc, 5, "dockerd", 1, "/usr/sbin/dockerd", *words)
    assert tools.flags(str(proc)) == ["--debug"]


def test_none_runs(proc: Path) -> None:
    assert tools.process_of("dockerd", str(proc)) == 0
    assert tools.flags(str(proc)) == []
