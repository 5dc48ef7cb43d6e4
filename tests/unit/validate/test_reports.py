"""Every report of the same verdicts: the bad ones first, well-formed whatever a node printed, quick at a thousand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.validate.conftest import cluster
from validate import history, results, stored
from validate.command import main, remembering
from validate.report import html, junit, lists, prometheus, terminal

NASTY = 'he said "<b>no</b>" & \x00\x1b[31m </script><!-- \ufffe ]]> \\ \n end'
REPORTS: dict[str, Callable[[results.Judged], str]] = {
    "terminal": terminal.render,
    "junit": junit.render,
    "html": html.render,
    "prometheus": prometheus.render,
}


@pytest.fixture
def broken(document: dict[str, Any]) -> results.Judged:
    """One node that failed, one that printed garbage, one that was drained."""
    document["hosts"]["gpu002"]["checks"]["N-08"]["observed"] = {
        "code": 1,
        "stdout": "",
        "stderr": NASTY,
        "limit": 99999,
    }
    document["hosts"]["gpu004"]["checks"]["N-22"] = {"check": "N-22", "step": "host", "error": NASTY, "received": 1.0}
    document["roster"][9].update(unusable="drained", reason="fan", reason_by="ops", reason_at="T")
    document["hosts"].pop("gpu009")
    return results.judged(document)


def test_a_failure_says_node_check_observed_expected_cause_fix_and_who(broken):
    text = terminal.render(broken)
    start = text.index("gpu002 FAIL")
    part = text[start : text.index("\n\n", start)]
    for word in ("N-08 FAIL", "he said", "expected: unshare --user works", "likely: ", "fix: ", "who: admin"):
        assert word in part


def test_the_bad_nodes_come_first_and_the_outcome_last(broken):
    lines = terminal.render(broken).splitlines()
    assert lines[0] == "gpu002 FAIL"
    assert lines[-1] == "not accepted: a host failed"
    assert "11 hosts (10 nodes)" in lines[-2]


def test_a_warning_has_its_cause_and_fix_once_for_all_that_have_it(document):
    for name in ("gpu002", "gpu005"):
        document["hosts"][name]["steps"]["container"]["received"] += 40
    lines = terminal.render(results.judged(document)).splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [["gpu002", "C-18", "WARN"], ["gpu005", "C-18", "WARN"]]
    assert "a hook waits" in lines[2] and lines[3].startswith("    fix:    time srun") and "likely" not in lines[4]


@pytest.mark.parametrize(("broken", "code"), [(False, 2), (True, 1)])
def test_pytest_ends_with_the_code_of_the_command(document, tmp_path, broken, code):
    """A node that was not measured is no failed one."""
    document["roster"][3].update(unusable="drained", reason="fan")
    document["hosts"].pop("gpu003")
    if broken:
        document["hosts"]["gpu001"]["checks"]["N-08"]["observed"]["limit"] = 0
    (tmp_path / "results.json").write_text(stored.text(document))
    words = [
        sys.executable,
        "-m",
        "pytest",
        "validate",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--results={tmp_path}/results.json",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == code == results.judged(document).exit_code, done.stdout + done.stderr
    assert "gpu003" in done.stdout


def test_pytest_passes_no_check_that_was_measured_nowhere(document, tmp_path):
    for node in document["roster"][1:]:
        node.update(unusable="drained", reason="fan")
    document["hosts"] = {"login1": document["hosts"]["login1"]}
    (tmp_path / "results.json").write_text(stored.text(document))
    words = [sys.executable, "-m", "pytest", "validate", "-v", "-p", "no:cacheprovider", "--results"]
    done = subprocess.run(
        [*words, str(tmp_path / "results.json")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    passed = set(re.findall(r"test_check\[(\S+)\] PASSED", done.stdout))
    assert passed and all(check.startswith("H-") for check in passed - {"C-08"}), passed
    assert "test_check[N-12] SKIPPED" in done.stdout


def test_pytest_asks_ansible_once(tmp_path, monkeypatch):
    """Every read costs a second, and there are as many as tests and fixtures."""
    programs = tmp_path / "bin"
    programs.mkdir()
    real = Path(sys.executable).parent / "ansible-inventory"
    (programs / "ansible-inventory").write_text(f'#!/bin/sh\necho read >> {tmp_path}/count\nexec {real} "$@"\n')
    (programs / "ansible-inventory").chmod(0o755)
    # The program beside the running Python comes first.
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[controller]\nhead1\n[login]\nlogin1\n[compute]\ngpu1\n")
    code = f"import sys, pytest; sys.executable = {str(programs / 'python')!r}; sys.exit(pytest.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "validate", "-q", "--collect-only", "-p", "no:cacheprovider",
         f"--inventory={inventory}"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "count").read_text() == "read\n"


@pytest.mark.parametrize(("options", "hosts"), [([], {"head1", "login1"}), (["--drill=gpu1"], {"gpu1"})])
def test_head_and_login_nodes_are_looked_at_without_being_named(tmp_path, options, hosts):
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[controller]\nhead1\n[login]\nlogin1\n[compute]\ngpu1\n")
    words = [sys.executable, "-m", "pytest", "validate/drilldown", "-q", "--collect-only", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, f"--inventory={inventory}", *options],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert set(re.findall(r"\[(?:.*-)?(head1|login1|gpu1)(?:-.*)?\]", done.stdout)) == hosts, done.stdout


def test_a_run_is_judged_beside_the_earlier_ones_of_its_directory(document, tmp_path):
    first = remembering(document, tmp_path)
    assert first.document["history"] == {}
    history.save(first, tmp_path)
    assert set(remembering(document, tmp_path).document["history"]) == {f"gpu{number:03}" for number in range(1, 11)}


def test_junit_is_well_formed_and_its_sums_are_its_cases(broken):
    suite = ET.fromstring(junit.render(broken))[0]
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == len(broken.verdicts)
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute)) == sum(case.find(element) is not None for case in cases)
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.get("message").startswith("gpu002 N-08 FAIL")


def test_the_page_holds_everything_in_one_file_and_no_text_ends_its_script(broken):
    page = html.render(broken)
    assert not re.search(r"(?:src|href)\s*=|https?://|@import", page)
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1)
    data = json.loads(text)
    assert [node["name"] for node in data["nodes"]] == list(broken.nodes)
    cell = next(node for node in data["nodes"] if node["name"] == "gpu002")["cells"]["N-08"]
    assert cell[0] == "FAIL" and "</script>" in cell[1]
    assert not data["accepted"]


def test_prometheus_has_series_for_what_is_bad_alone(broken):
    lines = [line for line in prometheus.render(broken).splitlines() if not line.startswith("#")]
    status = [line for line in lines if line.startswith("validate_node_status")]
    assert len(status) == 3
    assert 'validate_nodes{status="PASS"} 8' in lines and "validate_exit_code 1" in lines
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9]+', line) for line in lines)


def test_the_lists_hold_every_compute_node_once(broken):
    found = lists.render(broken)
    passing, failing = found["passing_nodes.txt"].split(), found["failing_nodes.txt"].split()
    assert failing == ["gpu002", "gpu004", "gpu009"]
    assert sorted(passing + failing) == [f"gpu{number:03}" for number in range(1, 11)]


def test_a_fleet_problem_is_told_once_and_not_on_every_node(document):
    for number in range(1, 11):
        document["hosts"][f"gpu{number:03}"]["checks"]["N-08"]["observed"]["limit"] = 0
    text = terminal.render(results.judged(document))
    assert text.startswith("FLEET N-08: 10 of 10 hosts") and "gpu005 FAIL\n" not in text


@pytest.mark.slow
def test_judge_and_reports_of_a_thousand_nodes_take_five_seconds():
    document = cluster(1000)
    for number in range(1, 1000, 9):
        document["hosts"][f"gpu{number:03}"]["checks"]["N-08"]["observed"]["limit"] = 0
    began = time.process_time()
    judged = results.judged(document)
    sizes = {name: len(render(judged)) for name, render in REPORTS.items()}
    assert time.process_time() - began < 5
    assert sizes["html"] < 10_000_000 and sizes["terminal"] < 40_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda document: None, 0),
        (lambda document: document["hosts"]["gpu001"]["checks"]["N-08"]["observed"].update(limit=0), 1),
        (lambda document: document["hosts"].pop("gpu001"), 2),
        (lambda document: document.update(schema="slipway.validate/9"), 3),
        (lambda document: document.pop("roster"), 3),
        (lambda document: document.update(roster=[]), 2),
    ],
    ids=["accepted", "failed", "not measured", "another schema", "no roster", "an empty roster"],
)
def test_the_exit_code_of_a_report(document, tmp_path, change, code):
    change(document)
    (tmp_path / "old.json").write_text(json.dumps(document))
    assert main(["report", str(tmp_path / "old.json"), "--output", str(tmp_path / "out")]) == code


@pytest.mark.parametrize("text", ["", "garbage", "[]", "null", '{"schema": "slipway.validate/1"}', "\x00"])
def test_a_file_that_is_no_results_is_said(tmp_path, capsys, text):
    (tmp_path / "old.json").write_text(text)
    assert main(["report", str(tmp_path / "old.json"), "--output", str(tmp_path)]) == 3
    assert "could not start" in capsys.readouterr().err


def test_results_have_a_line_for_every_host_and_verdict(broken, tmp_path):
    stored.save(broken, tmp_path / "results.json")
    lines = (tmp_path / "results.json").read_text().splitlines()
    assert sum(line.startswith(' {"node": ') for line in lines) == len(broken.verdicts)
    for name in broken.document["hosts"]:
        assert any(line.startswith(f' "{name}": {{"steps": ') for line in lines)


def test_every_output_is_written_and_can_be_replayed(document, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(document))
    assert main(["report", str(tmp_path / "old.json"), "--output", str(tmp_path / "out")]) == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        "results.json", "junit.xml", "report.html", "validate.prom", "passing_nodes.txt", "failing_nodes.txt",
    }  # fmt: skip
    assert main(["report", str(tmp_path / "out" / "results.json"), "--output", str(tmp_path / "again")]) == 0
    for name in written:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_files_name_that_is_no_text_is_shown_and_ends_no_report(document, tmp_path):
    """What Linux takes for a name need not be UTF-8: Python hands such bytes on as lone surrogates."""
    document["hosts"]["gpu001"]["checks"]["N-08"]["observed"].update(code=1, stderr="unshare: /x/\udcff: no")
    (tmp_path / "old.json").write_text(json.dumps(document))
    words = [sys.executable, "-m", "validate", "report", "old.json", "--output", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and r"/x/\udcff: no" in done.stdout, done.stderr
    assert r"\udcff" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("at", [html, junit, terminal])
def test_an_interrupt_between_reports_says_what_is_stored(document, tmp_path, monkeypatch, capsys, at):
    def interrupt(_judged):
        raise KeyboardInterrupt

    monkeypatch.setattr(at, "render", interrupt)
    stored.save(results.judged(document), tmp_path / "old.json")
    assert main(["report", str(tmp_path / "old.json"), "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"interrupted while the reports were written; {tmp_path / 'results.json'} is whole" in said
    monkeypatch.undo()
    assert main(["report", str(tmp_path / "results.json"), "--output", str(tmp_path)]) == 0


# Ctrl-C comes while a module of the program is looked for.
INTERRUPTED = """
import os, runpy, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "validate.suite":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["validate", "checks"]
runpy.run_module("validate", run_name="__main__")
"""


def test_an_interrupt_while_the_program_is_read_ends_in_words() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "validate: interrupted before anything was measured\n"
