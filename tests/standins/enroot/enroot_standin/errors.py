"""Messages in enroot's form, all on stderr, and the one exception that ends a command."""

from __future__ import annotations

import sys


class EnrootError(Exception):
    """Ends the command; an empty message means that a child already said what is wrong."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def say(level: str, message: str) -> None:
    print(f"[{level}] {message}", file=sys.stderr, flush=True)


def info(message: str) -> None:
    say("INFO", message)
