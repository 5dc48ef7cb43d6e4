"""What is accepted: every expected host, and by the same results every check."""

from __future__ import annotations

import pytest

from validate.conftest import told
from validate.model import ACCEPTED, BLOCKED, ERROR, FAIL, PASS, WARN
from validate.results import Judged


def test_node(judged: Judged, node: str) -> None:
    """One expected host, whether it answered or not."""
    assert judged.nodes.get(node) in ACCEPTED, told(
        [item for item in judged.of(node) if item.status not in ACCEPTED and item.status != BLOCKED]
    )


def test_check(judged: Judged, check: str) -> None:
    """One check, on every host that has it: the second view of the same verdicts."""
    found = [item for item in judged.verdicts if item.check == check]
    bad = [item for item in found if item.status not in (*ACCEPTED, BLOCKED)]
    assert not bad, told(bad)
    if not any(item.status in (PASS, WARN, FAIL, ERROR) for item in found):
        pytest.skip("measured on no host")
