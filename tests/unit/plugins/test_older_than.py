"""Package versions against upstream's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.test.older_than import older_than


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        ("4.1.1-1", "4.1.2"),
        ("4.1.2~rc1-1", "4.1.2"),
        ("4.1", "4.1.2"),
        ("4.9.9-1", "4.10.0"),
        ("3.5.0-1", "4.1.2"),
        ("", "4.1.2"),
        (None, "4.1.2"),
        (4.1, "4.1.2"),
        ("garbage", "garbagf"),
    ],
)
def test_older(installed: Any, wanted: str) -> None:
    assert older_than(installed, wanted)


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        ("4.1.2-1", "4.1.2"),
        ("4.1.2", "4.1.2"),
        ("1:4.1.2-1", "4.1.2"),
        ("4.1.2-0ubuntu1", "4.1.2"),
        ("4.1.2~standin1-1", "4.1.2"),
        ("4.1.2-1.el9", "4.1.2"),
        ("4.10.0-1", "4.9.9"),
        ("4.2", "4.1.2"),
        ("4.1.2-1", "v4.1.2"),
        (5, "4.1.2"),
    ],
)
def test_not_older(installed: Any, wanted: str) -> None:
    assert not older_than(installed, wanted)
