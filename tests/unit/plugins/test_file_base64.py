"""The lookup file_base64: any bytes, and an error that names the file."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.slipway.containers.plugins.lookup.file_base64 import content_of


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    data = bytes(range(256)) + b"\n\n"
    (tmp_path / "x").write_bytes(data)
    assert base64.b64decode(content_of(str(tmp_path / "x"))) == data


def test_home_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_bytes(b"")
    assert content_of("~/x") == ""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="gone on the control node cannot be read: No such file or directory"):
        content_of(str(tmp_path / "gone"))
