"""Which values must not be shown, by the names that they have."""

from __future__ import annotations

import re
from typing import Any, Mapping

SECRET = re.compile(r"(?:^|_)(?:passw(?:or)?d|passphrase|secret|token|credentials?|api_?key|private_key)s?(?:_|\Z)")


def is_secret(name: str, option: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a value must not be shown: declared so, at any depth, or evident from the name."""
    if option and (
        option.get("no_log") or any(is_secret(key, sub) for key, sub in (option.get("options") or {}).items())
    ):
        return True
    return bool(SECRET.search(name.lower()))
