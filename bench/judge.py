"""How long stored results of 1,000 nodes take to judge and to report, beside reading and writing their JSON alone.

No node is needed: BENCH_RESULTS names a results.json whose compute nodes are repeated, else it is the unit tests' good
nodes, a ninth of them broken. What is timed is the whole command, from Python's start to its last line.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import figures, usage
from bench.errors import BenchError
from validate import catalogue

REPOSITORY = Path(__file__).resolve().parent.parent
NODES = 1000
GOAL = 5.0
# Reading and writing the same values, which no report can do without.
FLOOR = "import json,sys;d=json.load(open(sys.argv[1]));open(sys.argv[2],'w').write(json.dumps(d))"
# validate's exit codes for results: all accepted, a node failed, something was not measured.
JUDGED = (0, 1, 2)


def multiplied(document: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return results of so many compute nodes, the stored ones over and over under new names."""
    compute = [node for node in document["roster"] if node["role"] == "compute"]
    roster = [node for node in document["roster"] if node["role"] != "compute"]
    hosts = {node["name"]: document["hosts"].get(node["name"]) for node in roster}
    for number, node in zip(range(1, count + 1), itertools.cycle(compute)):
        name = f"n{number:04}"
        roster.append({**node, "name": name})
        hosts[name] = document["hosts"].get(node["name"])
    return {**document, "roster": roster, "hosts": {name: host for name, host in hosts.items() if host}}


def quick(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return results with the checks of the quick tier alone."""
    checks = list(catalogue.chosen("quick"))
    hosts = {
        name: {**host, "checks": {check: record for check, record in host["checks"].items() if check in checks}}
        for name, host in document["hosts"].items()
    }
    return {**document, "tier": "quick", "checks": checks, "hosts": hosts}


def good() -> dict[str, Any]:
    """Return the results that are repeated where none are named: eight good nodes and a ninth that fails a check."""
    from tests.unit.validate.conftest import cluster  # noqa: PLC0415 - it brings pytest with it

    document: dict[str, Any] = copy.deepcopy(cluster(9))
    document["hosts"]["gpu009"]["checks"]["N-08"]["observed"]["limit"] = 0
    return document


def timed(*command: str | Path) -> tuple[usage.Usage, int]:
    """Run a command of the repository without its output; returns what it took and its exit code."""
    begin, control = time.monotonic(), usage.of_children()
    code = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=False).returncode
    return usage.Usage(time.monotonic() - begin, usage.of_children() - control, 0.0), code


def measure(directory: Path, runs: int) -> str:
    """Return the measurement as a table; BenchError where a command does not do what is measured."""
    given = os.environ.get("BENCH_RESULTS")
    stored = json.loads(Path(given).read_text(encoding="utf-8")) if given else good()
    document = quick(multiplied(stored, NODES))
    old, new = directory / "old.json", directory / "reports"
    old.write_text(json.dumps(document), encoding="utf-8")
    samples, floor = [], []
    for _run in range(runs):
        seconds, code = timed(sys.executable, "-c", FLOOR, old, directory / "copy.json")
        floor.append(seconds)
        found, judged = timed(sys.executable, "-m", "validate", "report", old, "--output", new)
        samples.append(found)
        if code or judged not in JUDGED:
            raise BenchError(f"reading and writing ended with {code}, judging and reporting with {judged}")
    return table(len(document["checks"]), samples, floor, {path.name: path.stat().st_size for path in new.iterdir()})


def table(checks: int, samples: list[usage.Usage], floor: list[usage.Usage], sizes: Mapping[str, int]) -> str:
    """Return seconds of both, and the bytes of each report."""
    seconds = figures.median(samples, "wall")
    return "\n".join(
        [
            figures.head(),
            figures.row(f"judge and report {NODES} nodes x {checks}", [sample.wall for sample in samples]),
            figures.row("read and write their JSON", [sample.wall for sample in floor]),
            f"  {seconds:.1f} s: {figures.verdict(seconds, GOAL, ' s')}",
            f"  CPU: {figures.median(samples, 'control'):.1f} s, floor {figures.median(floor, 'control'):.1f} s",
            "  MB: " + ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sorted(sizes.items())),
        ]
    )
