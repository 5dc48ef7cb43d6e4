"""What happened, as values: one JSON document for machines and a short table for people."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from .outcome import ExitCode, Stopped
from .redact import redact
from .waits import Clock

VERSION = 1
SHOWN_TASK_SECONDS = 1.0


def timestamp(wall: float) -> str:
    """Return a time as RFC 3339 in UTC."""
    return datetime.datetime.fromtimestamp(wall, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Step:
    """One thing that the hook did; ``duration`` in seconds, ``bytes`` as transferred."""

    name: str
    start: str
    duration: float = 0.0
    attempts: int = 1
    bytes: int = 0
    status: str = "running"
    changed: bool = False
    note: str = ""


@dataclass
class Report:
    """Everything that one run has to say; ``render`` is the file's content."""

    hook: str
    clock: Clock = field(default_factory=Clock)
    platform: str = ""
    role: str = ""
    evidence: tuple[str, ...] = ()
    bundle: str = ""
    check: bool = False
    warnings: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    # Where the data of every runtime lies, and why not elsewhere; {} where nothing was chosen.
    storage: Mapping[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    tasks: list[Step] = field(default_factory=list)
    exit_code: int | None = None
    cause: str = ""
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.wall()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step, and record how it ended, whatever ends it."""
        step = Step(name, timestamp(self.clock.wall()))
        self.steps.append(step)
        begin = self.clock.now()
        try:
            yield step
        except Stopped as stopped:
            step.status, step.note = "failed", stopped.cause
            raise
        except BaseException as error:
            step.status, step.note = "failed", type(error).__name__
            raise
        else:
            step.status = "ok" if step.status == "running" else step.status
        finally:
            step.duration = round(self.clock.now() - begin, 3)

    def finish(self, code: ExitCode, cause: str) -> None:
        """Record the end."""
        self.exit_code, self.cause = int(code), cause

    def as_values(self, secrets: Iterable[str] = ()) -> dict[str, Any]:
        """Return the document; no text in it holds a secret."""
        hidden = list(secrets)

        def clean(value: Any) -> Any:
            if isinstance(value, str):
                return redact(value, hidden)
            if isinstance(value, (list, tuple)):
                return [clean(item) for item in value]
            if isinstance(value, dict):
                return {key: clean(item) for key, item in value.items()}
            return value

        document: dict[str, Any] = clean(
            {
                "slipway_lifecycle_report": VERSION,
                "hook": self.hook,
                "platform": self.platform,
                "role": self.role,
                "evidence": self.evidence,
                "bundle": self.bundle,
                "check": self.check,
                "started": timestamp(self.started),
                "duration": round(sum(step.duration for step in self.steps), 3),
                "outcome": self.outcome,
                "exit_code": self.exit_code,
                "cause": self.cause,
                "changed": any(step.changed for step in self.steps),
                "degraded": self.degraded,
                "decisions": self.decisions,
                "storage": dict(self.storage),
                "warnings": self.warnings,
                "steps": [asdict(step) for step in self.steps],
                "tasks": [asdict(task) for task in self.tasks],
            }
        )
        return document

    @property
    def outcome(self) -> str:
        """Return running, done, degraded or failed."""
        if self.exit_code is None:
            return "running"
        if self.exit_code:
            return "failed"
        return "degraded" if self.degraded else "done"

    def render(self, secrets: Iterable[str] = ()) -> str:
        """Return the report file's content."""
        return json.dumps(self.as_values(secrets), indent=1, ensure_ascii=False) + "\n"

    def table(self) -> list[str]:
        """Return the summary for the log: every step, and the tasks that took a second or more."""
        rows = [("step", "seconds", "tries", "bytes", "outcome")]
        slow = [task for task in self.tasks if task.duration >= SHOWN_TASK_SECONDS]
        for step, indent in [*((item, "") for item in self.steps), *((item, "  task: ") for item in slow)]:
            status = step.status + (", changed" if step.changed else "")
            rows.append((indent + step.name, "%.1f" % step.duration, str(step.attempts), str(step.bytes or ""), status))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return [
            "  ".join(
                cell.ljust(width) if column in (0, 4) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in rows
        ]

    def login_notice(self, logs: str) -> str:
        """Return what a degraded node says to whoever logs in."""
        reasons = "".join("  %s\n" % warning for warning in self.warnings)
        head = "This node joined without %s (slipway %s, %s):\n" % (
            ", ".join(self.degraded),
            self.hook,
            timestamp(self.clock.wall()),
        )
        return "%s%sMore: %s/%s.log. Mend the cause, then run the same hook again.\n" % (head, reasons, logs, self.hook)

    def last_line(self) -> str:
        """Return the one line that stands last in the log: outcome, exit code, cause."""
        return "slipway %s: %s (exit %s): %s" % (self.hook, self.outcome, self.exit_code, self.cause)
