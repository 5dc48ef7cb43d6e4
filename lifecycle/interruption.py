"""SIGTERM and SIGINT, turned into an orderly end of a hook."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from .outcome import OutOfBudget


class Interruption:
    """SIGTERM ends a wait at once, and a playbook through ansible-runner, which stops its children."""

    def __init__(self) -> None:
        self.signal = ""
        self.in_playbook = False

    def __call__(self, number: int, _frame: object) -> None:
        """Take the signal."""
        self.signal = signal.Signals(number).name
        if not self.in_playbook:
            self.check()

    def check(self) -> None:
        """Raise OutOfBudget where a signal has come."""
        if self.signal:
            raise OutOfBudget("stopped by %s from outside" % self.signal)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn SIGTERM and SIGINT into an orderly end."""
    interruption = Interruption()
    previous = {number: signal.signal(number, interruption) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
