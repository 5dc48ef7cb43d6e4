"""The launcher against programs that behave like Slurm's, good and bad; the real ones are tried on the sandbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from validate import bundle, collect, launcher, session

# Each program appends what it was called with to a file, so that a test sees which jobs were cancelled.
SALLOC = """
echo "salloc $*" >> $CALLS
case "$*" in *limit*) echo "salloc: error: Job submit/allocate failed: Job violates accounting/QOS policy" >&2; exit 1
esac
case "$*" in *busy*) echo "salloc: error: Unable to allocate resources: Connection timed out" >&2; exit 1;; esac
echo "salloc: Granted job allocation 4711" >&2
"""
SCANCEL = 'echo "scancel $*" >> $CALLS\n'
SQUEUE = 'echo "99 eve RUNNING"\n'
SINFO = 'echo "busy1 allocated"; echo "gpu001 idle"; echo "gpu002 idle"\n'
# Runs the probe once for every node of the list, but: dead ends srun, dead-soon before the others are through, hung
# never answers, lost dies in the middle.
SRUN = """#!/usr/bin/env python3
import os, subprocess, sys, time
words = sys.argv[1:]
nodes = next(word for word in words if word.startswith("--nodelist=")).split("=")[1].split(",")
if "rm" in words:
    open(os.environ["CALLS"], "a").write("srun " + " ".join(words) + "\\n")
    sys.exit(0)
at = words.index("python3")
children = []
for task, node in enumerate(nodes):
    if node.startswith(("dead", "hung")):
        continue
    environment = {**os.environ, "SLURMD_NODENAME": node, "SLURM_PROCID": str(task)}
    command = [sys.executable, *words[at + 1 :]]
    if node.startswith("lost"):
        command = ["sh", "-c", f"echo {node}: its slurmd went >&2"]
    children.append(subprocess.Popen(command, env=environment))
if any(node.startswith("dead-soon") for node in nodes):
    time.sleep(1)
    for child in children:
        child.kill()
for child in children:
    child.wait()
for node in nodes:
    if node.startswith("dead"):
        said = "Communication connection failure"
        print(f"srun: error: Task launch for StepId=1.0 failed on node {node}: {said}", file=sys.stderr)
        sys.exit(233)
    if node.startswith("hung"):
        time.sleep(600)
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put such programs first on the PATH; returns the file of calls."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()
    for name, text in (("salloc", SALLOC), ("scancel", SCANCEL), ("squeue", SQUEUE), ("sinfo", SINFO), ("srun", SRUN)):
        path = programs / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(calls))
    return calls


def order(*chunks: list[str], launch: float = 3, seconds: float = 5, takes: float = 0) -> dict[str, Any]:
    planted = {"p_good": f"import time\ndef observe(node):\n    time.sleep({takes})\n    return 1\n"}
    program = bundle.arguments(bundle.program(bundle.sources(bundle.PROBE, planted), "validate.probe:main"))
    check = {"id": "P-01", "module": "validate.checks.p_good", "seconds": 1 + takes}
    step = {"step": "host", "checks": [check], "seconds": seconds, "settings": {}, "options": [], "launch": launch}
    return {
        "action": "launch",
        "nonce": "abcd",
        "job": "validate-abcd",
        "immediate": 1,
        "program": program,
        "chunks": [
            {"nodes": nodes, "options": [], "alike": {node: node[:3] for node in nodes}, "leaves": {}}
            for nodes in chunks
        ],
        "steps": [{**step, "grace": 1}],
    }


