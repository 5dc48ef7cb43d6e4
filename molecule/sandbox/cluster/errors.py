"""Errors that are meant to be read by the person who typed the command."""

from __future__ import annotations


class SandboxError(Exception):
    """Something a reader can act on; its text is all that is shown."""


class CommandError(SandboxError):
    """A program failed, was not there, or took too long."""


class StepError(SandboxError):
    """A step of `up` failed."""

    def __init__(self, title: str, cause: SandboxError, log: str) -> None:
        super().__init__(f"failed at: {title}\n\n{cause}\n\nlog: {log}")
