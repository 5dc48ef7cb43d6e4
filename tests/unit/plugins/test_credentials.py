"""Credentials of registries, in the runtimes' forms."""

from __future__ import annotations

import base64
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.containers.plugins.filter.credentials import FilterModule

FILTERS = FilterModule().filters()
SECRET = "s3cret-word"
NGC = {"registry": "nvcr.io", "username": "$oauthtoken", "password": SECRET}
HUB = {"registry": "docker.io", "username": "site", "password": "other"}
OWN = {"registry": "registry.example.org:5000", "username": "site", "password": "third"}
ECR = {"registry": "1.dkr.ecr.eu-west-1.amazonaws.com", "username": "AWS", "password": "$(aws ecr get-login-password)"}


def test_enroot_has_one_line_a_machine() -> None:
    assert FILTERS["as_netrc"]([NGC, HUB, OWN, ECR]).splitlines() == [
        f"machine nvcr.io login $oauthtoken password {SECRET}",
        f"machine authn.nvidia.com login $oauthtoken password {SECRET}",
        "machine registry-1.docker.io login site password other",
        "machine auth.docker.io login site password other",
        "machine registry.example.org login site password third",
        "machine 1.dkr.ecr.eu-west-1.amazonaws.com login AWS password $(aws ecr get-login-password)",
    ]
    assert FILTERS["as_netrc"]([]) == ""


def test_docker_has_one_login_a_registry() -> None:
    text = FILTERS["as_docker_config"]([NGC, HUB, OWN, ECR])
    logins = json.loads(text)["auths"]
    assert sorted(logins) == ["https://index.docker.io/v1/", "nvcr.io", "registry.example.org:5000"]
    assert base64.b64decode(logins["nvcr.io"]["auth"]).decode() == f"$oauthtoken:{SECRET}"
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"registry": "https://nvcr.io"}, "registry must be HOST or HOST:PORT"),
        ({"registry": "nvcr.io/nvidia"}, "registry must be HOST or HOST:PORT"),
        ({"username": ""}, "must not be empty"),
        ({"password": None}, "must not be empty"),
        ({"password": f"{SECRET} x"}, "may have blanks"),
        ({"password": f"{SECRET}\nmachine x"}, "line break"),
        ({"password": f"${SECRET}"}, "would expand"),
        ({"username": "a:b"}, "no colon"),
    ],
)
@pytest.mark.parametrize("name", sorted(FILTERS))
def test_what_cannot_be_written_is_refused_without_the_secret(name: str, change: dict[str, str], problem: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        FILTERS[name]([HUB, {**NGC, **change}])
    assert "registry_credentials[1]" in str(caught.value) and problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_registry_twice_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"has nvcr\.io twice"):
        FILTERS["as_netrc"]([NGC, NGC])
