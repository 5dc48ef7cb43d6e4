"""Faults in stored results: each is caught by exactly one check with its cause, without a node."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.faults import bench, good_results
from validate import results

FAULTS = bench.load("replayed")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_in_stored_results_is_caught_by_its_check(pytestconfig: pytest.Config, fault: bench.Fault) -> None:
    judged = bench.replay(fault, good_results.BASES[fault.content.get("base", "simulated")]())
    found = bench.complaints(fault, judged)
    pytestconfig.stash.setdefault(bench.ROWS, []).append(
        (fault.title, fault.check, bench.named(fault, judged), "no" if found else "yes")
    )
    assert found == [], "\n".join(found)
    # A name in braces that nothing was put in for: no shell takes it.
    assert [cell.fix for cell in judged.verdicts if re.search(r"(?<!\$)\{\w+\}", f"{cell.cause} {cell.fix}")] == []


@pytest.mark.parametrize("base", good_results.BASES)
def test_the_good_results_raise_no_alarm(base: str) -> None:
    assert bench.complaints(None, results.judged(good_results.BASES[base]())) == []


def test_the_bench_itself_sees_a_missing_a_false_and_a_wrongly_named_alarm() -> None:
    drained, slow = (next(fault for fault in FAULTS if fault.name == name) for name in ("not_responding", "start_slow"))
    judged = bench.replay(drained, good_results.simulated())
    assert bench.complaints(drained, judged) == []
    assert "false alarm: gpu003 N-01" in bench.complaints(None, judged)[0]
    assert [text[:12] for text in bench.complaints(slow, judged)] == ["gpu003 C-18 ", "false alarm:"]
    assert "its cause is not" in bench.complaints(dataclasses.replace(drained, cause="fire"), judged)[0]
    fixed = dataclasses.replace(drained, content={**drained.content, "fix": "more cooling"})
    assert "its fix is not 'more cooling'" in bench.complaints(fixed, judged)[0]
    assert "not FAIL" in bench.complaints(dataclasses.replace(drained, status="FAIL"), judged)[0]


def test_none_was_lost_and_each_has_a_name_of_its_own() -> None:
    live, replayed = bench.load("live"), bench.load("replayed")
    assert len(live) >= 110 and len(replayed) >= 90
    titles = [fault.title for fault in (*live, *replayed)]
    assert len(set(titles)) == len(titles)
