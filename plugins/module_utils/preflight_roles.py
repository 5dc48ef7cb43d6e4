"""What a role says about itself, and the shape of what is found wrong with its inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

LONGEST_VALUE = 120


@dataclass(frozen=True)
class Finding:
    """Something wrong with one variable, or with the host itself where ``variable`` names no variable."""

    component: str
    variable: str
    value: str
    problem: str
    allowed: str
    edit: bool = True  # whether a file of the inventory is to be looked for


@dataclass
class Role:
    """What a role says about itself."""

    name: str
    entries: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The inputs of the entry point ``main``."""
        return dict((self.entries.get("main") or {}).get("options") or {})

    @property
    def inputs(self) -> set[str]:
        """The names of the inputs of all entry points."""
        return {name for entry in self.entries.values() for name in (entry or {}).get("options") or {}}

    def own(self, key: str, empty: Any) -> Any:
        """Return ``__<role>_<key>`` of the role's vars."""
        return self.data.get("__%s_%s" % (self.name, key)) or empty


def show(value: Any) -> str:
    """Return a value as one printable line: escapes, control characters and odd scripts cannot act on a terminal."""
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "\u2026"


def one_line(text: str) -> str:
    """Return a message of somebody else as one printable line of bounded length."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split())
    return line if len(line) <= 300 else line[:299] + "\u2026"
