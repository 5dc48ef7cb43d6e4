"""Files written by rename, originals kept once, and removal that stops at what is not ours."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of root")


def write(path: Path, content: bytes = b"new\n") -> None:
    files.write_atomically(str(path), content, 0o640, 0, 0)


def killed(function: Callable[[], Any]) -> None:
    """Run a function in a child that is killed at the rename."""
    child = os.fork()
    if child == 0:
        os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        function()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_kill_leaves_the_old_file_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("old\n")
    other = tmp_path / ".slipway-y.conf-01234567"
    other.touch()
    for _ in range(2):
        killed(lambda: write(path))
    killed(lambda: files.link_atomically(str(path), "/target"))
    assert path.read_text() == "old\n"
    assert len(list(tmp_path.iterdir())) == 3
    write(path)
    assert sorted(tmp_path.iterdir()) == [other, path]
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ("new\n", 0o640)


def test_a_failed_write_leaves_the_old_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.conf"
    path.write_text("old\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old\n"]


def test_a_long_name_has_a_temporary_name_too(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write(path)
    files.link_atomically(str(path), "/a")
    assert list(tmp_path.iterdir()) == [path]


def test_never_through_a_link(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "x"
    target.write_text("theirs\n")
    path.symlink_to(target)
    write(path)
    assert target.read_text() == "theirs\n"
    assert not path.is_symlink()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_directories_have_a_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        files.make_directories(str(tmp_path / "a/b"))
    finally:
        os.umask(previous)
    assert {path.stat().st_mode & 0o7777 for path in (tmp_path / "a", tmp_path / "a/b")} == {0o755}


def test_an_original_is_kept_once_and_comes_back_whole(tmp_path: Path) -> None:
    path, originals = tmp_path / "etc/x", str(tmp_path / "originals")
    path.parent.mkdir()
    path.write_bytes(b"\xfftheirs")
    os.chown(path, 7, 8)
    path.chmod(0o4711)
    kept = files.keep_original(str(path), originals)
    assert kept == originals + str(path)
    write(path)
    assert files.keep_original(str(path), originals) is None
    assert files.restore_original(str(path), originals)
    status = path.stat()
    assert (path.read_bytes(), status.st_mode & 0o7777, status.st_uid, status.st_gid) == (b"\xfftheirs", 0o4711, 7, 8)
    assert not Path(originals).exists()
    assert not files.restore_original(str(path), originals)


def test_a_dangling_link_is_kept_as_a_link(tmp_path: Path) -> None:
    path, originals = tmp_path / "x", str(tmp_path / "originals")
    path.symlink_to("/nowhere")
    files.keep_original(str(path), originals)
    write(path)
    files.restore_original(str(path), originals)
    assert path.readlink() == Path("/nowhere")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("# Managed by Slipway\n"),
        lambda path: path.symlink_to("/usr/local/lib/slipway/x"),
        os.mkfifo,
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_nothing_foreign_nothing_kept(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path, originals = tmp_path / "x", tmp_path / "originals"
    make(path)
    assert files.keep_original(str(path), str(originals)) is None
    assert not originals.exists()


def test_originals_below_a_path_are_not_the_paths_own(tmp_path: Path) -> None:
    originals = tmp_path / "originals"
    below = Path(str(originals) + str(tmp_path / "d/x"))
    below.parent.mkdir(parents=True)
    below.write_text("theirs\n")
    assert not files.restore_original(str(tmp_path / "d"), str(originals))
    # The directory that it would go back to is gone.
    assert not files.restore_original(str(tmp_path / "d/x"), str(originals))
    assert below.exists()


def test_a_kill_while_an_original_is_kept_or_restored_is_mended(tmp_path: Path) -> None:
    path, originals = tmp_path / "x", str(tmp_path / "originals")
    path.write_text("theirs\n")
    killed(lambda: files.keep_original(str(path), originals))
    files.keep_original(str(path), originals)
    write(path)
    killed(lambda: files.restore_original(str(path), originals))
    assert path.read_text() == "new\n"
    files.restore_original(str(path), originals)
    assert path.read_text() == "theirs\n"
    assert sorted(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize("path", ["/", "//", "/etc", "/etc/.", "/usr/../var"])
def test_top_level_directories_are_never_removed(path: str) -> None:
    assert "top-level" in files.removal_problem(path)


def test_mount_points_are_never_removed(tmp_path: Path) -> None:
    assert files.removal_problem(str(tmp_path)) == ""
    assert files.removal_problem("/sys/fs").endswith("is a mount point")
    assert files.removal_problem("/dev/pts") == "/dev/pts is a mount point"
    # A link on the way is looked through, and one that is the path itself is not followed by a removal at all.
    link = tmp_path / "link"
    link.symlink_to("/dev")
    assert files.removal_problem(str(link / "pts")) == "/dev/pts is a mount point"


def test_capabilities(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    encoded = files.encode_capabilities(["cap_sys_admin", "cap_mknod", "cap_mknod"])
    assert encoded.hex() == "01000002" + "00002008" + "00000000" * 3
    assert files.encode_capabilities([]) == b""
    with pytest.raises(ValueError, match="unknown file capability cap_sys_admim; known are cap_mknod"):
        files.encode_capabilities(["cap_sys_admim"])
    files.write_capabilities(str(path), encoded)
    assert files.read_capabilities(str(path)) == encoded
    files.write_capabilities(str(path), b"")
    files.write_capabilities(str(path), b"")
    assert files.read_capabilities(str(path)) == b""
