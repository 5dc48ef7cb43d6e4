"""What the acceptance suite costs on a converged cluster, beside `srun hostname` of the same run.

The overhead of a run is its wall time less the launches (each step until its last node's probe has begun) and less the
slowest probes (from there to the step's last record). What is left: reading the inventory, the survey, the allocation,
srun's own ends, for which nodes remove their containers, the judge and the reports.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import stack, state
from cluster.process import Runner

from bench import figures, usage
from bench.errors import BenchError
from validate import plan

if TYPE_CHECKING:
    from bench.run import Bench

INVENTORY = "inventories/sandbox"
USER = "member"
# Seconds, whatever the number of nodes.
GOAL = 10.0


@dataclass(frozen=True)
class Share:
    """Seconds in which a run waited for launches, for its slowest probes, and for containers to end."""

    launch: float
    probes: float
    ends: float = 0.0


@dataclass(frozen=True)
class Sample:
    """One run of the suite: what it took in all, what of that was launches and probes, and the submit host's CPU."""

    took: usage.Usage
    share: Share
    submit: float

    @property
    def overhead(self) -> float:
        """Seconds of the run that were neither launch nor probe."""
        return self.took.wall - self.share.launch - self.share.probes


def share(document: Mapping[str, Any]) -> Share:
    """Return what launches and probes took: steps one after the other, the allocations of a run side by side."""
    jobs: dict[Any, list[Mapping[str, Any]]] = {}
    for host in document["hosts"].values():
        jobs.setdefault(host["job"], []).append(host)
    # The submit hosts have no job, and their turn comes when all jobs have ended.
    alone = _job(jobs.pop(None, []))
    longest = max((_job(hosts) for hosts in jobs.values()), key=lambda item: item.launch + item.probes, default=None)
    if longest is None:
        return alone
    return Share(longest.launch + alone.launch, longest.probes + alone.probes, longest.ends)


def _job(hosts: Sequence[Mapping[str, Any]]) -> Share:
    names = {name for host in hosts for name, step in host["steps"].items() if "hello" in step}
    steps = sorted((*_moments(hosts, name), name in plan.CONTAINED) for name in names)
    return Share(
        sum(greeted - began for began, greeted, _last, _contained in steps),
        sum(last - greeted for _began, greeted, last, _contained in steps),
        # srun ends a step when the last node has removed its container, and only then the next one begins.
        sum(after[0] - last for (_began, _greeted, last, contained), after in pairwise(steps) if contained),
    )


def _moments(hosts: Iterable[Mapping[str, Any]], name: str) -> tuple[float, float, float]:
    """Return when a step was started, when its last node's probe had begun, and when its last record came."""
    taking = [host for host in hosts if "hello" in host["steps"].get(name, {})]
    greeted = max(host["steps"][name]["received"] for host in taking)
    # A submit host's probe is started on the spot, and says of no beginning.
    began = min(host["steps"][name]["hello"].get("began") or greeted for host in taking)
    records = [
        record["received"] for host in taking for record in host["checks"].values() if record.get("step") == name
    ]
    return began, greeted, max([greeted, *records])


class Acceptance:
    """The suite on the nodes of a benchmark, which have been converged."""

    def __init__(self, bench: Bench) -> None:
        """Stage the image. A run in which a node is not accepted is no measurement, which its exit code says."""
        self.bench = bench
        stack.stage_image(Runner(), bench.wanted)
        self.cluster = state.require(bench.wanted.state)
        self.computes = [node.name for node in self.cluster.of_role("compute")]
        self.config, _nodes = bench.ssh_config()

    def submit(self, *words: str) -> list[str | Path]:
        """Return what runs a command on the login node as the account that submits."""
        return ["ssh", "-F", self.config, "login1", "runuser", "-l", USER, "-c", shlex.quote(shlex.join(words))]

    def validate(self, title: str, *options: str) -> tuple[usage.Usage, dict[str, Any]]:
        """Run the suite; returns what it took and its results."""
        output = self.bench.cache / "validate"
        command = [sys.executable, "-m", "validate", "run", f"--inventory={INVENTORY}", f"--output={output}"]
        took, _said = self.bench.timed(title, *command, *options)
        return took, json.loads((output / "results.json").read_text(encoding="utf-8"))

    def hostname(self) -> usage.Usage:
        """Run `srun hostname` on all nodes at once."""
        count = len(self.computes)
        took, said = self.bench.timed(f"srun -N{count} hostname", *self.submit("srun", f"-N{count}", "hostname"))
        if sorted(said.split()) != sorted(self.computes):
            raise BenchError(f"srun hostname did not answer for every node: {said[:2000]}")
        return took

    def sample(self) -> Sample:
        """Run the quick tier once."""
        login = [node.id for node in self.cluster.nodes if node.name == "login1"]
        before = usage.of_containers(login)
        took, document = self.validate(f"quick tier, {len(self.computes)} nodes")
        return Sample(took, share(document), usage.of_containers(login) - before)

    def measure(self, runs: int) -> tuple[list[Sample], list[usage.Usage]]:
        """Take both in turns."""
        pairs = [(self.hostname(), self.sample()) for _run in range(runs)]
        return [sample for _floor, sample in pairs], [floor for floor, _sample in pairs]


def table(nodes: int, samples: Sequence[Sample], floor: Sequence[usage.Usage]) -> str:
    """Return the runs, what of them is launch and probe, and the overhead beside the floor."""
    title, beside = f"quick tier, {nodes} nodes", f"srun -N{nodes} hostname"
    overhead = [sample.overhead for sample in samples]
    middle = sorted(overhead)[len(overhead) // 2]
    took = [sample.took for sample in samples]
    submit = sorted(sample.submit for sample in samples)[len(samples) // 2]
    return "\n".join(
        [
            figures.head(),
            figures.row(title, [sample.took.wall for sample in samples]),
            figures.row("  launches", [sample.share.launch for sample in samples]),
            figures.row("  slowest probes", [sample.share.probes for sample in samples]),
            figures.row("  overhead", overhead),
            figures.row("    of that, containers' ends", [sample.share.ends for sample in samples]),
            figures.row(beside, [sample.wall for sample in floor]),
            f"  overhead {middle:.1f} s: {figures.verdict(middle, GOAL, ' s')}",
            figures.cpu(title, took, nodes) + f", of these the submit host {submit:.1f} s",
            figures.cpu(beside, floor, nodes),
        ]
    )


def record(nodes: int, samples: Sequence[Sample], floor: Sequence[usage.Usage]) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "nodes": nodes,
        "quick": [{**asdict(sample), "overhead": round(sample.overhead, 2)} for sample in samples],
        "srun_hostname": [asdict(sample) for sample in floor],
    }
