"""Which dockerd is the node's own, and what it was started with."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import docker_api
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


Named = list[tuple[str, int]]


def processes(proc: Path, monkeypatch: pytest.MonkeyPatch, found: Named) -> None:
    """Have these processes run, each with its name and its owner."""
    for number, (name, _owner) in enumerate(found, 10):
        (proc / str(number)).mkdir()
        (proc / str(number) / "comm").write_text(name + "\n")
    real = os.stat

    def stat(path: object, **options: object) -> object:
        name = Path(str(path)).name
        return SimpleNamespace(st_uid=found[int(name) - 10][1]) if name.isdigit() else real(path, **options)

    monkeypatch.setattr(os, "stat", stat)


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ([("containerd", 0), ("containerd-shim", 0), ("containerd-shim", 0), ("dockerd", 0)], 2),
        # A rootless Docker's, which a restart of the node's does not end.
        ([("containerd-shim", 0), ("containerd-shim", 1001)], 1),
    ],
)
def test_each_container_has_a_shim(proc: Path, monkeypatch: pytest.MonkeyPatch, found: Named, count: int) -> None:
    processes(proc, monkeypatch, found)
    assert tools.containers(str(proc)) == count


@pytest.mark.case("P9")
def test_a_docker_of_an_ordinary_account(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes(proc, monkeypatch, [("dockerd", 0), ("dockerd", 1001), ("bash", 1002), ("dockerd", 1001)])
    assert tools.rootless(str(proc)) == [1001]


def test_a_program_that_was_replaced(proc: Path) -> None:
    for number, program in ((5, "/usr/sbin/dockerd"), (6, "/usr/sbin/dockerd (deleted)")):
        (proc / str(number)).mkdir()
        (proc / str(number) / "exe").symlink_to(program)
    assert [tools.was_replaced(number, str(proc)) for number in (5, 6, 7)] == [False, True, False]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"Driver": 1}', {"Driver": 1}),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", None),
        (b"", None),
    ],
)
def test_what_docker_says_about_itself(monkeypatch: pytest.MonkeyPatch, answer: bytes, expected: object) -> None:
    # The path of such a socket must be short.
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
        path = directory + "/docker.sock"
        monkeypatch.setattr(tools, "SOCKET", path)
        assert docker_api.info(1) is None
        server.bind(path)
        server.listen()

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                assert connection.recv(4096).startswith(b"GET /info HTTP/1.1")
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert docker_api.info(5) == expected
        thread.join()
