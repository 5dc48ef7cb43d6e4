"""Keys of daemon.json in Docker's own types: a number among the log driver's options keeps it from starting."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.filter.docker_typed import docker_typed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"log-opts": {"max-file": 3, "compress": True, "tag": "x"}},
         {"log-opts": {"max-file": "3", "compress": "true", "tag": "x"}}),
        ({"log-opts": {"max-size": None}}, {"log-opts": {"max-size": None}}),
        ({"log-opts": None, "default-address-pools": None}, {"log-opts": None, "default-address-pools": None}),
        ({"default-address-pools": [{"base": "10.0.0.0/8", "size": "24"}]},
         {"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}),
        # What is no size is dockerd's to refuse.
        ({"default-address-pools": [{"base": "10.0.0.0/8", "size": "x"}, "y"]},
         {"default-address-pools": [{"base": "10.0.0.0/8", "size": "x"}, "y"]}),
        ({"mtu": 1400, "debug": True, "labels": ["a=1"]}, {"mtu": 1400, "debug": True, "labels": ["a=1"]}),
    ],
)  # fmt: skip
def test_types(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert docker_typed(given) == expected
