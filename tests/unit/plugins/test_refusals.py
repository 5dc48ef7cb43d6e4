"""Combinations that a role refuses, judged on values."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import refusals
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role

TEXTS = {"variable": "toy_mode", "problem": "no: {found}", "allowed": "purge {names}"}
VALUES = {"toy_mode": "setuid", "toy_version": "1.5"}
FACTS = {
    "distribution": "Ubuntu",
    "distribution_version": "24.04",
    "distribution_major_version": "24",
    "architecture": "x86_64",
    "packages": {"toy": [{"version": "1.4-1"}], "rival": [{"version": "3"}]},
}


def judge(*declared: dict[str, Any]) -> list[Finding]:
    data = {
        "__toy_packages": ["toy"],
        "__toy_denied_versions": [{"version": "1.4", "reason": "it bites"}],
        "__toy_refusals": list(declared),
    }
    role = Role("toy", data=data)
    return refusals.judge(role, VALUES.get, FACTS)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"inputs": {"toy_mode": ["setuid", "x"]}}, True),
        ({"inputs": {"toy_mode": ["setuid"], "toy_version": ["1.4"]}}, False),
        ({"distributions": {"Ubuntu": ["22.04", "24.04"]}}, True),
        ({"distributions": {"Ubuntu": ["24"]}}, False),
        ({"distributions": {"Debian": ["12"]}}, False),
        ({"architectures": ["x86_64"]}, True),
        ({"architectures": ["aarch64"]}, False),
        ({"installed": ["rival", "other"]}, True),
        ({"installed": ["other"]}, False),
        ({"not_installed": ["rival", "other"]}, False),
        ({"not_installed": ["other"]}, True),
        ({"denied": ["toy", "other"]}, True),
        ({"denied": ["rival", "other"]}, False),
        ({"installed": ["rival"], "architectures": ["aarch64"]}, False),
    ],
)
def test_all_conditions_must_hold(condition: dict[str, Any], holds: bool) -> None:
    assert bool(judge({**TEXTS, **condition})) == holds


def test_the_texts_say_what_was_found() -> None:
    found = judge({**TEXTS, "installed": ["rival", "other"]})
    assert found == [Finding("toy", "toy_mode", '"setuid"', "no: toy 1.4-1, rival 3", "purge rival")]


def test_the_denied_package_is_named() -> None:
    assert [finding.allowed for finding in judge({**TEXTS, "denied": ["toy", "rival"]})] == ["purge toy"]


def test_an_unknown_condition_is_no_condition_that_never_holds() -> None:
    with pytest.raises(ValueError, match="unknown condition instaled"):
        judge({**TEXTS, "instaled": ["rival"]})
