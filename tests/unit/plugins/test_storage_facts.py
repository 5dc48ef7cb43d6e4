"""The module storage_facts: the choice among candidates, and what is said about the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import mounts
from ansible_collections.slipway.containers.plugins.module_utils.mounts import Mount, Space

Run = Callable[..., dict[str, Any]]
GIB = 2**30


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_module: Run) -> Run:
    """A node whose mounts are directories of the test; ``free`` is the room on each."""
    free: dict[str, Space] = {}

    def run(*names: str, kinds: dict[str, str] | None = None, room: dict[str, float] | None = None, **more: Any) -> Any:
        points = {"/": Mount("/", "ext4", ("rw",))}
        for name in names:
            point = str(tmp_path / name)
            points[point] = Mount(point, (kinds or {}).get(name, "xfs"), ("rw",))
            free[point] = Space(int((room or {}).get(name, 500) * GIB), None)
        free["/"] = Space(int((room or {}).get("/", 50) * GIB), 10**6)
        monkeypatch.setattr(mounts, "parse_mountinfo", lambda _text: points)
        monkeypatch.setattr(mounts, "measure", lambda path: free[path])
        more.setdefault("candidates", [str(tmp_path / "a"), str(tmp_path / "b"), "/"])
        return run_module("storage_facts", root_directory=str(tmp_path / "root"), minimum_free_gib=10, **more)

    return run


def choice(result: dict[str, Any]) -> dict[str, Any]:
    storage: dict[str, Any] = result["ansible_facts"]["storage"]
    return storage


def test_the_first_that_is_mounted(node: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    found = choice(node("b"))
    assert found == {
        "root": str(tmp_path / "b/slipway"),
        "mount_point": str(tmp_path / "b"),
        "filesystem": "xfs",
        "free_gib": 500.0,
        "rejected": [{"path": str(tmp_path / "a"), "reason": "nothing is mounted there"}],
    }


def test_the_root_is_the_fallback(node: Run, tmp_path: Path) -> None:
    result = node("a", kinds={"a": "nfs4"})
    assert (choice(result)["root"], choice(result)["mount_point"]) == (str(tmp_path / "root"), "/")
    assert not result["changed"]


def test_too_little_room(node: Run, tmp_path: Path) -> None:
    found = choice(node("a", "b", room={"a": 9.9}))
    assert found["mount_point"] == str(tmp_path / "b")
    assert found["rejected"][0]["reason"] == "9.9 GiB free, 10.0 wanted"


def test_data_that_is_there_keeps_its_place(node: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/slipway").mkdir(parents=True)
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = node("a", "b", room={"a": 1})
    assert choice(result)["mount_point"] == str(tmp_path / "a")
    assert "a runs low: 1.0 GiB free, 10.0 wanted" in warnings[0]
    # Not where the mount is gone: what lies in the directory below is on another filesystem.
    assert choice(node("b"))["mount_point"] == str(tmp_path / "b")


def test_nothing_is_usable(node: Run, tmp_path: Path) -> None:
    result = node("a", kinds={"a": "tmpfs"}, candidates=[str(tmp_path / "a")])
    assert result["failed"]
    assert "none is usable (%s: tmpfs is shared, in memory" % (tmp_path / "a") in result["msg"]
    assert "add '/' as the last candidate" in result["msg"]
    assert "the list is empty" in node(candidates=[])["msg"]


def test_spellings_of_a_path(node: Run, tmp_path: Path) -> None:
    assert choice(node("a", candidates=[str(tmp_path / "a") + "/"]))["root"] == str(tmp_path / "a/slipway")
    assert choice(node(candidates=["/."]))["root"] == str(tmp_path / "root")


def test_this_machine(run_module: Run, tmp_path: Path) -> None:
    """Nothing simulated: an existing directory is passed over, and the root is found."""
    result = run_module(
        "storage_facts", candidates=[str(tmp_path), "/sys", "/"], root_directory="/" + os.urandom(4).hex()
    )
    reasons = [entry["reason"] for entry in choice(result)["rejected"]]
    assert reasons == [
        "nothing is mounted there",
        "sysfs is shared, in memory, layered or without what image layers need",
    ]
    assert choice(result)["mount_point"] == "/"
