"""The probe's host step beside pytest-testinfra over ssh with ControlPersist: the same commands on the same nodes.

The commands are recorded: on one node the checks observe as ever, and whatever they run or read is written down as a
command for a shell, each once. testinfra then gets them as tests, one for every node and command, as root and so with
nothing between ssh and the command. What checks do in Python itself (a file written, a capability read) is not among
them, so testinfra does a little less.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import figures, usage
from bench.acceptance import Acceptance
from validate import bundle
from validate.catalogue import Entry, chosen

HERE = Path(__file__).resolve().parent
STEP = "host"


@dataclass(frozen=True)
class Pair:
    """Both ways, once: ``commands`` of every node."""

    nodes: int
    commands: int
    probe: usage.Usage
    testinfra: usage.Usage

    def table(self) -> str:
        """Return both as a table."""
        ours, theirs = f"probe, host step, {self.nodes} nodes", f"testinfra, {self.nodes} nodes x {self.commands}"
        each = 1000 * self.testinfra.wall / (self.nodes * self.commands)
        return "\n".join(
            [
                figures.head(),
                figures.row(ours, [self.probe.wall]),
                figures.row(theirs, [self.testinfra.wall]),
                f"  testinfra takes {self.testinfra.wall / self.probe.wall:.1f} times as long, {each:.0f} ms a command",
                figures.cpu(ours, [self.probe], self.nodes),
                figures.cpu(theirs, [self.testinfra], self.nodes),
            ]
        )

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def program(entries: Iterable[Entry]) -> list[str]:
    """Return the recorder with these checks, as one argument of python3."""
    sources = bundle.sources(bundle.PROBE, {entry.module: entry.source for entry in entries})
    sources["validate.recorder"] = (HERE / "recorder.py").read_text(encoding="utf-8")
    return bundle.arguments(bundle.program(sources, "validate.recorder:main"))


def commands(acceptance: Acceptance, document: Mapping[str, Any]) -> list[str]:
    """Return what the checks of a run's host step do on its first node, as commands for a shell."""
    node = acceptance.computes[0]
    made = [check for check, record in document["hosts"][node]["checks"].items() if record["step"] == STEP]
    entries = list(chosen("quick", made).values())
    order = {"settings": document["settings"], "modules": [f"validate.checks.{entry.module}" for entry in entries]}
    words = ["srun", "-N1", f"--nodelist={node}", "python3", "-I", "-c", *program(entries), json.dumps(order)]
    said = acceptance.bench.run(*acceptance.submit(*words))
    found: list[str] = json.loads(said.splitlines()[-1])
    return found


def measure(acceptance: Acceptance) -> Pair:
    """Run both; the pytest run is testinfra's own, with its plugin and its ssh backend."""
    nodes = acceptance.computes
    quick = ",".join(name for name, entry in chosen("quick").items() if entry.check.step == STEP)
    ours, document = acceptance.validate(f"probe, host step, {len(nodes)} nodes", f"--only={quick}")
    listed = commands(acceptance, document)
    path = acceptance.bench.cache / "commands.json"
    path.write_text(json.dumps(listed), encoding="utf-8")
    command: Sequence[str | Path] = [
        "env", f"BENCH_COMMANDS={path}", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "--connection=ssh", f"--ssh-config={acceptance.config}", f"--hosts={','.join(nodes)}",
        HERE / "testinfra_commands.py",
    ]  # fmt: skip
    theirs, _said = acceptance.bench.timed(f"testinfra, {len(nodes)} nodes x {len(listed)}", *command)
    return Pair(len(nodes), len(listed), ours, theirs)
