"""Stop what a playbook has started: Ansible gives its workers and modules sessions of their own, which outlive it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

VARIABLE = "SLIPWAY_RUN"
PATIENCE_SECONDS = 5.0


def of_run(mark: str) -> list[int]:
    """Return the processes that have inherited a run's mark in their environment (proc(5))."""
    wanted = ("%s=%s" % (VARIABLE, mark)).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [number for number in found if number != os.getpid()]


def stop(mark: str) -> None:
    """End them: asked first, so that a package manager can put its things in order, then made to."""
    end = time.monotonic() + PATIENCE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in of_run(mark):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue
        while number == signal.SIGTERM and of_run(mark) and time.monotonic() < end:
            time.sleep(0.1)
