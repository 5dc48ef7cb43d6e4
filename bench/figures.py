"""Samples to figures, and figures to a table. No side effects."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ROW = "{:<36} {:>8} {:>8} {:>8}"
CHANGED = re.compile(r"^(\S+)\s+:.*\bchanged=([1-9]\d*)", re.MULTILINE)


@dataclass(frozen=True)
class Comparison:
    """What was measured, beside its floor, both in seconds."""

    title: str
    floor_title: str
    goal: float
    samples: tuple[float, ...]
    floor_samples: tuple[float, ...]

    @property
    def overhead(self) -> float:
        """Seconds by which the medians differ."""
        return statistics.median(self.samples) - statistics.median(self.floor_samples)

    @property
    def ratio(self) -> float:
        """How often the floor's median fits into the other one."""
        return statistics.median(self.samples) / statistics.median(self.floor_samples)

    def figures(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "title": self.title,
            "seconds": list(self.samples),
            "floor_title": self.floor_title,
            "floor_seconds": list(self.floor_samples),
            "overhead_seconds": round(self.overhead, 2),
            "ratio": round(self.ratio, 2),
            "goal": self.goal,
        }


def row(title: str, samples: Sequence[float]) -> str:
    """Return a line of the table."""
    return ROW.format(title, *(f"{pick(samples):.1f}" for pick in (min, statistics.median, max)))


def table(comparisons: Sequence[Comparison]) -> str:
    """Return everything that was measured, each with its floor, overhead and ratio."""
    lines = [ROW.format("seconds", "min", "median", "max")]
    for item in comparisons:
        verdict = "within" if item.ratio <= item.goal else "above"
        lines += [
            row(item.title, item.samples),
            row(item.floor_title, item.floor_samples),
            f"  overhead {item.overhead:.1f} s, ratio {item.ratio:.2f}: {verdict} the goal of {item.goal:g}",
        ]
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
