"""The filter differing_files says the same as the module managed_files, or that it does not know."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.filter.differing_files import differing_files
from ansible_collections.slipway.containers.plugins.modules.node_facts import file_facts

Run = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is declared belongs to root")

DRIFTS: list[Callable[[Path], Any]] = [
    lambda place: (place / "file").write_text("b\n"),
    lambda place: (place / "file").chmod(0o600),
    lambda place: os.chown(place / "file", 1, 0),
    lambda place: (place / "file").unlink(),
    lambda place: (place / "file").rename(place / "other") and (place / "file").symlink_to("other"),
    lambda place: (place / "directory").chmod(0o777),
    lambda place: os.chown(place / "directory", 0, 1),
    lambda place: (place / "directory").rmdir(),
    lambda place: (place / "link").unlink(),
    lambda place: (place / "link").unlink() or (place / "link").symlink_to("elsewhere"),
]


@pytest.fixture
def declared(tmp_path: Path, run_module: Run) -> list[dict[str, Any]]:
    """What is declared, and there."""
    entries: list[dict[str, Any]] = [
        {"path": str(tmp_path / "file"), "content": "a"},
        {"path": str(tmp_path / "directory") + "/", "state": "directory", "mode": "0755"},
        {"path": str(tmp_path / "link"), "state": "link", "target": "directory"},
    ]
    assert keep(run_module, entries, tmp_path)
    return entries


def keep(run_module: Run, entries: list[dict[str, Any]], place: Path, check: bool = False) -> bool:
    """Run managed_files; returns whether something differed."""
    result = run_module("managed_files", check=check, files=entries, originals=str(place.parent / "originals"))
    return bool(result["changed"])


def differing(entries: list[dict[str, Any]], place: Path) -> list[Any]:
    return differing_files(entries, file_facts([str(place / "*")]))


def test_what_is_as_declared(declared: list[dict[str, Any]], run_module: Run, tmp_path: Path) -> None:
    assert differing(declared, tmp_path) == []
    assert not keep(run_module, declared, tmp_path, check=True)


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift(drift: Callable[[Path], Any], declared: list[dict[str, Any]], run_module: Run, tmp_path: Path) -> None:
    drift(tmp_path)
    assert len(differing(declared, tmp_path)) == 1
    assert keep(run_module, declared, tmp_path)
    assert differing(declared, tmp_path) == []


@pytest.mark.parametrize(
    "more",
    [{"owner": "root"}, {"state": "settings", "settings": {}}, {"state": "absent"}, {"state": "present"}, {"mode": 1}],
)
def test_what_facts_cannot_prove(declared: list[dict[str, Any]], tmp_path: Path, more: dict[str, Any]) -> None:
    assert differing([{**declared[0], **more}], tmp_path)


def test_what_was_not_looked_at_differs(declared: list[dict[str, Any]]) -> None:
    assert differing_files(declared, {}) == declared
