"""Waiting with a bound, and not all nodes in the same second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from .outcome import OutOfBudget

Found = TypeVar("Found")


@dataclass
class Clock:
    """Time that a test can turn: ``now`` is monotonic, ``wall`` is seconds since 1970."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time


@dataclass
class Budget:
    """The time that a hook has. Durations never come from the wall clock, which may jump while NTP sets it."""

    seconds: float
    clock: Clock = field(default_factory=Clock)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    @property
    def used(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self.seconds - self.used)

    def check(self, before: str) -> None:
        """Raise OutOfBudget where no time is left for the next step."""
        if self.left <= 0:
            raise OutOfBudget("the budget of %.0f s was used up before: %s" % (self.seconds, before))


def wait_until(
    probe: Callable[[], Found | None],
    seconds: float,
    clock: Clock,
    interval: float = 1.0,
) -> Found | None:
    """Ask until there is an answer, at most ``seconds``; the first question is asked at once."""
    end = clock.now() + seconds
    while True:
        found = probe()
        left = end - clock.now()
        if found is not None or left <= 0:
            return found
        clock.sleep(min(interval, left))


def spread(seconds: float) -> float:
    """Return this node's share of the time over which the first requests of all nodes are spread."""
    return random.uniform(0.0, seconds) if seconds > 0 else 0.0
