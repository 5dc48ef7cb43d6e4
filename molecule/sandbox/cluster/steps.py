"""One line per step, with the time it took."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .errors import SandboxError, StepError
from .process import Runner


def slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@dataclass
class Step:
    title: str
    note: str = ""

    def announce(self, text: str) -> None:
        """Say what a long step is busy with, before its line with the time can be printed."""
        print(f"      …  {self.title}: {text}", flush=True)

    def line(self, seconds: float) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{seconds:6.1f}s  {self.title}{note}"


@dataclass
class Steps:
    log_directory: Path
    runner: Runner = field(default_factory=Runner)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        log = self.log_directory / f"{slug(title)}.log"
        log.write_text("", encoding="utf-8")
        self.runner.log = log
        step, begin = Step(title), time.monotonic()
        try:
            yield step
        except SandboxError as error:
            self.runner.write(f"{error}\n")
            raise StepError(title, error, str(log)) from error
        print(step.line(time.monotonic() - begin), flush=True)

    def total(self) -> float:
        return time.monotonic() - self.started
