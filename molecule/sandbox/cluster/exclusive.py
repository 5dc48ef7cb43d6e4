"""One run at a time for each sandbox."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from . import host, host_settings
from .errors import SandboxError
from .settings import RUNTIME, Settings


@contextmanager
def exclusively(settings: Settings) -> Iterator[None]:
    """Hold the sandbox; the kernel lets go of it however this program ends."""
    host.require_root()
    RUNTIME.mkdir(parents=True, exist_ok=True, mode=0o755)
    path = RUNTIME / f"{settings.identity}.lock"
    with path.open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxError(f"another command is at work on the sandbox {settings.name}: wait for it") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            host_settings.forget()
