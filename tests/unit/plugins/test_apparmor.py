"""What the kernel says about AppArmor. The texts are from the kernel's documentation: no kernel here has AppArmor."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import apparmor

PROFILES = "enroot (unconfined)\n/usr/bin/man (enforce)\n/usr/bin/man//filter (enforce)\nsnap name (complain)\n"


def test_loaded_profiles() -> None:
    assert apparmor.loaded_profiles(PROFILES) == ["/usr/bin/man", "/usr/bin/man//filter", "enroot", "snap name"]


@pytest.mark.case("E11")
@pytest.mark.parametrize(("text", "restricts"), [("1\n", True), ("0\n", False)])
def test_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, restricts: bool) -> None:
    (tmp_path / "restriction").write_text(text)
    (tmp_path / "profiles").write_text(PROFILES)
    monkeypatch.setattr(apparmor, "RESTRICTION", str(tmp_path / "restriction"))
    monkeypatch.setattr(apparmor, "PROFILES", str(tmp_path / "profiles"))
    found = apparmor.gather()
    assert (found["restricts_user_namespaces"], "enroot" in found["profiles"]) == (restricts, True)


def test_a_node_without_apparmor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apparmor, "RESTRICTION", str(tmp_path / "restriction"))
    monkeypatch.setattr(apparmor, "PROFILES", str(tmp_path / "profiles"))
    assert apparmor.gather() == {"restricts_user_namespaces": False, "profiles": []}
