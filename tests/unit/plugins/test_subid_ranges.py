"""The module subid_ranges on real files."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import subid_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of root")

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def ranges(run_module: Run, tmp_path: Path) -> Run:
    def run(check: bool = False, **options: Any) -> dict[str, Any]:
        paths = {name: str(tmp_path / name) for name in ("subuid", "subgid", "nsswitch", "record")}
        return run_module("subid_ranges", check=check, minimum=700000000, **{"users": ["daemon"], **paths, **options})

    return run


def test_a_range_is_added_once_and_taken_out_again(ranges: Run, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("x:1:2")
    (tmp_path / "subuid").chmod(0o640)
    foretold = ranges(check=True)
    assert not (tmp_path / "subgid").exists()
    result = ranges()
    assert result == foretold
    assert result["changed"]
    assert [difference["before"] for difference in result["diff"]] == ["x:1:2", ""]
    assert (tmp_path / "subuid").read_text() == "x:1:2\ndaemon:700000000:65536\n"
    assert (tmp_path / "subgid").read_text() == "daemon:700000000:65536\n"
    assert [(tmp_path / name).stat().st_mode & 0o7777 for name in ("subuid", "subgid")] == [0o640, 0o644]
    assert not ranges()["changed"]
    assert ranges(state="absent", check=True)["changed"]
    assert ranges(state="absent")["changed"]
    assert (tmp_path / "subuid").read_text() == "x:1:2\n"
    assert not ranges(state="absent")["changed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["subgid", "subuid"]


def test_an_admins_own_line_of_a_listed_user_stays(ranges: Run, tmp_path: Path) -> None:
    # As `apptainer config fakeroot --add` writes it.
    own = "daemon:4294836224:65536\n"
    (tmp_path / "subuid").write_text(own)
    ranges(users=["daemon", "bin"])
    assert (tmp_path / "subgid").read_text() == "daemon:700000000:65536\nbin:700065536:65536\n"
    # Of those who are not listed any more as well.
    assert ranges(users=["daemon"], state="absent")["changed"]
    assert [(tmp_path / name).read_text() for name in ("subuid", "subgid")] == [own, ""]


def test_what_is_added_later_is_known_as_well(ranges: Run, tmp_path: Path) -> None:
    ranges()
    ranges(users=["daemon", "bin"])
    ranges(state="absent")
    assert [(tmp_path / name).read_text() for name in ("subuid", "subgid")] == ["", ""]


def test_an_overlap_is_refused_naming_both_lines(ranges: Run, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("a:100:10\nb:200:10\n")
    (tmp_path / "subgid").write_text("a:100:10\n\nb:105:10\n")
    result = ranges()
    assert result["failed"]
    assert "subgid: line 1 (a:100:10) and line 3 (b:105:10) have ids in common" in result["msg"]
    assert "subuid:" not in result["msg"]
    assert (tmp_path / "subuid").read_text() == "a:100:10\nb:200:10\n"


def test_one_owner_by_name_and_by_number(ranges: Run, tmp_path: Path) -> None:
    uid = pwd.getpwnam("daemon").pw_uid
    (tmp_path / "subuid").write_text("daemon:100:65536\n%d:100:65536\n" % uid)
    (tmp_path / "subgid").write_text("%d:100:65536\n" % uid)
    assert not ranges()["changed"]


def test_a_user_whom_nobody_knows_is_named(ranges: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = ranges(users=["nosuchuser", "daemon"])
    assert result["unknown"] == ["nosuchuser"]
    assert "nosuchuser gets no subordinate ids" in warnings[0]
    assert (tmp_path / "subuid").read_text() == "daemon:700000000:65536\n"


def test_ranges_that_come_from_elsewhere(ranges: Run, tmp_path: Path) -> None:
    (tmp_path / "nsswitch").write_text("subid: sss\n")
    result = ranges()
    assert "takes subordinate ids from sss" in result["msg"]
    assert not (tmp_path / "subuid").exists()


def test_no_room(ranges: Run) -> None:
    assert "choose a lower minimum" in ranges(count=4294967290)["msg"]


@pytest.mark.parametrize(
    ("subuid", "subgid", "nsswitch", "served"),
    [
        ("daemon:100:65536\n", "daemon:100:65536\n", "", ["daemon"]),
        ("daemon:100:65536\n", "daemon:100:65535\n", "", []),
        ("daemon:100:65536\n", "", "", []),
        ("daemon:100:65536\nbin:200:1\n", "daemon:100:65536\n", "", []),
        ("daemon:100:65536\n", "daemon:100:65536\n", "subid: sss\n", []),
    ],
)
def test_who_is_served_needs_no_call(
    ranges: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subuid: str,
    subgid: str,
    nsswitch: str,
    served: list[str],
) -> None:
    for name, text in (("subuid", subuid), ("subgid", subgid), ("nsswitch", nsswitch)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(subid_files, name.upper(), str(tmp_path / name))
    assert subid_files.served(["daemon", "nobody-has-this-name"]) == served
    result = ranges(check=True)
    assert bool(result.get("changed") or result.get("failed")) is not bool(served)
