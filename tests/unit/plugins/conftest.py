"""Fixtures: run a module in this process, and a plugin file that no compiler is needed for."""

from __future__ import annotations

import importlib
import json
import struct
from pathlib import Path

import pytest
from ansible.module_utils import basic

RECORDED = Path(__file__).parents[2] / "fixtures" / "recorded"
MODULES = "ansible_collections.slipway.containers.plugins.modules."


@pytest.fixture
def recorded():
    """Read a text recorded from a real program."""
    return lambda name: (RECORDED / name).read_text()


@pytest.fixture
def run_module(monkeypatch, capsys):
    """Run a module's main() and return its result."""

    def run(name, check=False, **parameters):
        arguments = {"ANSIBLE_MODULE_ARGS": {**parameters, "_ansible_check_mode": check}}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            importlib.import_module(MODULES + name).main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run


@pytest.fixture
def plugin_file():
    """Build the bytes of the smallest shared object that says which Slurm it was built for."""

    def build(version=0x180B05, machine=62, kind=3, symbol=b"plugin_version"):
        names = b"\0" + symbol + b"\0"
        value_at = 64
        names_at = value_at + 8
        symbols_at = names_at + len(names)
        sections_at = symbols_at + 48
        header = b"\x7fELF\x02\x01\x01" + bytes(9)
        header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 0, sections_at, 0, 64, 56, 0, 64, 4, 3)
        symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x11, 0, 1, 0x1000, 4)
        section = struct.Struct("<IIQQQQIIQQ").pack
        sections = section(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        sections += section(0, 1, 2, 0x1000, value_at, 8, 0, 0, 4, 0)
        sections += section(0, 11, 2, 0, symbols_at, 48, 3, 1, 8, 24)
        sections += section(0, 3, 2, 0, names_at, len(names), 0, 0, 1, 0)
        return header + struct.pack("<II", version, 0) + names + symbols + sections

    return build
