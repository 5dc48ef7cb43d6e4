"""The module managed_files on real files."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.basic import AnsibleModule

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of root")

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.fixture
def keep(run_module: Run, root: Path) -> Run:
    """Declare one path (or several, as dicts) below the test's directory."""

    def run(*declared: dict[str, Any], check: bool = False, **one: Any) -> dict[str, Any]:
        return run_module(
            "managed_files", check=check, files=[*declared, *([one] if one else [])], originals=str(root / "originals")
        )

    return run


def state(path: Path) -> Any:
    """Return all that matters about a path, and what is below it."""
    if path.is_symlink():
        return str(path.readlink())
    status = path.lstat()
    what = (status.st_mode, status.st_uid, status.st_gid)
    return (*what, {entry.name: state(entry) for entry in path.iterdir()} if path.is_dir() else path.read_bytes())


def settles(keep: Run, root: Path, declared: dict[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Check mode says what a run does and does nothing; the run does it; another one has nothing to do."""
    before = state(root)
    foretold = keep(check=True, **declared)
    assert state(root) == before
    result = keep(**declared)
    assert not result.get("failed"), result
    assert foretold == result
    assert result["changed"]
    assert [change["reasons"] for change in result["changes"]] == [reasons]
    after = state(root)
    again = keep(**declared)
    assert (again["changed"], again["changes"], again["diff"]) == (False, [], [])
    assert state(root) == after
    return result


def test_a_file_from_nothing(keep: Run, root: Path) -> None:
    path = root / "etc/deep/er/x"
    result = settles(keep, root, {"path": str(path), "content": "a\nb"}, ["created"])
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ("a\nb\n", 0o644)
    assert result["diff"][0]["before"] == ""
    assert result["diff"][0]["after"] == "a\nb\n"
    assert not (root / "originals").exists()


def test_a_file_over_somebodys(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    path.write_text("theirs\n")
    declared = {"path": str(path), "content": "# Managed by Slipway\n"}
    result = settles(keep, root, declared, ["content"])
    assert result["diff"][0]["before"] == "theirs\n"
    settles(keep, root, {**declared, "content": "# Managed by Slipway\nmore\n"}, ["content"])
    assert [entry.read_text() for entry in (root / "originals").rglob("x")] == ["theirs\n"]
    settles(keep, root, {"path": str(path), "state": "absent"}, ["restored"])
    assert path.read_text() == "theirs\n"
    assert not (root / "originals").exists()


def test_line_ends_count(keep: Run, root: Path) -> None:
    (root / "etc/x").write_bytes(b"a\r\n")
    settles(keep, root, {"path": str(root / "etc/x"), "content": "a\n"}, ["content"])


def test_content_that_is_not_utf8(keep: Run, root: Path) -> None:
    (root / "etc/x").write_bytes(b"\xff\n")
    result = settles(keep, root, {"path": str(root / "etc/x"), "content": "é\n"}, ["content"])
    assert result["diff"][0]["before"] == "\ufffd\n"
    assert (root / "etc/x").read_bytes() == b"\xc3\xa9\n"


def test_empty_content_stays_empty(keep: Run, root: Path) -> None:
    settles(keep, root, {"path": str(root / "etc/x"), "content": ""}, ["created"])
    assert (root / "etc/x").read_bytes() == b""


@pytest.mark.parametrize("target", ["target", "/nowhere"])
@pytest.mark.parametrize("declared", [{"content": "ours\n"}, {"state": "settings", "settings": {"A": 1}}])
def test_a_link_is_replaced_and_never_written_through(
    keep: Run, root: Path, target: str, declared: dict[str, Any]
) -> None:
    (root / "etc/target").write_text("B 2\n")
    path = root / "etc/x"
    path.symlink_to(target)
    settles(keep, root, {"path": str(path), **declared}, ["kind"])
    assert path.is_file()
    assert not path.is_symlink()
    assert (root / "etc/target").read_text() == "B 2\n"
    settles(keep, root, {"path": str(path), "state": "absent"}, ["restored"])
    assert str(path.readlink()) == target


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    "declared", [{"content": ""}, {"state": "settings", "settings": {}}, {"state": "link", "target": "/"}]
)
def test_a_directory_in_the_way(keep: Run, root: Path, declared: dict[str, Any], *, check: bool) -> None:
    (root / "etc/x").mkdir()
    result = keep(path=str(root / "etc/x"), check=check, **declared)
    assert result["failed"]
    assert "etc/x is a directory, expected a" in result["msg"]
    assert "move it away" in result["msg"]


@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: path.symlink_to("/nowhere")])
def test_something_where_a_directory_is_declared(keep: Run, root: Path, make: Callable[[Path], None]) -> None:
    make(root / "etc/x")
    assert "is not a directory: move it away" in keep(path=str(root / "etc/x"), state="directory")["msg"]


def test_a_directory(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    settles(keep, root, {"path": str(path), "state": "directory", "mode": "1777"}, ["created"])
    settles(keep, root, {"path": str(path) + "/", "state": "directory", "mode": "0755"}, ["mode"])
    (path / "theirs").touch()
    assert not keep(path=str(path), state="absent")["changed"]
    (path / "theirs").unlink()
    settles(keep, root, {"path": str(path), "state": "absent"}, ["removed"])


def test_a_link(keep: Run, root: Path) -> None:
    path = root / "etc/new/x"
    settles(keep, root, {"path": str(path), "state": "link", "target": "/a"}, ["created"])
    settles(keep, root, {"path": str(path), "state": "link", "target": "/b"}, ["link"])
    assert not keep(path=str(path), state="absent", target="/c")["changed"]


def test_a_link_over_a_file(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    path.write_text("theirs\n")
    settles(keep, root, {"path": str(path), "state": "link", "target": "/a"}, ["kind"])
    settles(keep, root, {"path": str(path), "state": "absent", "target": "/a"}, ["restored"])
    assert path.read_text() == "theirs\n"


def test_a_link_of_ours_that_moves_is_no_original(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    for build in ("/usr/local/lib/slipway/1", "/usr/local/lib/slipway/2"):
        keep(path=str(path), state="link", target=build)
    assert not (root / "originals").exists()
    settles(keep, root, {"path": str(path), "state": "absent"}, ["removed"])


def test_drift_of_owner_mode_and_capabilities(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    declared = {"path": str(path), "content": "x", "mode": "0755", "capabilities": ["cap_sys_admin"]}
    settles(keep, root, declared, ["created"])
    os.chown(path, 7, 7)
    path.chmod(0o600)
    settles(keep, root, declared, ["owner", "mode", "capabilities"])
    settles(keep, root, {**declared, "content": "y"}, ["content"])
    assert os.getxattr(path, "security.capability")
    # A set-id bit does not get lost when the owner is put right.
    settles(keep, root, {**declared, "content": "y", "owner": "7", "mode": "4755"}, ["owner", "mode"])
    settles(keep, root, {**declared, "content": "y", "capabilities": []}, ["owner", "mode", "capabilities"])


def test_a_packaged_file(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    declared = {"path": str(path), "state": "present", "capabilities": []}
    result = keep(**declared)
    assert (result["changed"], result["missing"]) == (False, [str(path)])
    path.symlink_to("/nowhere")
    assert keep(**declared)["missing"] == [str(path)]
    path.unlink()
    path.write_text("theirs")
    os.chown(path, 7, 7)
    settles(keep, root, declared, ["owner"])
    settles(keep, root, {**declared, "mode": "0600"}, ["mode"])
    assert path.read_text() == "theirs"


@pytest.mark.skipif(not shutil.which("getcap"), reason="needs getcap, to hear it from somebody else")
def test_capabilities_as_getcap_reads_them(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    keep(path=str(path), content="x", capabilities=["cap_sys_admin", "cap_mknod"])
    told = subprocess.run([shutil.which("getcap") or "", path], check=True, capture_output=True, text=True).stdout
    assert told == "%s cap_sys_admin,cap_mknod=ep\n" % path


def test_settings_of_somebodys_file(keep: Run, root: Path) -> None:
    path = root / "etc/enroot.conf"
    path.write_bytes(b"#A 1\nB 2\r\nC 3\nD \xff")
    declared = {
        "path": str(path),
        "state": "settings",
        "settings": {"A": True, "C": 4, "E": False, "X": None},
        "keep": ["C"],
    }
    settles(keep, root, declared, ["content"])
    assert path.read_bytes() == b"#A 1\nB 2\r\nC 3\nD \xff\nA yes\nE no\n"
    settles(keep, root, {"path": str(path), "state": "absent"}, ["restored"])
    assert path.read_bytes() == b"#A 1\nB 2\r\nC 3\nD \xff"


def test_settings_of_a_file_that_was_not_there(keep: Run, root: Path) -> None:
    path = root / "etc/enroot.conf"
    declared = {"path": str(path), "state": "settings", "settings": {"A": 1}}
    settles(keep, root, declared, ["created"])
    assert path.read_text() == "# Managed by Slipway\nA 1\n"
    settles(keep, root, {"path": str(path), "state": "absent"}, ["removed"])
    assert not path.exists()


def test_a_value_with_a_line_break_is_refused(keep: Run, root: Path) -> None:
    result = keep(path=str(root / "etc/x"), state="settings", settings={"A": "1\nB 2"})
    assert result["msg"] == "the value of A has a line break in it"


@pytest.mark.parametrize("make", [lambda path: path.write_text("theirs\n"), lambda path: path.symlink_to("/theirs")])
def test_absent_leaves_what_slipway_did_not_make(keep: Run, root: Path, make: Callable[[Path], None]) -> None:
    make(root / "etc/x")
    before = state(root)
    assert not keep(path=str(root / "etc/x"), state="absent")["changed"]
    assert not keep(path=str(root / "etc/x"), state="absent", target="/ours")["changed"]
    assert state(root) == before


@pytest.mark.parametrize("name", ["slipway-x.conf", "x"])
def test_absent_knows_ours_by_name_or_text(keep: Run, root: Path, name: str) -> None:
    keep(path=str(root / "etc" / name), content="" if "slipway" in name else "; Managed by Slipway\n")
    settles(keep, root, {"path": str(root / "etc" / name), "state": "absent"}, ["removed"])


def test_absent_finishes_what_a_kill_interrupted(keep: Run, root: Path) -> None:
    path = root / "etc/x"
    path.write_text("theirs\n")
    keep(path=str(path), content="ours\n")
    (root / "etc/.slipway-x-0123abcd").touch()
    path.unlink()
    settles(keep, root, {"path": str(path), "state": "absent"}, ["restored"])
    assert sorted(entry.name for entry in (root / "etc").iterdir()) == ["x"]
    assert path.read_text() == "theirs\n"


def test_absent_with_an_original_whose_directory_is_gone(keep: Run, root: Path) -> None:
    (root / "etc/x").write_text("theirs\n")
    keep(path=str(root / "etc/x"), content="ours\n")
    shutil.rmtree(root / "etc")
    assert not keep(path=str(root / "etc/x"), state="absent")["changed"]
    # Its parent as a directory of ours: the original below it is not taken for the directory's own.
    (root / "etc").mkdir()
    assert keep(path=str(root / "etc"), state="absent", recursive=True)["changes"][0]["reasons"] == ["removed"]


def test_recursive_removal(keep: Run, root: Path) -> None:
    outside = root / "outside"
    outside.mkdir()
    (outside / "theirs").touch()
    (root / "etc/x/y").mkdir(parents=True)
    (root / "etc/x/link").symlink_to(outside)
    settles(keep, root, {"path": str(root / "etc/x") + "/", "state": "absent", "recursive": True}, ["removed"])
    (root / "etc/x").symlink_to(outside)
    assert not keep(path=str(root / "etc/x") + "/", state="absent", recursive=True)["changed"]
    assert (outside / "theirs").exists()


@pytest.mark.parametrize(
    ("path", "why"), [("/", "top-level"), ("/etc/../usr", "top-level"), ("/dev/pts", "mount point")]
)
def test_recursive_removal_is_guarded(keep: Run, path: str, why: str) -> None:
    for check in (True, False):
        result = keep(path=path, state="absent", recursive=True, check=check)
        assert result["failed"]
        assert why in result["msg"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"content": "x", "owner": "nobody-at-all"}, ": owner 'nobody-at-all' does not exist on this node: name one"),
        ({"content": "x", "group": "nobody-at-all"}, ": group 'nobody-at-all' does not exist on this node: name one"),
        ({"content": "x", "mode": "420"}, "mode '420' is not four octal digits in quotes"),
        ({"content": "x", "mode": "u=rw"}, "mode 'u=rw' is not four octal digits"),
        ({"content": "x", "capabilities": ["cap_sys_admim"]}, "unknown file capability cap_sys_admim"),
        ({"path": "etc/x", "content": "x"}, "etc/x: the path must be absolute"),
        ({}, "state file needs 'content' or 'secret'"),
        ({"secret": "no Base64!"}, "the secret is not text in Base64"),
        ({"state": "settings"}, "needs 'settings'"),
        ({"state": "link"}, "needs 'target'"),
    ],
)
def test_all_declarations_are_judged_before_anything_is_done(
    keep: Run, root: Path, declared: dict[str, Any], message: str
) -> None:
    result = keep({"path": str(root / "etc/first"), "content": "x"}, {"path": str(root / "etc/x"), **declared})
    assert result["failed"]
    assert message in result["msg"]
    assert not (root / "etc/first").exists()


def test_an_owner_is_not_looked_up_for_what_is_removed(keep: Run, root: Path) -> None:
    assert not keep(path=str(root / "etc/x"), state="absent", owner="nobody-at-all").get("failed")


def test_a_full_disk_is_told_by_path_and_leaves_nothing(keep: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (root / "etc/x").write_text("theirs\n")
    monkeypatch.setattr(os, "fsync", full)
    result = keep(path=str(root / "etc/y"), content="ours\n")
    assert result["msg"].startswith("cannot keep %s: No space left on device. " % (root / "etc/y"))
    assert keep(path=str(root / "etc/x"), content="ours\n")["failed"]
    assert [entry.read_text() for entry in (root / "etc").iterdir()] == ["theirs\n"]


def test_a_failure_names_what_was_done_before_it(keep: Run, root: Path) -> None:
    (root / "etc/y").mkdir()
    result = keep({"path": str(root / "etc/x"), "content": "x"}, {"path": str(root / "etc/y"), "content": "y"})
    assert result["failed"]
    assert [change["path"] for change in result["changes"]] == [str(root / "etc/x")]


def test_the_same_path_twice_is_done_in_order(keep: Run, root: Path) -> None:
    path = str(root / "etc/x")
    keep(
        {"path": path, "state": "settings", "settings": {"A": 1}},
        {"path": path, "state": "settings", "settings": {"B": 2}},
    )
    assert (root / "etc/x").read_text() == "# Managed by Slipway\nA 1\nB 2\n"


def test_a_secret_is_shown_nowhere(keep: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _module, message, log_args=None: logged.append(str(log_args)))
    old, new = "machine a password 'it\\n\n", "machine a password 'new\\n\n"
    for text, reason in ((old, "created"), (new, "content")):
        secret = base64.b64encode(text.encode()).decode()
        result = settles(keep, root, {"path": str(root / "etc/secret"), "secret": secret}, [reason])
        assert (root / "etc/secret").read_text() == text
        said = str(result) + "".join(logged)
        assert logged and "password" not in said
        assert secret not in said


CHECKED = {"state": "settings", "validate": ["bash", "-n", "{}"]}


def test_a_text_that_its_program_refuses_is_not_written(keep: Run, root: Path) -> None:
    (root / "etc/x.conf").write_text("A 1\n")
    declared = {"path": str(root / "etc/x.conf"), **CHECKED}
    for check in (True, False):
        result = keep(check=check, settings={"A": "'open"}, **declared)
        assert "x.conf would not be read by bash: " in result["msg"] and "unexpected EOF" in result["msg"]
        assert f"{root}/etc/x.conf: line 1" in result["msg"], "by its own name"
    assert (root / "etc/x.conf").read_text() == "A 1\n"
    assert keep(settings={"A": "'closed'"}, **declared)["changed"]
    assert (root / "etc/x.conf").read_text() == "A 'closed'\n"


def test_a_program_that_is_not_there_is_not_asked(keep: Run, root: Path) -> None:
    declared = {"path": str(root / "etc/x.conf"), **CHECKED, "validate": ["no-such-program", "{}"]}
    assert keep(settings={"A": "'open"}, **declared)["changed"]


def test_a_program_that_is_asked_leaves_nothing(keep: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root / "home"))
    (root / "home").mkdir()
    program = root / "program"
    program.write_text('#!/bin/sh\nmkdir "$HOME/.left" && grep -q "A 1" "$1"\n')
    program.chmod(0o755)
    declared = {"path": str(root / "etc/x.conf"), "state": "settings", "validate": [str(program), "{}"]}
    assert keep(settings={"A": "1"}, **declared)["changed"]
    assert keep(settings={"A": "2"}, **declared)["failed"]
    assert not (root / "home/.left").exists()
