"""What the role apptainer refuses, by its own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.slipway.containers.plugins.module_utils import refusals
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role

ROLE = Path(__file__).parents[3] / "roles" / "apptainer"
DATA = yaml.safe_load((ROLE / "vars/main.yml").read_text())
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
TRIXIE = {"distribution": "Debian", "distribution_major_version": "13", "architecture": "x86_64"}
NOBLE = {"distribution": "Ubuntu", "distribution_version": "24.04", "architecture": "x86_64"}
ROCKY = {"distribution": "Rocky", "distribution_major_version": "9", "architecture": "x86_64"}
APPTAINER = {"packages": {"apptainer": [{"version": "1.4.5-2"}]}}
DENIED = {"packages": {"apptainer": [{"version": "1.5.0+ds1-1"}]}}
SUID = {"packages": {name: [{"version": DEFAULTS["apptainer_version"]}] for name in ("apptainer", "apptainer-suid")}}
CE = {"packages": {"singularity-ce": [{"version": "4.5.1-noble"}]}}
BOTH = {"packages": {**APPTAINER["packages"], **CE["packages"]}}
SINGULARITY: dict[str, Any] = {"apptainer_flavor": "singularity-ce"}
UPSTREAM = {"apptainer_source": "upstream"}
SETUID = {"apptainer_mode": "setuid"}


def judge(facts: dict[str, Any], inputs: dict[str, Any]) -> list[Finding]:
    role = Role("apptainer", data=DATA)
    return refusals.judge(role, {**DEFAULTS, **inputs}.get, facts)


@pytest.mark.case("P7")
@pytest.mark.parametrize(
    ("facts", "inputs", "said"),
    [
        (TRIXIE, {}, []),
        (TRIXIE | APPTAINER, {}, []),
        # A denied version, which the distribution's package would not replace and upstream's file does.
        (TRIXIE | DENIED, {}, ["its version is denied: found apptainer 1.5.0+ds1-1"]),
        (TRIXIE | DENIED, UPSTREAM, []),
        (NOBLE | DENIED, {}, []),
        (ROCKY | DENIED, {}, ["its version is denied: found apptainer 1.5.0+ds1-1"]),
        (ROCKY | DENIED, UPSTREAM, []),
        # Two on one node.
        (TRIXIE | BOTH, {}, ["found apptainer 1.4.5-2, singularity-ce 4.5.1-noble"]),
        (TRIXIE | CE, {}, ["found singularity-ce 4.5.1-noble"]),
        (NOBLE | BOTH, SINGULARITY, ["found apptainer 1.4.5-2"]),
        (NOBLE | CE, SINGULARITY, []),
        (TRIXIE, SINGULARITY, ["has no package for Debian"]),
        (TRIXIE | CE, SINGULARITY, []),
        (NOBLE, SINGULARITY, []),
        # The setuid program.
        (TRIXIE, SETUID, ["Debian has no package of the setuid program"]),
        (TRIXIE | SUID, SETUID, []),
        (TRIXIE, SETUID | UPSTREAM, []),
        (NOBLE, SETUID, []),
    ],
)
def test_what_is_refused(facts: dict[str, Any], inputs: dict[str, Any], said: list[str]) -> None:
    found = judge(facts, inputs)
    assert len(found) == len(said), found
    assert all(text in finding.problem for finding, text in zip(found, said, strict=True))


@pytest.mark.case("P7")
def test_the_message_says_what_to_type() -> None:
    (found,) = judge(TRIXIE | BOTH, {})
    assert "apt-get purge singularity-ce" in found.allowed
    assert "apptainer_flavor: singularity-ce" in found.allowed
