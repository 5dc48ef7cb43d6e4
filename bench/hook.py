"""What a lifecycle hook costs: the bytes of its bundle, and its seconds on nodes.

`bench/run.py bundle` prints the size of a site's bundle, `bench/run.py hook` the seconds (bench/hook_nodes.py).
The tests of tests/lifecycle run their hooks through ``measure``, too.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bench import usage
from bench.usage import Usage

MEBIBYTE = 1 << 20
ROW = "{:<36} {:>8} {:>8}"
TIMES = "{:<36} {:>8} {:>8} {:>8} {:>8}"
WHEELS = "wheels"
AGAIN = "once more, nothing to do: hook"
# What the cases say of a run that changes nothing (I1).
AGAIN_GOAL = 30.0


class Said(Protocol):
    """What a command on a node ended with."""

    @property
    def code(self) -> int:
        """The exit code."""

    @property
    def stdout(self) -> str:
        """Its standard output."""


@dataclass(frozen=True)
class HookRun:
    """One run of a hook on a node; ``report`` is {} where it ended before it could write one."""

    node: str
    code: int
    output: str
    took: Usage
    report: Mapping[str, Any]

    @property
    def changed(self) -> list[str]:
        """Return the tasks that changed something."""
        return [task["name"] for task in self.report.get("tasks", []) if task.get("changed")]

    @property
    def steps(self) -> dict[str, float]:
        """Return the seconds of each step by name."""
        return {step["name"]: step["duration"] for step in self.report.get("steps", [])}

    @property
    def last_line(self) -> str:
        """Return what a platform shows of the run."""
        return self.output.strip().splitlines()[-1] if self.output.strip() else ""


def timed(execute: Callable[[str], Said], container: str, command: str) -> tuple[Said, Usage]:
    """Run a command on a node, which is the container ``container``; returns what it ended with, and what it took."""
    begin, processors = time.monotonic(), usage.of_containers([container])
    ended = execute(command)
    return ended, Usage(time.monotonic() - begin, 0.0, usage.of_containers([container]) - processors)


def measure(execute: Callable[[str], Said], container: str, node: str, hook: str, command: str) -> HookRun:
    """Run a hook once and read its report, whatever it ends with; ``command`` says everything on standard output."""
    path = "/var/log/slipway/%s.json" % hook
    # The report of an earlier run says nothing of this one.
    execute("rm -f %s" % path)
    ended, took = timed(execute, container, command)
    text = execute("cat %s" % path).stdout
    return HookRun(node, ended.code, ended.stdout, took, json.loads(text) if text else {})


def sizes(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each part of a bundle, from its manifest: code, wheels, artifacts, site, plugins."""
    found: dict[str, int] = {}
    for name, entry in manifest["files"].items():
        part = name.partition("/")[0]
        found[part] = found.get(part, 0) + entry["size"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def unpacked(manifest: Mapping[str, Any], kind: str) -> int:
    """Return the bytes of the wheels that a node of a kind (``3.13/x86_64``) unpacks, still packed."""
    return sum(manifest["files"]["%s/%s" % (WHEELS, name)]["size"] for name in manifest["wheels"][kind])


def size_table(manifest: Mapping[str, Any], bundle_bytes: int) -> str:
    """Return the size of a bundle as a table, in MiB."""
    lines = [ROW.format("bundle", "MiB", "files")]
    names = list(manifest["files"])
    for part, count in sizes(manifest).items():
        files = sum(name.startswith(part + "/") for name in names)
        lines.append(ROW.format("  " + part, "%.1f" % (count / MEBIBYTE), files))
    for kind in manifest["wheels"]:
        wheels = manifest["wheels"][kind]
        lines.append(ROW.format("    wheels of " + kind, "%.1f" % (unpacked(manifest, kind) / MEBIBYTE), len(wheels)))
    lines.append(ROW.format("the whole tar", "%.1f" % (bundle_bytes / MEBIBYTE), len(names)))
    return "\n".join(lines)


def row(title: str, samples: Sequence[Usage]) -> str:
    """Return a line of the table of seconds."""
    walls = [sample.wall for sample in samples]
    processors = statistics.median(sample.nodes for sample in samples)
    return TIMES.format(title, *("%.1f" % pick(walls) for pick in (min, statistics.median, max)), "%.1f" % processors)


def step_rows(runs: Sequence[HookRun]) -> list[str]:
    """Return the medians of the steps that took a tenth of a second at least; the bootstrap is none of them."""
    names = dict.fromkeys(name for run in runs for name in run.steps)
    medians = {name: statistics.median(run.steps.get(name, 0.0) for run in runs) for name in names}
    return [TIMES.format("  " + name, "", "%.1f" % took, "", "") for name, took in medians.items() if took >= 0.1]


@dataclass(frozen=True)
class Measured:
    """What was measured, each a number of times."""

    floor: Sequence[Usage]
    bare: Sequence[HookRun]
    image: Sequence[HookRun]
    again: Sequence[HookRun]

    def table(self) -> str:
        """Return everything as a table: by the clock and in CPU seconds of the node."""
        lines = [TIMES.format("a hook on a compute node: seconds", "min", "median", "max", "CPU")]
        lines.append(row("bare node: floor_node.sh", self.floor))
        parts = (("bare node: hook", self.bare), ("image with everything: hook", self.image), (AGAIN, self.again))
        for title, runs in parts:
            lines += [row(title, [run.took for run in runs]), *step_rows(runs)]
        ratio, processors = (
            statistics.median(getattr(run.took, part) for run in self.bare)
            / statistics.median(getattr(sample, part) for sample in self.floor)
            for part in ("wall", "nodes")
        )
        lines.append("bare node: ratio to the floor %.2f, of CPU seconds %.2f" % (ratio, processors))
        worst = max(run.took.wall for run in self.again)
        verdict = "within" if worst < AGAIN_GOAL else "above"
        lines.append("%s: %.1f s, %s the goal of %g s" % (AGAIN, worst, verdict, AGAIN_GOAL))
        return "\n".join(lines)

    def figures(self) -> dict[str, object]:
        """Return it as JSON has it."""
        runs = {"bare": self.bare, "image": self.image, "again": self.again}
        found: dict[str, object] = {"floor": [asdict(sample) for sample in self.floor]}
        for name, taken in runs.items():
            found[name] = [{**asdict(run.took), "steps": run.steps} for run in taken]
        return found
