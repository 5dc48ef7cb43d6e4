"""C-20 ends in its time whatever the registries do: packets that are lost, silence, and other protocols."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from tests.unit.validate.test_checks import judge
from validate import probe
from validate.checks import c_20_registry
from validate.model import FAIL
from validate.probing import Node


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Ask without the proxies of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dropping():
    """Return an address to which no connection can be made: what asks for one waits."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()


def test_many_addresses_that_drop_packets_and_a_silent_host_share_one_time(dropping, monkeypatch):
    monkeypatch.setattr(c_20_registry, "SECONDS", 1)
    monkeypatch.setattr(c_20_registry, "PATIENCE", 2)
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, port, *_more: [(2, 1, 6, "", dropping if host == "many" else ("127.0.0.1", port))] * 9,
    )  # fmt: skip
    silent = socket.create_server(("127.0.0.1", 0))
    quiet = f"silent:{silent.getsockname()[1]}"
    settings = {"plain_image": "many:9/x:1", "newest_image": f"{quiet}/y:1", "workload_image": "many:1/z:1"}
    began = time.monotonic()
    # As the probe does, whose child ends although a thread of it still waits.
    record = probe.observe("C-20", c_20_registry.__name__, Node(settings), 4)
    assert time.monotonic() - began < 3
    seen = record["observed"]
    assert seen["many:9"] == seen["many:1"] == ["image", "no answer within 2 s", None]
    assert seen[quiet] == ["image", "no answer within 1 s", None]
    finding = judge("C-20", seen)
    assert finding.status == FAIL and "many:9: no answer within 2 s" in finding.observed
    silent.close()


def test_a_host_that_speaks_something_else_is_said_to_and_costs_no_other_answer(monkeypatch):
    def another(*_words, **_more):
        raise c_20_registry.http.client.BadStatusLine("SSH-2.0-OpenSSH_9.2")

    monkeypatch.setattr(c_20_registry.urllib.request, "urlopen", another)
    assert c_20_registry.asked({"a": False}) == {"a": ("SSH-2.0-OpenSSH_9.2", None)}
