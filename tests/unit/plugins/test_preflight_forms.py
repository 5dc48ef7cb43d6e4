"""What a module would refuse of an input late is found at preflight, by the roles' own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.action.preflight import read_roles
from ansible_collections.slipway.containers.plugins.module_utils import preflight_forms
from ansible_collections.slipway.containers.plugins.module_utils.preflight import judge_component
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding

ROLES = read_roles(str(Path(__file__).parents[3] / "roles"))
DEBIAN = {"distribution": "Debian", "distribution_major_version": "13"}
ENTRY = {"registry": "nvcr.io", "username": "$oauthtoken", "password": "hush"}


def judge(role: str, **inputs: Any) -> list[Finding]:
    variables = {**inputs, "ansible_facts": DEBIAN}
    return judge_component(ROLES[role], variables, lambda value: value, {*ROLES[role].inputs})


def test_names_of_accounts() -> None:
    assert judge("docker", docker_users=["alice", "0abc12", "CORP\\ada"]) == []
    found = judge("docker", docker_users=["alice", "a b", "-x"])
    assert [finding.problem for finding in found] == [
        "'a b' is not the name of an account or group",
        "'-x' is not the name of an account or group",
    ]
    assert {finding.variable for finding in found} == {"docker_users"}


@pytest.mark.parametrize("users", [{"alice": True}, None, "alice", [["a b"]], [None]])
def test_what_is_no_list_is_said_once(users: Any) -> None:
    assert [finding.variable for finding in judge("docker", docker_users=users)] == ["docker_users"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, ""),
        ({"password": "hu sh"}, "registry_credentials[0] (nvcr.io): neither username nor password may have blanks"),
        ({"password": "$hush"}, "enroot would expand a password that begins with $"),
        ({"registry": "https://nvcr.io"}, "registry must be HOST or HOST:PORT"),
    ],
)
def test_credentials_without_showing_them(entry: dict[str, str], said: str) -> None:
    found = judge("registry", registry_credentials=[{**ENTRY, **entry}])
    assert len(found) == bool(said) and all(said in finding.problem for finding in found)
    assert "hu" not in str(found) and all(finding.value == "(hidden)" for finding in found)


def test_every_form_is_of_an_input_and_known() -> None:
    for role in ROLES.values():
        for name, form in role.own("forms", {}).items():
            assert name in role.options and form in preflight_forms.FORMS
