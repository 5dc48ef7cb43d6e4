"""Whether a host can have the files that it is to get."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import preflight_files
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Role

ROLE = Role("toy", data={"__toy_released": ["x86_64"]})
EMPTY = "is empty, and upstream has no file for this architecture: %s"
LACKS = "lacks %s, which this host is to get"


@pytest.mark.parametrize(
    ("files", "mirror", "architecture", "there", "said"),
    [
        ([], "", "aarch64", (), []),
        (["a.deb"], "", "x86_64", (), []),
        (["a.deb", "b.deb"], "", "aarch64", (), [EMPTY % "a.deb, b.deb"]),
        (["a.deb", "b.deb"], "/m/", "aarch64", ("/m/a.deb",), [LACKS % "/m/b.deb"]),
        (["a.deb", "b.deb"], "/m", "x86_64", (), [LACKS % "/m/a.deb, /m/b.deb"]),
        (["a.deb"], "/m", "x86_64", ("/m/a.deb",), []),
        # Only a directory can be looked into without asking anybody.
        (["a.deb"], "https://m", "aarch64", (), []),
    ],
)
def test_what_cannot_be_had(
    files: list[str], mirror: str, architecture: str, there: tuple[str, ...], said: list[str]
) -> None:
    found = preflight_files.judge(ROLE, files, mirror, architecture, there.__contains__)
    assert [finding.problem for finding in found] == said
    assert all(finding.variable == "artifact_mirror" and "toy_state" in finding.allowed for finding in found)


def test_a_role_that_names_no_architecture_has_files_for_all() -> None:
    assert preflight_files.judge(Role("toy"), ["a.deb"], "", "aarch64", bool) == []
