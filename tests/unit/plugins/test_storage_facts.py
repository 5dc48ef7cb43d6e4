"""The action storage_facts: the choice among candidates, and what is said about the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.action import storage_facts
from ansible_collections.slipway.containers.plugins.module_utils import mounts
from ansible_collections.slipway.containers.plugins.module_utils.mounts import Mount, Space

Run = Callable[..., dict[str, Any]]
GIB = 2**30


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A node whose mounts are directories of the test; ``room`` is what is free on each (GiB)."""
    monkeypatch.setattr(mounts, "ROOT_DIRECTORY", str(tmp_path / "root"))

    def run(*names: str, kinds: dict[str, str] | None = None, room: dict[str, float] | None = None, **more: Any) -> Any:
        points = {"/": Mount("/", "ext4", ("rw",))}
        for name in names:
            point = str(tmp_path / name)
            points[point] = Mount(point, (kinds or {}).get(name, "xfs"), ("rw",))
        free = {point: (room or {}).get(Path(point).name or "/", 500) for point in points}
        monkeypatch.setattr(mounts, "measure", lambda path: Space(int(free[path] * GIB), None))
        more.setdefault("candidates", [str(tmp_path / "a"), str(tmp_path / "b"), "/"])
        return storage_facts.storage(mounts.survey(points), {"minimum_free_gib": 10, **more})

    return run


def choice(result: dict[str, Any]) -> dict[str, Any]:
    storage: dict[str, Any] = result["ansible_facts"]["storage"]
    return storage


@pytest.mark.case("D10")
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


def test_data_that_is_there_keeps_its_place(node: Run, tmp_path: Path) -> None:
    (tmp_path / "a/slipway").mkdir(parents=True)
    result = node("a", "b", room={"a": 1})
    assert choice(result)["mount_point"] == str(tmp_path / "a")
    assert "a runs low: 1.0 GiB free, 10.0 wanted" in result["warnings"][0]
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


def test_inputs_given_as_text(node: Run, tmp_path: Path) -> None:
    """A value of -e name=5 is text."""
    found = choice(node("a", room={"a": 4}, minimum_free_gib="5", minimum_free_inodes="9"))
    assert found["rejected"][0]["reason"] == "4.0 GiB free, 5.0 wanted"


def test_without_facts_it_says_what_comes_first() -> None:
    result = storage_facts.storage({}, {"candidates": ["/"]})
    assert result["failed"] and "node_facts comes first" in result["msg"]


def test_this_machine(run_module: Run, tmp_path: Path) -> None:
    """Nothing simulated: an existing directory is passed over, and the root is found."""
    facts = run_module("node_facts")["ansible_facts"]
    result = storage_facts.storage(facts, {"candidates": [str(tmp_path), "/sys", "/"]})
    reasons = [entry["reason"] for entry in choice(result)["rejected"]]
    assert reasons == [
        "nothing is mounted there",
        "sysfs is shared, in memory, layered or without what image layers need",
    ]
