"""Folded host names name every host exactly once."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.host_names import fold


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["head"], "head"),
        (["node1"], "node1"),
        (["compute%d" % number for number in range(1, 33)], "compute[1-32]"),
        (["node1", "node2", "node3", "node5", "login"], "login,node[1-3,5]"),
        (["node08", "node09", "node10", "node11"], "node[08-11]"),
        (["node9", "node10"], "node[9-10]"),
        (["node9", "node09"], "node09,node9"),
        (["node008", "node9"], "node008,node9"),
        (["n1.hpc.example", "n2.hpc.example"], "n[1-2].hpc.example"),
        (["ip-10-0-0-7", "ip-10-0-0-8", "ip-10-0-1-8"], "ip-10-0-0-[7-8],ip-10-0-1-8"),
        (["1", "2"], "[1-2]"),
        (["gpu-i0123456789abcdef0", "a12345678901"], "a12345678901,gpu-i0123456789abcdef0"),
        (["node1", "node1"], "node1"),
        (["node0", "node00"], "node0,node00"),
    ],
)
def test_fold(names: list[str], folded: str) -> None:
    assert fold(names) == folded


def test_a_thousand_nodes_are_one_word() -> None:
    assert fold("node%04d" % number for number in range(1000)) == "node[0000-0999]"
