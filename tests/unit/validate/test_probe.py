"""The probe as it travels: one argument of python3, run here as a process of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from validate import bundle, catalogue, plan
from validate.framing import Decoder
from validate.probing import Node

HEAD = "from validate.model import Check, Context, Finding, passed\nfrom validate.probing import Node\n"
PLANTED = {
    "good": "def observe(node): return {'pid': 1}",
    "slow": "import time\ndef observe(node): time.sleep(60)",
    "stubborn": "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ndef observe(node): time.sleep(60)",
    "killed": "import os, signal\ndef observe(node): os.kill(os.getpid(), signal.SIGKILL)",
    "raising": "def observe(node): raise OSError(5, 'broken disk')",
    "exits": "import sys\ndef observe(node): sys.exit(0)",
    "unjson": "def observe(node): return object()",
    "printing": "def observe(node):\n    print('@slipway-validate lies')\n    return 1",
    "child": "def observe(node): return node.run(['sh', '-c', 'sleep 60 & sleep 60'], 0.3).record()",
    "syntax": "def observe(node) return 1",
    "big": "def observe(node): return 'x' * 300_000",
}


def run(names: list[str], seconds: float = 30, bound: float = 1.0) -> list[dict[str, object]]:
    """Run the probe with planted checks and return its records."""
    sources = {f"p_{name}": HEAD + PLANTED[name] for name in names}
    program = bundle.arguments(bundle.program(bundle.sources(bundle.PROBE, sources), "validate.probe:main"))
    checks = [{"id": name, "module": f"validate.checks.p_{name}", "seconds": bound} for name in names]
    order = {"nonce": "abcd", "name": "gpu001", "step": "host", "checks": checks, "settings": {}, "seconds": seconds}
    words = [sys.executable, "-I", "-c", *program, json.dumps(order)]
    done = subprocess.run(words, capture_output=True, check=True, timeout=60)
    decoder = Decoder("abcd")
    found = decoder.feed(done.stdout) + decoder.close()
    assert {record.node for record in found} == {"gpu001"}
    return [record.content for record in found]


def test_every_check_has_a_record_whatever_the_others_do():
    records = run(list(PLANTED))
    assert records[0]["hello"] == 1 and records[-1]["bye"] == len(PLANTED)
    by_id = {str(record["check"]): record for record in records[1:-1]}
    assert list(by_id) == list(PLANTED)
    assert by_id["good"]["observed"] == {"pid": 1}
    assert by_id["printing"]["observed"] == 1
    assert len(str(by_id["big"]["observed"])) == 300_000
    for name in ("slow", "stubborn"):
        assert by_id[name]["timeout"] and "no answer within 1 s" in str(by_id[name]["error"])
    assert by_id["killed"]["error"] == by_id["exits"]["error"] == "the observing process was killed"
    assert "broken disk" in str(by_id["raising"]["error"])
    assert "SyntaxError" in str(by_id["syntax"]["error"])
    assert "TypeError" in str(by_id["unjson"]["error"])
    assert by_id["child"]["observed"] == {"code": None, "stdout": "", "stderr": ""}


def test_what_the_steps_time_does_not_reach_says_so():
    records = run(["slow", "good"], seconds=0.5)
    late = next(record for record in records if record.get("check") == "good")
    assert "not run" in str(late["error"])


def test_the_whole_catalogue_is_started_by_arguments_that_linux_takes():
    program = plan.program_of(catalogue.load())
    assert max(map(len, program)) < 131_072 and sum(map(len, program)) < bundle.LIMIT
    order = {"nonce": "abcd", "name": "here", "step": "host", "checks": [], "settings": {}, "seconds": 5}
    words = [sys.executable, "-I", "-c", *program, json.dumps(order)]
    done = subprocess.run(words, capture_output=True, check=True, timeout=60)
    assert [record.node for record in Decoder("abcd").feed(done.stdout)]


def test_a_program_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="choose fewer checks"):
        bundle.arguments(random.Random(1).randbytes(500_000).hex())


def test_every_check_observes_here_without_breaking_the_probe(tmp_path: Path):
    """Whatever host this is: a record for every check, none of them a Python error."""
    entries = {name: entry for name, entry in catalogue.load().items() if entry.check.step == "host"}
    order = plan.step_order("host", entries, plan.Settings())
    order |= {"nonce": "abcd", "name": "here", "scratch": str(tmp_path / "scratch")}
    words = [sys.executable, "-I", "-c", *plan.program_of(entries), json.dumps(order)]
    done = subprocess.run(words, capture_output=True, check=True, timeout=120)
    records = [record.content for record in Decoder("abcd").feed(done.stdout)]
    seen = {record["check"]: record for record in records if "check" in record}
    assert set(seen) == set(entries)
    broken = {check: record["error"] for check, record in seen.items() if "Error" in record.get("error", "")}
    assert broken == {}


@pytest.mark.parametrize(("start", "bound"), [(None, "60"), (120, "60"), (256, "196")])
def test_a_container_of_a_check_may_start_as_late_as_the_site_says(tmp_path, monkeypatch, start, bound):
    (tmp_path / "timeout").write_text('#!/bin/sh\necho "$*"\n')
    (tmp_path / "timeout").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = Node({"image": "x", "container_start": start}).contained(["true"]).stdout
    assert said.startswith(f"--kill-after=3 {bound} srun ")


@pytest.mark.parametrize("body", ["sleep 30", "trap '' TERM; sleep 30; sleep 30"], ids=["ends when asked", "is killed"])
def test_a_step_that_does_not_end_in_time_is_said_to_hang(tmp_path, monkeypatch, body):
    (tmp_path / "srun").write_text(f"#!/bin/bash\necho begun >&2\n{body}\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    output = Node({}).srun([], ["true"], seconds=0.3)
    assert (output.code, output.stderr) == (None, "begun\n")


@pytest.mark.parametrize("path", sorted(bundle.PACKAGE.glob("checks/*.py")), ids=lambda path: path.stem)
def test_a_check_needs_nothing_but_the_standard_library(path: Path):
    """What travels to a node may not import what stays here."""
    allowed = {f"validate.{name}" for name in bundle.PROBE}
    for line in path.read_text().splitlines():
        if line.startswith("from validate import "):
            assert set(line.removeprefix("from validate import ").split(", ")) <= set(bundle.PROBE)
        elif line.startswith(("from validate", "import validate")):
            assert line.split()[1] in allowed


def test_what_travels_is_python_3_9():
    """The oldest Python of a supported node; ast knows no newer statement of that version."""
    import ast

    names = [bundle.file_of(name) for name in (*bundle.PROBE, *bundle.STEWARD)]
    for path in [*names, *bundle.PACKAGE.glob("checks/*.py")]:
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))
