"""How a hook ends: an exit code and one line that names the cause."""

from __future__ import annotations

import enum
import re

LONGEST_CAUSE = 600


class ExitCode(enum.IntEnum):
    """What the platform sees; the numbers are part of the interface (docs/operate/lifecycle.md)."""

    DONE = 0
    COMPONENT_FAILED = 1
    BAD_CONFIGURATION = 2
    OUT_OF_BUDGET = 3
    UNUSABLE = 4


class Stopped(Exception):
    """The hook cannot go on; ``code`` is the exit code, the text is the cause in one line."""

    code = ExitCode.COMPONENT_FAILED

    def __init__(self, cause: str) -> None:
        super().__init__(one_line(cause))

    @property
    def cause(self) -> str:
        """The cause in one line."""
        return str(self)


class ComponentFailed(Stopped):
    """A required component could not be brought to its desired state."""


class BadConfiguration(Stopped):
    """A file, an argument or a setting is wrong, and somebody has to edit it."""

    code = ExitCode.BAD_CONFIGURATION


class OutOfBudget(Stopped):
    """The time is used up, another run holds the lock, or a signal asked for the end."""

    code = ExitCode.OUT_OF_BUDGET


class Unusable(Stopped):
    """The node itself is not fit: no root, no disk, no Python; or preflight found something wrong."""

    code = ExitCode.UNUSABLE


def one_line(text: str) -> str:
    """Return a text as one line of bounded length: log shippers cut, and a reader looks at the last line."""
    joined = re.sub(r"\s+", " ", text).strip()
    return joined if len(joined) <= LONGEST_CAUSE else joined[: LONGEST_CAUSE - 1] + "…"
