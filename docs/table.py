"""Tables of the generated pages."""

from __future__ import annotations


def cell(text: str) -> str:
    """Return a text that is safe in a table's cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")
