"""Built plugins on the control node: whole ones are taken, leftovers are not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.slipway.containers.plugins.lookup.plugin_build import find

REPOSITORY = Path(__file__).parents[3]
KIND = "0.24.0-slurm-24.11-debian13-x86_64"
NAME = "spank_pyxis-%s.so" % KIND
DATA = b"\x7fELF\0\xff"
DIGEST = hashlib.sha256(DATA).hexdigest()


def build(directory: Path, sidecar: bytes | None = b"%s  %s\n" % (DIGEST.encode(), NAME.encode())) -> str:
    directory.mkdir(exist_ok=True)
    (directory / NAME).write_bytes(DATA)
    if sidecar is not None:
        (directory / (NAME + ".sha256")).write_bytes(sidecar)
    return str(directory)


@pytest.mark.parametrize(
    "sidecar",
    [
        b"%s  x.so\n" % DIGEST.encode(),
        DIGEST.encode(),
        b"%s *x.so\r\n" % DIGEST.upper().encode(),
        b"\n %s\n%s\n" % (DIGEST.encode(), b"0" * 64),
    ],
)
def test_a_whole_build(tmp_path: Path, sidecar: bytes) -> None:
    directory = build(tmp_path, sidecar)
    assert find(KIND, [directory]) == {"path": str(tmp_path / NAME), "sha256": DIGEST, "problem": ""}


@pytest.mark.parametrize(
    ("sidecar", "problem"),
    [
        (None, "has no checksum beside it"),
        (b"\xff\xfe", "has no checksum beside it"),
        (b"", "is damaged: its checksum is %s, recorded is nothing" % DIGEST),
        (b" \n", "recorded is nothing"),
        (b"<html>", "recorded is <html>"),
        (b"0" * 64, "recorded is " + "0" * 64),
        (DIGEST[:-1].encode(), "recorded is " + DIGEST[:-1]),
    ],
)
def test_what_is_no_whole_build(tmp_path: Path, sidecar: bytes | None, problem: str) -> None:
    found = find(KIND, [build(tmp_path, sidecar)])
    assert (found["path"], found["sha256"]) == ("", "")
    assert found["problem"].startswith(str(tmp_path / NAME))
    assert problem in found["problem"]


def test_a_truncated_build(tmp_path: Path) -> None:
    (Path(build(tmp_path)) / NAME).write_bytes(DATA[:-1])
    assert "is damaged" in find(KIND, [str(tmp_path)])["problem"]


def test_none(tmp_path: Path) -> None:
    nothing = {"path": "", "sha256": "", "problem": ""}
    (tmp_path / NAME).mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / (NAME + ".sha256")).write_text(DIGEST)
    assert find(KIND, []) == nothing
    assert find(KIND, ["/nowhere", str(tmp_path), str(tmp_path / "other")]) == nothing


def test_the_first_whole_one_and_what_was_passed_over(tmp_path: Path) -> None:
    damaged, whole, other = build(tmp_path / "a", b"0"), build(tmp_path / "b"), build(tmp_path / "c")
    found = find(KIND, [damaged, whole, other])
    assert found["path"] == str(tmp_path / "b" / NAME)
    assert found["problem"].startswith(str(tmp_path / "a" / NAME) + " is damaged")
    assert find(KIND, [whole, damaged])["problem"] == ""


def test_a_build_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_path: str) -> str:
        raise PermissionError(13, "Permission denied")

    module = "ansible_collections.slipway.containers.plugins.lookup.plugin_build"
    monkeypatch.setattr(module + ".sha256_of", unreadable)
    assert find(KIND, [build(tmp_path)])["problem"] == "%s cannot be read: Permission denied" % (tmp_path / NAME)


def test_home_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    build(tmp_path / "cache")
    assert find(KIND, ["~/cache"])["path"] == str(tmp_path / "cache" / NAME)


@pytest.mark.slow
def test_as_ansible_calls_it(tmp_path: Path) -> None:
    """In a process of its own, because Ansible's loader takes over how collections are imported."""
    lookup = "lookup('slipway.containers.plugin_build', '%s', 'other', directories=['', '%s'], wantlist=true)"
    message = "{{ %s | map(attribute='sha256') | list | to_json }}" % (lookup % (KIND, build(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "debug", "-a", "msg=" + repr(message)],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections"),
            "HOME": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert '["%s", ""]' % DIGEST in done.stdout.replace("\\", ""), done.stdout + done.stderr
