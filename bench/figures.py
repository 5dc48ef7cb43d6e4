"""Samples to figures, and figures to a table. No side effects."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.usage import Usage

ROW = "{:<36} {:>8} {:>8} {:>8}"
CHANGED = re.compile(r"^(\S+)\s+:.*\bchanged=([1-9]\d*)", re.MULTILINE)


@dataclass(frozen=True)
class Comparison:
    """What was measured on a number of hosts, beside its floor."""

    title: str
    floor_title: str
    goal: float
    hosts: int
    samples: tuple[Usage, ...]
    floor_samples: tuple[Usage, ...]

    @property
    def overhead(self) -> float:
        """Seconds by which the medians differ."""
        return median(self.samples, "wall") - median(self.floor_samples, "wall")

    @property
    def ratio(self) -> float:
        """How often the floor's median fits into the other one."""
        return median(self.samples, "wall") / median(self.floor_samples, "wall")

    @property
    def cpu_ratio(self) -> float:
        """The same of CPU seconds, of control node and nodes together: others on the machine change it little."""
        ours, floor = (
            sum(median(samples, part) for part in ("control", "nodes"))
            for samples in (self.samples, self.floor_samples)
        )
        return ours / floor if floor else 0.0

    def figures(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "title": self.title,
            "hosts": self.hosts,
            "seconds": [asdict(sample) for sample in self.samples],
            "floor_title": self.floor_title,
            "floor_seconds": [asdict(sample) for sample in self.floor_samples],
            "overhead_seconds": round(self.overhead, 2),
            "ratio": round(self.ratio, 2),
            "cpu_ratio": round(self.cpu_ratio, 2),
            "control_cpu_seconds_per_host": round(median(self.samples, "control") / self.hosts, 3),
            "goal": self.goal,
        }


def median(samples: Sequence[Usage], part: str) -> float:
    """Return the median of one part of the samples."""
    return statistics.median(float(getattr(sample, part)) for sample in samples)


def row(title: str, samples: Sequence[float]) -> str:
    """Return a line of the table."""
    return ROW.format(title, *(f"{pick(samples):.1f}" for pick in (min, statistics.median, max)))


def head() -> str:
    """Return the first line of a table."""
    return ROW.format("seconds", "min", "median", "max")


def verdict(found: float, goal: float, unit: str = "") -> str:
    """Return how a figure stands to its goal."""
    return f"{'within' if found <= goal else 'above'} the goal of {goal:g}{unit}"


def cpu(title: str, samples: Sequence[Usage], hosts: int) -> str:
    """Return the CPU seconds of a measurement as a line."""
    control = median(samples, "control")
    return (
        f"  CPU of {title}: control node {control:.1f} s ({control / hosts:.2f} s a host),"
        f" nodes {median(samples, 'nodes'):.1f} s"
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """Return everything that was measured, each with its floor, overhead and ratio."""
    lines = [head()]
    for item in comparisons:
        lines += [
            row(item.title, [sample.wall for sample in item.samples]),
            row(item.floor_title, [sample.wall for sample in item.floor_samples]),
            f"  overhead {item.overhead:.1f} s, ratio {item.ratio:.2f}: {verdict(item.ratio, item.goal)}",
            cpu(item.title, item.samples, item.hosts),
            cpu(item.floor_title, item.floor_samples, item.hosts),
        ]
        lines.append(f"  ratio of CPU seconds {item.cpu_ratio:.2f}")
    return "\n".join(lines)


def changes(output: str) -> dict[str, int]:
    """Return how much a playbook changed on which host, from its recap."""
    return {host: int(count) for host, count in CHANGED.findall(output)}


def differences(converged: str, floor: str) -> list[str]:
    """Return the lines in which two listings of a node differ: + only a converge left it, - only the floor."""
    ours, theirs = set(converged.splitlines()), set(floor.splitlines())
    return [f"+ {line}" for line in sorted(ours - theirs)] + [f"- {line}" for line in sorted(theirs - ours)]


def busy(loads: Sequence[float], cores: int) -> str:
    """Return a warning when others kept the machine busy before a measurement, '' when not."""
    worst = max(loads, default=0.0)
    if worst <= cores / 2:
        return ""
    return (
        f"The machine was not idle (load {worst:.1f} on {cores} cores before a measurement): "
        "seconds are too high, and ratios hold only roughly."
    )
