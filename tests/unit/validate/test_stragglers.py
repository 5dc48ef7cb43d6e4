"""A node beside its fleet and beside itself: outliers among eight, a second time, and what is kept of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.validate.conftest import cluster
from validate import history, results, stragglers
from validate.model import FAIL, PASS, SKIP, WARN


def status(document, node: str, check: str) -> str:
    return next(item.status for item in results.judged(document).of(node) if item.check == check)


def slow(count: int = 10) -> dict:
    document = cluster(count)
    document["hosts"]["gpu003"]["checks"]["P-07"]["observed"]["rate"] = 1840.0
    return document


def test_a_node_eight_percent_slower_than_the_others_is_a_warning_and_again_a_failure():
    document = slow()
    assert status(document, "gpu003", "P-08") == WARN and status(document, "gpu001", "P-08") == PASS
    document["history"] = {"gpu003": [{"run": "x", "rates": {}, "odd": True}]}
    assert status(document, "gpu003", "P-08") == FAIL


def test_a_check_that_takes_long_on_one_node_is_one_too():
    document = cluster(10)
    document["hosts"]["gpu003"]["checks"]["N-06"]["seconds"] = 7.5
    found = next(item for item in results.judged(document).of("gpu003") if item.check == "P-08")
    assert found.status == WARN and "duration of N-06 (s): 7.5, usually 0.1" in found.observed


def test_seven_nodes_have_no_outliers():
    assert status(slow(7), "gpu003", "P-08") == SKIP


def test_nodes_that_vary_have_no_outlier():
    values = {f"n{number}": 100.0 + number for number in range(10)}
    assert stragglers.outlying(values, 0.0, 0.05, 1) == {}


@pytest.mark.parametrize(("rate", "expected"), [(2000.0, PASS), (1850.0, WARN)])
def test_a_node_is_compared_with_its_own_last_runs(rate, expected):
    document = cluster(3)
    document["hosts"]["gpu001"]["checks"]["P-07"]["observed"]["rate"] = rate
    assert status(document, "gpu001", "P-09") == SKIP
    document["history"] = {"gpu001": [{"run": "x", "rates": {"image read (MB/s)": 2000.0}, "odd": False}] * 3}
    assert status(document, "gpu001", "P-09") == expected


def test_the_quick_tier_measures_nothing():
    document = {**cluster(10), "tier": "quick"}
    assert not [item for item in results.judged(document).verdicts if item.check in ("P-08", "P-09")]


def test_a_run_is_kept_and_the_last_comes_first(tmp_path: Path):
    for number, rate in enumerate((1000.0, 2000.0)):
        document = {**cluster(10), "started": 1e9 + number, "run": f"r{number}"}
        document["hosts"]["gpu001"]["checks"]["P-07"]["observed"]["rate"] = rate
        document["hosts"]["gpu002"]["checks"]["N-08"]["observed"]["limit"] = 0
        history.save(results.judged(document), tmp_path)
    (tmp_path / "history" / "9999999999-x.json").write_text("garbage")
    (tmp_path / "history" / "9999999998-x.json").write_text(json.dumps({"gpu001": "garbage"}))
    found = history.load(tmp_path)
    assert [run["run"] for run in found["gpu001"]] == ["r1", "r0"]
    assert found["gpu001"][0]["rates"]["image read (MB/s)"] == 2000.0
    assert "gpu002" not in found, "a node that was refused is no yardstick"


def test_only_the_last_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "RUNS", 3)
    for number in range(5):
        history.save(results.judged({**cluster(2), "started": 1e9 + number}), tmp_path)
    assert len(list((tmp_path / "history").glob("[0-9]*"))) == 3


def test_a_text_in_the_place_of_a_number_is_no_rate():
    host = cluster(1)["hosts"]["gpu001"]
    host["checks"]["P-01"] = {"observed": {"tflops": "x"}}
    assert "GEMM (TFLOP/s)" not in stragglers.rates(host)


@pytest.mark.parametrize("rate", [None, "2000", [2000.0]])
def test_a_rate_of_a_damaged_file_counts_for_nothing(tmp_path: Path, rate):
    stored = {"gpu001": {"run": "x", "rates": {"image read (MB/s)": rate}, "odd": False}}
    (tmp_path / history.DIRECTORY).mkdir()
    (tmp_path / history.DIRECTORY / "1-x.json").write_text(json.dumps(stored))
    document = {**cluster(3), "history": history.load(tmp_path)}
    assert status(document, "gpu001", "P-09") == SKIP
