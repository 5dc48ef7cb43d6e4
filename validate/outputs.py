"""Both outputs of a program, within a bound of time and one of size. Python 3.9, standard library."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import Any

# Seconds for what a program had said when it was ended; one that hangs in the kernel is left behind.
LAST = 2.0


def tell(process: subprocess.Popen[Any], number: int) -> None:
    """Send a signal to a program and all that it started; one that has ended, or is another account's, is let be."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def read(
    process: subprocess.Popen[bytes], seconds: float, limit: int, end: Callable[[subprocess.Popen[bytes]], None]
) -> tuple[int | None, bytes, bytes]:
    """Return a program's code and outputs, of each the first ``limit`` bytes; code None where time was over.

    Then ``end`` has ended it. What goes beyond the limit is read and forgotten: the program is to come to its end.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdout, process.stderr)
    kept = {stream.fileno(): bytearray() for stream in streams}
    deadline = time.monotonic() + seconds
    code: int | None = None
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        if _to_the_end(selector, kept, limit, deadline):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(max(deadline - time.monotonic(), 0))
        if code is None:
            end(process)
            _to_the_end(selector, kept, limit, time.monotonic() + LAST)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LAST)
    for stream in streams:
        stream.close()
    out, err = kept.values()
    return code, bytes(out), bytes(err)


def _to_the_end(selector: selectors.BaseSelector, kept: dict[int, bytearray], limit: int, deadline: float) -> bool:
    """Read until nothing more can come, or until the deadline; returns whether it was the former."""
    while selector.get_map():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        for key, _events in selector.select(left):
            data = os.read(key.fd, 65536)
            if not data:
                selector.unregister(key.fd)
            kept[key.fd] += data[: max(limit - len(kept[key.fd]), 0)]
    return True
