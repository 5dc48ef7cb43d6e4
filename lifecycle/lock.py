"""One run at a time on a node, by a lock of the kernel: it is gone with its holder, however that ended."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .outcome import OutOfBudget
from .waits import Clock, wait_until

PATH = "/run/lock/slipway-lifecycle.lock"


@contextmanager
def held(path: str, seconds: float, clock: Clock, say: Callable[[str], None]) -> Iterator[float]:
    """Hold the lock, waiting at most ``seconds`` for it; yields the seconds waited.

    Raises OutOfBudget, naming the holder, where it is not free in time.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    begin = clock.now()
    try:
        if not _take(descriptor):
            holder = _holder(descriptor)
            say("another run is in progress (%s): waiting up to %.0f s for it" % (holder, seconds))
            if wait_until(lambda: _take(descriptor) or None, seconds, clock) is None:
                message = "another run is still in progress (%s) after %.0f s" % (_holder(descriptor), seconds)
                raise OutOfBudget(message)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"pid %d" % os.getpid(), 0)
        yield clock.now() - begin
    finally:
        # The file stays: whoever waits has it open, and a new one would be another lock.
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "holder not known"
