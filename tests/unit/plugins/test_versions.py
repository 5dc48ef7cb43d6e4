"""Versions are ordered as dpkg orders them; what a pin leaves out does not count."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.slipway.containers.plugins.module_utils.versions import compare, matches, split

ORDERED = [
    ("1.0~rc1", "1.0"),
    ("1.0~~", "1.0~"),
    ("1.17.7-1", "1.18.0-1"),
    ("1.18.0~rc.1-1", "1.18.0-1"),
    ("1.9", "1.10"),
    ("1.0", "1.0a"),
    ("1.0", "1.0+ds1"),
    ("1.0a", "1.0+ds1"),
    ("4.1.0-1", "4.1.0-2"),
    ("24.11.5-4", "25.05.0-1"),
    ("9:1.0-1", "10:0.5-1"),
    ("5:27.3.1-1~debian.12~bookworm", "5:27.4.0-1~debian.12~bookworm"),
    ("0.09", "0.10"),
]


@pytest.mark.parametrize(("older", "newer"), ORDERED)
def test_order(older: str, newer: str) -> None:
    assert compare(older, newer) == -1
    assert compare(newer, older) == 1
    assert compare(older, older) == 0


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg as the judge")
@pytest.mark.parametrize(("older", "newer"), ORDERED)
def test_dpkg_agrees(older: str, newer: str) -> None:
    subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=True)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("1.18.0", "1.18.0-1"),
        ("v4.1.2", "4.1.2-1"),
        ("5:27.3.1-1", "27.3.1"),
        ("4.1.2~standin1-1", "4.1.2"),
        ("4.1.2~standin-1", "4.1.2-1"),
        ("1.01", "1.1"),
    ],
)
def test_the_same_release(one: str, two: str) -> None:
    assert compare(one, two) == 0


@pytest.mark.parametrize(
    ("version", "pattern", "same"),
    [
        ("4.1.0-1", "4.1.0", True),
        ("4.1.0", "4.1.0-1", True),
        ("4.1.0-2", "4.1.0-1", False),
        ("1:1.3.4+ds1-2", "1.3.4", True),
        ("1.3.4+ds1", "1.3.4+ds2", False),
        ("1.17.70", "1.17.7", False),
    ],
)
def test_a_deny_list_matches_repackagings(version: str, pattern: str, same: bool) -> None:
    assert matches(version, pattern) is same


@pytest.mark.parametrize("text", ["", "-", ":", "latest", "~", "1:", "\n", "\u0663", "-" * 1000])
def test_nonsense_does_not_raise(text: str) -> None:
    split(text)
    assert compare(text, text) == 0
    assert compare(text, "1.0") in (-1, 0, 1)
