"""Runs on a node: writes down, as commands for a shell, what checks run there and which files they read, each once.

Sent beside the probe (bench/side_by_side.py), as a module of the package validate.
"""

from __future__ import annotations

import importlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validate.probing import Node, Output


@dataclass(frozen=True)
class Recorder(Node):
    """A node that keeps what it is asked for."""

    asked: dict[str, None] = field(default_factory=dict)

    def run(
        self,
        words: Sequence[str],
        seconds: float = 5,
        environment: Mapping[str, str] | None = None,
        without: str = "",
    ) -> Output:
        """Keep the command, and run it."""
        self.asked[shlex.join(words)] = None
        return super().run(words, seconds, environment, without)

    def read(self, name: str) -> str | None:
        """Keep that the file is read."""
        self.asked[f"cat {shlex.quote(name)}"] = None
        return super().read(name)

    def problem(self, name: str) -> str:
        """Keep that somebody asks whether the file can be read."""
        self.asked[f"test -r {shlex.quote(name)}"] = None
        return super().problem(name)

    def which(self, program: str) -> str:
        """Keep that the program is looked for."""
        self.asked[f"command -v {shlex.quote(program)}"] = None
        return super().which(program)

    def devices(self, pattern: str = "nvidia[0-9]*") -> list[str]:
        """Keep that the devices are listed."""
        self.asked[f"ls -d /dev/{pattern}"] = None
        return super().devices(pattern)

    def openable(self, names: Sequence[str]) -> list[str]:
        """Keep that they are opened: one command can do that for all of them."""
        if names:
            self.asked["; ".join(f": < /dev/{name}" for name in names)] = None
        return super().openable(names)

    def path(self, name: str) -> Path:
        """Keep that the path is looked at, unless it is read or tried, which is kept already."""
        quoted = shlex.quote(name)
        if name not in ("/", "/dev") and not {f"cat {quoted}", f"test -r {quoted}"} & self.asked.keys():
            self.asked[f"ls -la {quoted}"] = None
        return super().path(name)


def main() -> None:
    """Run as ``python3 -c PROGRAM ORDER``: ORDER is JSON with settings and the checks' modules; prints the commands."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    node = Recorder(order["settings"])
    for module in order["modules"]:
        importlib.import_module(module).observe(node)
    print(json.dumps(list(node.asked)))
