"""The one error that ends a run before it began: exit code 3."""

from __future__ import annotations


class CannotStart(Exception):
    """What is wrong and what to do, in the words that the person reads."""
