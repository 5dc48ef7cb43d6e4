"""The log: standard output and the platform's file, one timestamped line each, free of secrets, bounded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from .redact import redact
from .report import timestamp
from .waits import Clock

LARGEST = 900_000
# Terminal sequences, and control characters that would break a line of the log.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Log:
    """Writes lines; a file that cannot be written is said once, and standard output goes on."""

    def __init__(self, paths: Iterable[str] = (), clock: Clock | None = None, stream: IO[str] | None = None) -> None:
        self.clock = clock or Clock()
        self.stream: IO[str] = stream or sys.stdout
        self.secrets: set[str] = set()
        self.written = 0
        self.shortened = False
        self._files: dict[str, IO[str]] = {}
        for path in paths:
            self.add_file(path)

    def add_file(self, path: str) -> None:
        """Write to a file as well; it is appended to, and readable for root and its group only."""
        if path in self._files:
            return
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            self._files[path] = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self.line("the log %s cannot be written (%s): only standard output has it" % (path, error.strerror))

    def line(self, text: str, important: bool = False) -> None:
        """Write a text, one line of the log for each of its lines; the bulk stops at a bound, what matters does not."""
        for part in redact(text, self.secrets).splitlines() or [""]:
            whole = "%s %s\n" % (timestamp(self.clock.wall()), CONTROL.sub("", part).rstrip())
            if self.written + len(whole) > LARGEST and not important:
                if not self.shortened:
                    self.shortened = True
                    self._write("%s (the log is shortened here)\n" % timestamp(self.clock.wall()))
                continue
            self._write(whole)

    def _write(self, whole: str) -> None:
        self.written += len(whole.encode("ascii", "backslashreplace"))
        # Whatever the locale of the platform's shell: a character must never end the hook.
        encoding = getattr(self.stream, "encoding", None) or "ascii"
        try:
            self.stream.write(whole.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):
            self.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- lives as long as the log
        for path, stream in list(self._files.items()):
            try:
                stream.write(whole)
                stream.flush()
            except OSError as error:
                del self._files[path]
                self.line("the log %s cannot be written any more: %s" % (path, error.strerror), important=True)

    def close(self, seconds: float = 0.0) -> None:
        """Bring everything to disk, and give the platform's agent time to ship it: a failed node is gone soon."""
        for stream in self._files.values():
            try:
                stream.flush()
                os.fsync(stream.fileno())
                stream.close()
            except OSError:
                continue
        self._files.clear()
        if seconds > 0:
            os.sync()
            self.clock.sleep(seconds)
