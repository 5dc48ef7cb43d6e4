"""The measurement of judge and reports: what is repeated, and that the command does what is timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import judge, usage
from bench.errors import BenchError
from validate import catalogue, results


def test_the_nodes_are_repeated_under_new_names_and_the_verdicts_with_them() -> None:
    document = judge.quick(judge.multiplied(judge.good(), 18))
    nodes = results.judged(document).nodes
    assert list(nodes) == ["login1", *(f"n{number:04}" for number in range(1, 19))]
    assert [name for name, status in nodes.items() if status != "PASS"] == ["n0009", "n0018"]


def test_only_the_quick_tier_is_left_and_all_of_it() -> None:
    document = judge.quick(judge.good())
    assert document["checks"] == [name for name, entry in catalogue.load().items() if entry.check.tier == "quick"]
    made = {check for host in document["hosts"].values() for check in host["checks"]}
    assert made and made <= set(document["checks"])


def test_a_node_that_never_answered_is_repeated_too() -> None:
    document = judge.good()
    document["hosts"].pop("gpu009")
    nodes = results.judged(judge.multiplied(document, 9)).nodes
    assert nodes["n0009"] == "NO_RESULT"


def test_the_command_is_timed_and_its_reports_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "NODES", 9)
    text = judge.measure(tmp_path, 1)
    count = len(judge.quick(judge.good())["checks"])
    assert f"judge and report 9 nodes x {count}" in text and "the goal of 5 s" in text
    assert "report.html 0." in text


def test_a_command_that_breaks_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "NODES", 9)
    monkeypatch.setattr(judge, "JUDGED", (0,))
    with pytest.raises(BenchError, match="reporting with 1"):
        judge.measure(tmp_path, 1)


def test_the_table_says_when_it_takes_too_long() -> None:
    slow = [usage.Usage(wall, wall, 0.0) for wall in (4.0, 6.0, 7.0)]
    assert "6.0 s: above the goal of 5 s" in judge.table(53, slow, slow, {"results.json": 14_000_000})
