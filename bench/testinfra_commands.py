"""Every command of a file (BENCH_COMMANDS) on every host, a test each: what bench/side_by_side.py times.

A command may fail as it may under the probe, which records that; testinfra itself raises where ssh does not get there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from testinfra.host import Host


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each command; the hosts are testinfra's own parameter."""
    commands = json.loads(Path(os.environ["BENCH_COMMANDS"]).read_text(encoding="utf-8"))
    metafunc.parametrize("command", commands, ids=range(len(commands)))


def test_command(host: Host, command: str) -> None:
    """It was run."""
    assert host.run(command).rc not in (None, 255)
