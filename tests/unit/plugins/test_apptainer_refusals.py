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
DEFAULTS = {**yaml.safe_load((ROLE / "defaults/main.yml").read_text()), "artifact_mirror": ""}
TRIXIE = {"distribution": "Debian", "distribution_major_version": "13", "architecture": "x86_64"}
BOOKWORM = {**TRIXIE, "distribution_major_version": "12"}
NOBLE = {"distribution": "Ubuntu", "distribution_version": "24.04", "architecture": "x86_64"}
ROCKY = {"distribution": "Rocky", "distribution_major_version": "9", "architecture": "x86_64"}
AMAZON = {**ROCKY, "distribution": "Amazon", "distribution_major_version": "2023"}
ARM = {"architecture": "aarch64"}
APPTAINER = {"packages": {"apptainer": [{"version": "1.4.5-2"}]}}
DENIED = {"packages": {"apptainer": [{"version": "1.5.0+ds1-1"}]}}
SUID = {"packages": {name: [{"version": DEFAULTS["apptainer_version"]}] for name in ("apptainer", "apptainer-suid")}}
CE = {"packages": {"singularity-ce": [{"version": "4.5.1-noble"}]}}
BOTH = {"packages": {**APPTAINER["packages"], **CE["packages"]}}
SINGULARITY: dict[str, Any] = {"apptainer_flavor": "singularity-ce"}
UPSTREAM = {"apptainer_source": "upstream"}
SETUID = {"apptainer_mode": "setuid"}
MIRROR = {"artifact_mirror": "/mirror"}
VERSION = DEFAULTS["apptainer_version"]
RPM = f"apptainer-{VERSION}-1.x86_64.rpm"
DEB, SUID_DEB = f"apptainer_{VERSION}_amd64.deb", f"apptainer-suid_{VERSION}_amd64.deb"


def judge(facts: dict[str, Any], inputs: dict[str, Any], there: tuple[str, ...]) -> list[Finding]:
    role = Role("apptainer", data=DATA)
    return refusals.judge(role, {**DEFAULTS, **inputs}.get, facts, lambda path: Path(path).name in there)


@pytest.mark.case("P7")
@pytest.mark.parametrize(
    ("facts", "inputs", "there", "said"),
    [
        (TRIXIE, {}, (), []),
        (TRIXIE | ARM, {}, (), []),
        (TRIXIE, MIRROR, (), []),
        (TRIXIE | APPTAINER, {}, (), []),
        # A denied version, which the distribution's package would not replace and upstream's file does.
        (TRIXIE | DENIED, {}, (), ["its version is denied: found apptainer 1.5.0+ds1-1"]),
        (TRIXIE | DENIED, UPSTREAM, (), []),
        (NOBLE | DENIED, {}, (), []),
        # With dnf: EPEL has it where there is one.
        (ROCKY, MIRROR, (), []),
        (ROCKY | ARM, {}, (), []),
        (ROCKY | DENIED, {}, (), ["its version is denied: found apptainer 1.5.0+ds1-1"]),
        (ROCKY | DENIED, UPSTREAM, (), []),
        (ROCKY, MIRROR | UPSTREAM, (), ["lacks /mirror/%s, and apptainer_source is upstream" % RPM]),
        (ROCKY, MIRROR | UPSTREAM, (RPM,), []),
        (ROCKY | ARM, UPSTREAM, (), ["upstream has no Apptainer for this architecture"]),
        (AMAZON, {}, (), []),
        (AMAZON, MIRROR, (), ["lacks /mirror/%s, and the distribution has no package" % RPM]),
        (AMAZON, MIRROR, (RPM,), []),
        (AMAZON | ARM, {}, (), ["neither the distribution nor upstream has Apptainer"]),
        # Two on one node.
        (TRIXIE | BOTH, {}, (), ["found apptainer 1.4.5-2, singularity-ce 4.5.1-noble"]),
        (TRIXIE | CE, {}, (), ["found singularity-ce 4.5.1-noble"]),
        (NOBLE | BOTH, SINGULARITY, (), ["found apptainer 1.4.5-2"]),
        (NOBLE | CE, SINGULARITY, (), []),
        (TRIXIE, SINGULARITY, (), ["has no package for Debian"]),
        (TRIXIE | CE, SINGULARITY, (), []),
        (NOBLE, SINGULARITY, (), []),
        (NOBLE | ARM, SINGULARITY, (), ["upstream has no SingularityCE for this architecture"]),
        (ROCKY | ARM, SINGULARITY, (), ["upstream has no SingularityCE for this architecture"]),
        (NOBLE | ARM, SINGULARITY | MIRROR, (), []),
        (NOBLE | ARM | CE, SINGULARITY, (), []),
        # The setuid program.
        (TRIXIE, SETUID, (), ["Debian has no package of the setuid program"]),
        (TRIXIE | SUID, SETUID, (), []),
        (TRIXIE, SETUID | UPSTREAM, (), []),
        (NOBLE, SETUID, (), []),
        # Where a file is needed.
        (BOOKWORM, {}, (), []),
        (BOOKWORM, MIRROR, (), [f"lacks /mirror/{DEB}"]),
        (BOOKWORM, MIRROR, (DEB,), []),
        (BOOKWORM | SUID, MIRROR, (), []),
        (BOOKWORM | APPTAINER, MIRROR, (), [f"lacks /mirror/{DEB}"]),
        (NOBLE, MIRROR | SETUID, (DEB,), [f"lacks /mirror/{SUID_DEB}"]),
        (TRIXIE, MIRROR | UPSTREAM, (), [f"lacks /mirror/apptainer_{VERSION}-trixie+_amd64.deb"]),
        (NOBLE | ARM, {}, (), ["neither the distribution nor upstream"]),
        (NOBLE | ARM, MIRROR, (), []),
        (TRIXIE | ARM, UPSTREAM, (), ["upstream has no Apptainer for this architecture"]),
    ],
)
def test_what_is_refused(
    facts: dict[str, Any], inputs: dict[str, Any], there: tuple[str, ...], said: list[str]
) -> None:
    found = judge(facts, inputs, there)
    assert len(found) == len(said), found
    assert all(text in finding.problem for finding, text in zip(found, said, strict=True))


@pytest.mark.case("P7")
def test_the_message_says_what_to_type() -> None:
    (found,) = judge(TRIXIE | BOTH, {}, ())
    assert "apt-get purge singularity-ce" in found.allowed
    assert "apptainer_flavor: singularity-ce" in found.allowed
