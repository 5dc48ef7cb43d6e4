"""What the role docker refuses on nodes with dnf, by its own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.action.preflight import read_roles
from ansible_collections.slipway.containers.plugins.module_utils import preflight, refusals
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding

ROLES = str(Path(__file__).parents[3] / "roles")
ROCKY = {"os_family": "RedHat", "distribution": "Rocky", "distribution_major_version": "9"}
AMAZON = {"os_family": "RedHat", "distribution": "Amazon", "distribution_major_version": "2023"}
TRIXIE = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "13"}
LINKS = {"packages": {"docker": [{"version": "1.5-2"}]}}
AMAZONS = {"packages": {"docker": [{"version": "25.0.8-1.amzn2023"}]}}
DOCKERS = {"packages": {name: [{"version": "28.1.1-1.el9"}] for name in ("docker-ce", "containerd.io")}}
PODMAN = {"packages": {"runc": [{"version": "1.2.5-2.el9"}]}}
OLD = {"packages": {"docker": [{"version": "19.03.1-1"}]}}


def judge(facts: dict[str, Any], source: str) -> list[Finding]:
    role = read_roles(ROLES, facts["os_family"])["docker"]
    inputs = {**role.defaults, "docker_source": source}
    found = refusals.judge(role, inputs.get, facts)
    return [
        *found,
        *preflight.judge_component(role, {**inputs, "ansible_facts": facts}, lambda value: value, {*inputs}),
    ]


@pytest.mark.parametrize(
    ("facts", "source", "said"),
    [
        (ROCKY, "docker", []),
        (ROCKY, "distribution", ["the distribution has no package of Docker"]),
        (ROCKY | DOCKERS, "distribution", []),
        (ROCKY | PODMAN, "docker", ["would replace runc on the node by containerd.io"]),
        (ROCKY | PODMAN, "distribution", ["the distribution has no package of Docker"]),
        (AMAZON, "distribution", []),
        (AMAZON, "docker", ["has no packages for Amazon Linux"]),
        (AMAZON | AMAZONS, "docker", []),
        (AMAZON | OLD, "distribution", ["is too old"]),
        # Debian's package of that name has nothing to do with containers.
        (TRIXIE | LINKS, "distribution", []),
        (TRIXIE | PODMAN, "docker", []),
    ],
)
def test_what_is_refused(facts: dict[str, Any], source: str, said: list[str]) -> None:
    found = [finding.problem for finding in judge(facts, source)]
    assert len(found) == len(said) and all(text in problem for text, problem in zip(said, found, strict=True)), found
