"""The accounts that a node knows, by whatever its name service asks."""

from __future__ import annotations

import pwd
from typing import Iterable


def known(names: Iterable[str]) -> dict[str, pwd.struct_passwd]:
    """Return those of the accounts that this node knows."""
    found = {}
    for name in names:
        try:
            found[name] = pwd.getpwnam(name)
        except (KeyError, ValueError):
            # A name with a NUL character is none; preflight says so.
            continue
    return found
