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


def fill(directory: Path) -> None:
    """Put a user's container where enroot keeps them."""
    (directory / "enroot/data/member/ubuntu").mkdir(parents=True)


def test_data_is_not_left_behind_for_a_disk_that_was_mounted_later(node: Run, tmp_path: Path) -> None:
    fill(tmp_path / "b/slipway")
    result = node("a", "b")
    assert choice(result)["root"] == str(tmp_path / "b/slipway")
    assert choice(result)["rejected"] == [
        {"path": str(tmp_path / "a"), "reason": "usable, but %s holds data" % (tmp_path / "b/slipway")}
    ]
    (told,) = result["warnings"]
    assert told.startswith("%s can be used now" % (tmp_path / "a"))
    assert "storage_candidates: [%s]" % (tmp_path / "a") in told

    # The remedy: asked for that disk alone, and from then on it is known as one for data.
    moved = node("a", "b", candidates=[str(tmp_path / "a")])
    assert choice(moved)["mount_point"] == str(tmp_path / "a") and not moved["warnings"]
    (tmp_path / "a/slipway").mkdir(parents=True)
    assert choice(node("a", "b"))["mount_point"] == str(tmp_path / "a")


def test_an_empty_place_is_left_for_a_disk_that_was_mounted_later(node: Run, tmp_path: Path) -> None:
    """As after a run while the image of a node was made."""
    for name in ("enroot/data/member", "docker/image/overlay2/imagedb/content/sha256", "docker/volumes"):
        (tmp_path / "root" / name).mkdir(parents=True)
    result = node("a")
    assert choice(result)["mount_point"] == str(tmp_path / "a") and not result["warnings"]
    fill(tmp_path / "root")
    assert choice(node("a"))["mount_point"] == "/"


def test_a_full_place_that_holds_data_is_kept_and_both_are_said(node: Run, tmp_path: Path) -> None:
    fill(tmp_path / "b/slipway")
    result = node("a", "b", room={"b": 1})
    assert choice(result)["mount_point"] == str(tmp_path / "b")
    assert "can be used now" in result["warnings"][0] and "b runs low: 1.0 GiB free" in result["warnings"][1]


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
