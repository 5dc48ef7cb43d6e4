"""A bundle gives its image back byte by byte, whatever the length of its head."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from enroot_standin import bundle
from enroot_standin.errors import EnrootError

# In place of the programs that only nodes have: the unpacked tree is the image itself, and running shows it.
PROGRAMS = {
    "unsquashfs": 'while [ "$1" != -dest ]; do shift; done; mkdir -p "$2/usr"; cp "$3" "$2/usr/image"',
    "unshare": 'for word; do case $word in --root=*) cat "${word#--root=}/usr/image";; esac; done; exit 7',
}


def test_a_bundle_unpacks_its_image_and_ends_as_the_command_does(tmp_path: Path) -> None:
    content = bytes(range(256)) * 37
    (tmp_path / "image.sqsh").write_bytes(content)
    for name, script in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    bundle.bundle(str(tmp_path / "image.sqsh"), str(tmp_path / "x.run"))
    (tmp_path / "work").mkdir()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "work")}
    done = subprocess.run([tmp_path / "x.run", "true"], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (7, content), done.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "image.sqsh").write_bytes(b"hsqs")
    (tmp_path / "x.run").write_text("mine")
    with pytest.raises(EnrootError, match="File already exists"):
        bundle.bundle(str(tmp_path / "image.sqsh"), str(tmp_path / "x.run"))
    assert (tmp_path / "x.run").read_text() == "mine"