def carry_out(what: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    events = list(session.converse(session.Submit("here"), what))
    return events, collect.collect(events)


def test_slurms_programs_are_told_where_slurm_is_and_no_options_of_a_profile_or_of_a_job_around_us(slurm, monkeypatch):
    given = {
        "SLURM_CONF": "/etc/slurm/slurm.conf", "SALLOC_ACCOUNT": "hpc", "SLURM_LABELIO": "1", "SLURM_JOB_ID": "9",
        "SALLOC_CONSTRAINT": "x", "SCANCEL_STATE": "PENDING", "_SLURM_SPANK_OPTION_pyxis_container_image": "x",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    what = order(["gpu001"])
    planted = {"p_good": "import os\ndef observe(node):\n    return dict(os.environ)\n"}
    what["program"] = bundle.arguments(bundle.program(bundle.sources(bundle.PROBE, planted), "validate.probe:main"))
    _events, hosts = carry_out(what)
    seen = hosts["gpu001"]["checks"]["P-01"]["observed"]
    assert {name: seen[name] for name in given if name in seen} == {
        name: given[name] for name in ("SLURM_CONF", "SALLOC_ACCOUNT")
    }


def test_every_node_of_every_chunk_answers(slurm: Path):
    events, hosts = carry_out(order(["gpu001", "gpu002"], ["gpu003"]))
    assert sorted(hosts) == ["gpu001", "gpu002", "gpu003"]
    assert all(host["checks"]["P-01"]["observed"] == 1 and host["steps"]["host"]["bye"] for host in hosts.values())
    assert events[-1]["event"] == "done"


def test_every_job_is_cancelled_by_number_and_by_name(slurm: Path):
    carry_out(order(["gpu001"]))
    calls = slurm.read_text().splitlines()
    assert "scancel --quiet 4711" in calls and calls[-1] == "scancel --quiet --name=validate-abcd"


@pytest.mark.parametrize("sick", ["dead1", "hung1", "lost1"])
def test_a_sick_node_costs_its_own_row(slurm: Path, sick: str):
    began = time.monotonic()
    _events, hosts = carry_out(order(["gpu001", sick, "gpu002"]))
    assert all("P-01" in hosts[name]["checks"] for name in ("gpu001", "gpu002"))
    words = {"dead1": "failed on node dead1", "hung1": "no answer within", "lost1": "lost1: its slurmd went"}[sick]
    assert not hosts[sick]["checks"] and words in hosts[sick]["said"]["host"]
    assert time.monotonic() - began < 30


def test_a_dead_node_is_not_tried_again(slurm: Path):
    events, hosts = carry_out(order(["gpu001", "dead1"]))
    assert [event["nodes"] for event in events if event["event"] == "step"] == [["gpu001", "dead1"]]
    assert "failed on node dead1" in hosts["dead1"]["said"]["host"]


def test_who_is_cut_off_with_a_dead_node_begins_again_without_it(slurm: Path):
    events, hosts = carry_out(order(["gpu001", "dead-soon", "gpu002"], launch=10, seconds=20, takes=3))
    steps = [event["nodes"] for event in events if event["event"] == "step"]
    assert steps == [["gpu001", "dead-soon", "gpu002"], ["gpu001", "gpu002"]]
    for name in ("gpu001", "gpu002"):
        assert hosts[name]["checks"]["P-01"]["observed"] == 1 and hosts[name]["steps"]["host"]["bye"] == 1
    assert "failed on node dead-soon" in hosts["dead-soon"]["said"]["host"]


def test_a_lost_node_is_tried_once_more_alone(slurm: Path):
    events, _hosts = carry_out(order(["gpu001", "lost1"]))
    assert [event["nodes"] for event in events if event["event"] == "step"] == [["gpu001", "lost1"], ["lost1"]]


def test_a_busy_node_does_not_keep_the_others_of_its_chunk(slurm: Path):
    _events, hosts = carry_out(order(["gpu001", "busy1", "gpu002"]))
    assert hosts["busy1"]["refused"]["jobs"] == [["99", "eve", "RUNNING"]]
    assert all("P-01" in hosts[name]["checks"] for name in ("gpu001", "gpu002"))


def test_one_node_of_each_kind_of_a_chunk_makes_the_samples(slurm: Path):
    wanted = order(["gpu001", "gpu002", "cpu001", "cpu002"])
    wanted["steps"].append({**wanted["steps"][0], "step": "sample"})
    sampled = {event["node"] for event in carry_out(wanted)[0] if event.get("content", {}).get("step") == "sample"}
    assert sampled == {"gpu001", "cpu001"}


def test_a_limit_of_the_account_does_not_take_a_chunk_apart(slurm: Path):
    found = carry_out(order(["limit1", "limit2", "limit3"]))[1]
    assert slurm.read_text().count("salloc ") == 1
    assert all("QOS policy" in found[f"limit{number}"]["refused"]["said"] for number in (1, 2, 3))


# Recorded from scontrol 24.11.5 after salloc had given up.
@pytest.mark.parametrize(
    ("reason", "asked"), [("Priority", 1), ("ReqNodeNotAvail,_May_be_reserved_for_other_job", 3)]
)
def test_what_a_job_waited_for_is_kept(slurm: Path, reason: str, asked: int):
    """Slurm gives the reason for a job that did not start, not salloc; only one of the nodes may be reserved."""
    program = slurm.parent / "bin/scontrol"
    program.write_text(f"#!/bin/sh\necho 'JobId=8 JobState=CANCELLED Reason={reason} Dependency=(null)'\n")
    program.chmod(0o755)
    pending = "#!/bin/sh\necho salloc >> $CALLS; echo 'salloc: Pending job allocation 8' >&2; exit 1\n"
    (slurm.parent / "bin/salloc").write_text(pending)
    found = carry_out(order(["gpu001", "gpu002"]))[1]
    assert found["gpu002"]["refused"]["said"].endswith(f"\nReason={reason.replace('_', ' ')}")
    assert slurm.read_text().count("salloc") == asked


def test_an_answer_for_a_node_that_was_not_asked_does_not_count(slurm: Path, monkeypatch: pytest.MonkeyPatch):
    srun = Path(os.environ["PATH"].split(":")[0], "srun")
    srun.write_text(srun.read_text().replace('"SLURMD_NODENAME": node', '"SLURMD_NODENAME": "other"'))
    _events, hosts = carry_out(order(["gpu001"]))
    assert "other" not in hosts and not hosts["gpu001"]["checks"]


@pytest.mark.parametrize("eaten", [1, 2])
def test_what_a_login_takes_of_the_input_is_said(eaten: int):
    words = [sys.executable, "-I", "-u", "-c", session.BOOT]
    lines = [json.dumps("print(1)"), json.dumps({"action": "launch"})]
    done = subprocess.run(words, input="\n".join(lines[eaten:]), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("what runs at a login here reads the standard input")


def launched(what: dict[str, Any]) -> subprocess.Popen[str]:
    program = bundle.program(bundle.sources(bundle.LAUNCHER, {}), "validate.launcher:main")
    words = [sys.executable, "-I", "-u", "-c", session.BOOT]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(program) + "\n" + json.dumps(what) + "\n")
    process.stdin.flush()
    return process


@pytest.fixture
def running(slurm: Path) -> Iterator[subprocess.Popen[str]]:
    """A launcher in the middle of a step that hangs."""
    process = launched(order(["gpu001", "hung1"], launch=300, seconds=300) | {"steps": order([], launch=300)["steps"]})
    assert process.stdout is not None
    for line in process.stdout:
        event = launcher.decode(line)
        if event and event["event"] == "allocated":
            break
    yield process
    process.kill()


@pytest.mark.parametrize("how", ["stdin", "SIGINT", "SIGTERM", "SIGHUP"])
def test_whatever_ends_the_run_no_job_stays(running: subprocess.Popen[str], slurm: Path, how: str):
    if how == "stdin":
        assert running.stdin is not None
        running.stdin.close()
    else:
        running.send_signal(getattr(signal, how))
    assert running.stdout is not None
    threading.Timer(30, running.kill).start()
    running.stdout.read()
    assert running.wait(30) == 0
    calls = slurm.read_text().splitlines()
    assert calls[-1] == "scancel --quiet --name=validate-abcd"
    assert any("rm -rf /tmp/slipway-validate-4711-abcd-" in call for call in calls)


def test_a_host_without_python_is_said_with_what_to_try(tmp_path: Path):
    host = session.Submit("login1", ("sh", "-c", "echo 'Permission denied (publickey)' >&2; exit 255 #"))
    with pytest.raises(session.CannotStart, match=r"login1 did not end well: Permission denied(.|\n)*try: "):
        list(session.converse(host, {"action": "ask", "commands": {}}))


def test_a_login_banner_is_no_event():
    assert launcher.decode("Welcome to the cluster\n") is None
    assert launcher.decode(f"{launcher.PREFIX}{{broken\n") is None
    assert launcher.decode(f'banner {launcher.PREFIX}{{"event": "done"}}\n') == {"event": "done"}
