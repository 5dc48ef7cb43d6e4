"""The filter differing_files says the same as the module managed_files, or that it does not know."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.filter.differing_files import differing_files
from ansible_collections.slipway.containers.plugins.module_utils.files import CAPABILITY_ATTRIBUTE, original_of
from ansible_collections.slipway.containers.plugins.modules.node_facts import file_facts, original_paths

Run = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is declared belongs to root")

KEYED = ("keys", "table")
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
    lambda place: (place / "keys").write_text("# comment\nKEY yes\nOTHER 1\nLIST a\n"),
    lambda place: (place / "keys").write_text("KEY no\nKEY yes\nLIST a\nLIST b\n"),
    lambda place: (place / "keys").write_text("KEY yes\nLIST a\nLIST b"),
    lambda place: (place / "table").write_text("[table]\nroot = 1\n"),
    lambda place: (place / "program").chmod(0o700),
    lambda place: os.removexattr(place / "program", CAPABILITY_ATTRIBUTE),
    lambda place: (place / "gone").write_text("Managed by Slipway\n"),
]


@pytest.fixture
def declared(tmp_path: Path, run_module: Run) -> list[dict[str, Any]]:
    """What is declared, and there."""
    entries: list[dict[str, Any]] = [
        {"path": str(tmp_path / "file"), "content": "a"},
        {"path": str(tmp_path / "directory") + "/", "state": "directory", "mode": "0755"},
        {"path": str(tmp_path / "link"), "state": "link", "target": "directory"},
        {
            "path": str(tmp_path / "keys"),
            "state": "settings",
            "settings": {"KEY": True, "LIST": ["a", "b"], "KEPT": 1, "NONE": None},
            "keep": ["KEPT"],
        },
        {
            "path": str(tmp_path / "table"),
            "state": "settings",
            "settings": {"root": 1},
            "separator": " = ",
            "until": "[",
        },
        {"path": str(tmp_path / "program"), "state": "present", "mode": "0755", "capabilities": ["cap_sys_admin"]},
        {"path": str(tmp_path / "gone"), "state": "absent"},
    ]
    (tmp_path / "keys").write_text("# comment\nKEPT 2\n  KEY = no\n\n")
    (tmp_path / "table").write_text("version = 3\n[table]\nroot = 2\n")
    (tmp_path / "program").touch()
    assert keep(run_module, entries, tmp_path)
    return entries


def keep_for(place: Path, name: str) -> None:
    """Have the original of a path be kept, as where Slipway replaced it."""
    kept = Path(original_of(str(place / name), str(place.parent / "originals")))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()


def keep(run_module: Run, entries: list[dict[str, Any]], place: Path, check: bool = False) -> bool:
    """Run managed_files; returns whether something differed."""
    result = run_module("managed_files", check=check, files=entries, originals=str(place.parent / "originals"))
    return bool(result["changed"])


def differing(entries: list[dict[str, Any]], place: Path) -> list[Any]:
    originals = place.parent / "originals"
    facts = {
        "files": {
            **file_facts([str(place / "*")]),
            **file_facts([str(place / name) for name in KEYED], with_lines=True),
        },
        "files_asked": [str(place / "*")],
        "originals": original_paths(str(originals)),
    }
    return differing_files(entries, facts)


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
    [{"owner": "root"}, {"state": "settings", "settings": {}}, {"state": "absent"}, {"secret": ""}, {"mode": 1}],
)
def test_what_facts_cannot_prove(declared: list[dict[str, Any]], tmp_path: Path, more: dict[str, Any]) -> None:
    assert differing([{**declared[0], **more}], tmp_path)


@pytest.mark.parametrize("drift", [None, *DRIFTS[:5]])
def test_a_file_by_its_checksum(
    drift: Callable[[Path], Any] | None, declared: list[dict[str, Any]], tmp_path: Path
) -> None:
    entry = {"path": declared[0]["path"], "sha256": hashlib.sha256(b"a\n").hexdigest()}
    if drift:
        drift(tmp_path)
    assert differing([entry], tmp_path) == ([entry] if drift else [])


def test_what_was_not_looked_at_differs(declared: list[dict[str, Any]]) -> None:
    nothing: dict[str, Any] = {"files": {}, "files_asked": ["/elsewhere/*", "/*"], "originals": []}
    assert differing_files(declared, nothing) == declared


def test_a_file_with_a_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("KEY 1\nREGISTRY_PASSWORD x\n")
    assert file_facts([str(tmp_path / "*")], with_lines=True)[str(tmp_path / "keys")]["lines"] is None


def test_what_is_no_text_and_what_has_an_original_is_for_the_module(
    declared: list[dict[str, Any]], tmp_path: Path
) -> None:
    with (tmp_path / "keys").open("ab") as stream:
        stream.write(b"\xff\n")
    keep_for(tmp_path, "gone")
    found = differing(declared, tmp_path)
    assert [entry["path"] for entry in found] == [str(tmp_path / "keys"), str(tmp_path / "gone")]


def test_a_key_that_cannot_be_one_is_the_modules_to_refuse(declared: list[dict[str, Any]], tmp_path: Path) -> None:
    assert differing([{**declared[3], "settings": {"A=B": 1}}], tmp_path)


def test_a_hidden_file_is_looked_at_only_by_its_name() -> None:
    entry = {"path": "/a/.b", "state": "absent"}
    facts: dict[str, Any] = {"files": {}, "originals": []}
    assert differing_files([entry], {**facts, "files_asked": ["/a/*", "/*/.b/c"]})
    assert not differing_files([entry], {**facts, "files_asked": ["/a/.b"]})
