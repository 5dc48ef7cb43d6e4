"""What the role artifacts hands to the module that installs, from what the components want."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit import plays
from tests.unit.plays import REPOSITORY

pytestmark = pytest.mark.slow

KEYS = ("large_files", "contents", "installs", "repository_files", "groups")


def evaluate(directory: Path, **variables: Any) -> dict[str, Any]:
    """Return the variables KEYS of the role for a host with these."""
    wanted = {key: "{{ __artifacts_%s }}" % key for key in KEYS}
    copy = {"content": "{{ wanted | to_json }}", "dest": str(directory / "result"), "mode": "0644"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "roles/artifacts/vars/main.yml")],
        "vars": {"artifacts_components": ["enroot", "pyxis"], "wanted": wanted, **variables},
        "tasks": [{"ansible.builtin.copy": copy}],
    }
    done = plays.run(directory, play)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((directory / "result").read_text()))


def test_packages_alone_need_no_download(tmp_path: Path) -> None:
    wish = {"files": [], "packages": ["gcc"], "reinstall": False, "lock_timeout": 3}
    found = evaluate(tmp_path, __enroot_install={}, __pyxis_install=wish)
    nothing: dict[str, Any] = {"large_files": [], "contents": {}, "repository_files": [], "groups": []}
    assert found == {**nothing, "installs": [wish]}


def test_keys_sources_and_groups_come_before_packages(tmp_path: Path) -> None:
    (tmp_path / "key.asc").write_text("key")
    fetched = {"key.asc": {"path": str(tmp_path / "key.asc"), "size": 3}}
    source = {"path": "/etc/apt/sources.list.d/slipway-x.sources", "content": "x"}
    wish = {"files": [], "packages": ["x"], "reinstall": False, "lock_timeout": 3, "repository": [source]}
    wish["repository_keys"] = [{"path": "/etc/apt/keyrings/slipway-x.asc", "filename": "key.asc"}]
    wish["groups"] = [{"name": "x", "number": 990}]
    found = evaluate(tmp_path, __enroot_install=wish, __artifacts_result={"artifacts": fetched})
    assert found["repository_files"] == [{"path": "/etc/apt/keyrings/slipway-x.asc", "secret": "a2V5"}, source]
    assert found["groups"] == wish["groups"]


def test_small_files_are_arguments_and_large_ones_are_copied(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"hi\xff")
    fetched = {"a.deb": {"path": str(tmp_path / "a.deb"), "size": 3}, "b.deb": {"path": "/b", "size": 2097153}}
    wish = {"files": ["a.deb", "b.deb"], "packages": [], "reinstall": False, "lock_timeout": 3}
    # pyxis does not say what it wants.
    found = evaluate(tmp_path, __enroot_install=wish, __artifacts_result={"artifacts": fetched})
    assert found["large_files"] == ["b.deb"]
    assert found["contents"] == {"/var/cache/slipway/a.deb": "aGn/"}
    assert found["installs"] == [wish]
