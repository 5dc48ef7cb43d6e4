"""The action pyxis_build: what it reads and writes on the control node around the module."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.slipway.containers.plugins.action import pyxis_build

DATA = b"\x7fELF\0\xff"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the action with arguments, and a module that returns what is given; the module's are in ``arguments``."""

    def build(module: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        action = pyxis_build.ActionModule.__new__(pyxis_build.ActionModule)
        action._task = SimpleNamespace(args=arguments)
        action._execute_module = lambda _name, module_args, **_: seen.update(module_args) or module
        return {**action.run(task_vars={}), "arguments": seen}

    return build


def test_the_source_goes_there_and_the_plugin_comes_back(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyxis.tar.gz").write_bytes(b"\x1f\x8b")
    output = tmp_path / "cache/spank_pyxis-x.so"
    module = {"changed": False, "plugin": base64.b64encode(DATA).decode(), "size": 6}
    result = run(module, source=str(tmp_path / "pyxis.tar.gz"), output=str(output), headers="/usr/include")
    assert result["arguments"] == {"source": "H4s=", "headers": "/usr/include"}
    assert (result["size"], "plugin" in result, "failed" in result) == (6, False, False)
    assert output.read_bytes() == DATA
    record = Path(str(output) + ".sha256").read_text()
    assert record == "%s  spank_pyxis-x.so\n" % hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("module", [{"failed": True, "msg": "no compiler"}, {"sha256": None}])
def test_without_a_plugin_nothing_is_written(run: Run, tmp_path: Path, module: dict[str, Any]) -> None:
    (tmp_path / "source").touch()
    result = run(module, source=str(tmp_path / "source"), output=str(tmp_path / "cache/x.so"))
    assert result.get("failed") == module.get("failed")
    assert not (tmp_path / "cache").exists()


def test_what_is_wrong_on_the_control_node_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "source").touch()
    assert run({}, headers="/x")["msg"] == "pyxis_build: missing source, output"
    result = run({}, source=str(tmp_path / "none"), output="/x")
    assert result["msg"].endswith("none on the control node cannot be read: No such file or directory")
    assert result["failed"] and not result["arguments"]
    result = run({"plugin": "AAAA"}, source=str(tmp_path / "source"), output=str(tmp_path / "source/x.so"))
    assert result["failed"] and "x.so on the control node cannot be written: " in result["msg"]
