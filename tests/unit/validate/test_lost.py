"""A run that does not come to its end: connections that are lost, hosts that hang, interrupts, refusals of Slurm."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import signal
import subprocess
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.unit.validate.conftest import GOOD, NOW, host
from tests.unit.validate.test_launcher import carry_out, launched, order, slurm  # noqa: F401 - a fixture
from validate import (
    bundle,
    catalogue,
    collect,
    launcher,
    listener,
    outputs,
    plan,
    probe,
    results,
    session,
    settings,
    suite,
)
from validate.drilldown import backend
from validate.errors import CannotStart
from validate.model import NO_RESULT
from validate.probing import OUTPUT_LIMIT, Node

CHOSEN = settings.Settings(image="/x.sqsh")
PING = {"code": 0, "stdout": "Slurmctld(primary) at head is UP", "stderr": ""}


def says(*events: dict[str, Any], then: str = "exit 255") -> session.Submit:
    """A submit host on which a launcher says this, whatever it is asked."""
    lines = [launcher.PREFIX + json.dumps(event) for event in ({"event": session.BEGUN}, *events)]
    return session.Submit("login1", ("sh", "-c", f"printf '%s\\n' {shlex.join(lines)}; {then} #"))


def prepared(here: session.Submit, *names: str) -> suite.Prepared:
    roster = [{"name": "login1", "role": "login", "in_slurm": False, "gpus": 0, "unusable": "", "state": "login"}]
    nodes = [
        {"name": n, "role": "compute", "in_slurm": True, "gpus": 0, "unusable": "", "state": "idle"} for n in names
    ]
    entries = catalogue.chosen("quick", ["N-08"])
    where = suite.Target((here,), None, here)
    return suite.Prepared(CHOSEN, where, entries, roster + nodes, {"name": "t"}, plan.make(nodes, entries, CHOSEN))


def records(name: str) -> list[dict[str, Any]]:
    found = host(name, ["N-08"])
    contents = [{**found["steps"]["host"]["hello"], "step": "host"}, found["checks"]["N-08"]]
    return [{"event": "record", "node": name, "at": NOW, "content": content} for content in contents]


# Connections


def test_a_lost_connection_keeps_what_was_measured():
    here = says({"event": "allocated", "nodes": ["n1", "n2"], "job": 7, "seconds": 1}, *records("n1"))
    document = suite.run(prepared(here, "n1", "n2"), lambda _text: None)
    judged = results.judged(document)
    assert document["hosts"]["n1"]["checks"]["N-08"]["observed"] == GOOD["N-08"]
    assert document["cluster"]["interrupted"] and judged.exit_code == 2
    assert [cell.status for cell in judged.of("n2")] == [NO_RESULT]
    (note,) = document["notes"]
    assert note.startswith("the launcher on login1 did not end well") and "whether its jobs have ended" in note
    assert f"squeue --name=validate-{document['run']}" in note


def test_a_connection_that_gave_nothing_stores_nothing():
    with pytest.raises(CannotStart, match="login1 did not end well"):
        suite.run(prepared(says(), "n1"), lambda _text: None)


def test_a_login_that_hangs_is_named_and_its_program_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "FIRST", 0.3)
    hung = session.Submit("login1", ("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600 #"))
    with pytest.raises(CannotStart, match=r"login1 said nothing within 0.3 s: its login hangs(.|\n)*try: "):
        list(session.converse(hung, {"action": "ask", "commands": {}}))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_launcher_that_falls_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(session, "ENDING", 0.3)
    conversation = session.Conversation(says(then="exec sleep 600"), "", {}, quiet=0.3)
    with pytest.raises(CannotStart, match="has said nothing for"):
        session.listen(conversation, print)
    assert conversation.process.poll() is not None


def test_a_longer_order_may_be_silent_for_longer():
    assert session.quiet(order(["gpu001"], launch=100, seconds=1000)) > 2200
    assert session.quiet({"action": "ask", "commands": {"nodes": {"words": [], "seconds": 30}}}) == 210


def test_a_conversation_that_is_over_holds_no_descriptor(tmp_path):
    """A run over ssh has one for each node, and may not open more than a thousand files."""
    ways = [says({"event": "done"}, then="exit 0"), says(), session.Submit("n", ("sh", "-c", "exit 1 #"))]
    before, over = os.listdir("/proc/self/fd"), []
    for here in ways * 20:
        over.append(session.Conversation(here, "x" * 100_000, {}))
        with contextlib.suppress(CannotStart):
            session.listen(over[-1], lambda _event: None)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_too_many_open_files_are_no_missing_program(monkeypatch):
    def full(*_given: Any, **_named: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for owner, name in ((subprocess, "Popen"), (session.tempfile, "TemporaryFile")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(CannotStart, match=r"Too many open files$"):
                session.Conversation(says(), "", {})


def test_a_login_banner_of_another_encoding_is_passed_over():
    here = session.Submit("login1", ("sh", "-c", "printf 'Gru\\337\\n'; eval \"$0\""))
    question = {"words": ["printf", r"\337"], "seconds": 5}
    (answer, done) = session.converse(here, {"action": "ask", "commands": {"x": question}})
    assert answer["code"] == 0 and done["event"] == "done"


def test_a_missing_ssh_is_said_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match="login1 is not reached from here: ssh: No such file"):
        list(session.converse(session.submit_host("login1", {}, ""), {"action": "ask", "commands": {}}))


# Interrupts


def much(*chunks: list[str], takes: float = 0) -> dict[str, Any]:
    """An order whose every node answers with more than a pipe holds."""
    planted = f"import os, time\ndef observe(node):\n    time.sleep({takes})\n    return os.urandom(100_000).hex()\n"
    found = bundle.program(bundle.sources(bundle.PROBE, {"p_good": planted}), "validate.probe:main")
    wanted = order(*chunks, launch=30, seconds=30, takes=takes)
    # On a loaded machine even this takes more than a second.
    wanted["steps"][0]["checks"][0]["seconds"] = 25
    return {**wanted, "program": bundle.arguments(found)}


def test_an_interrupt_takes_all_that_was_said_and_no_job_stays(slurm: Path):  # noqa: F811
    names = [f"gpu{number}" for number in range(6)]
    wanted = much(*([name] for name in names), ["hung1"])
    hosts: dict[str, Any] = {}
    kinds = []

    def take(event: dict[str, Any]) -> None:
        kinds.append(event["event"])
        collect.take(hosts, event)
        if len(kinds) == 1:
            # The others' answers fill every pipe meanwhile.
            time.sleep(12)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.listen(session.launched(session.Submit("here"), wanted), take)
    assert slurm.read_text().splitlines()[-1] == "scancel --quiet --name=validate-abcd"
    assert all(len(hosts[name]["checks"]["P-01"]["observed"]) == 200_000 for name in names)
    assert kinds[-2:] == ["cancelled", "done"] and not hosts["hung1"]["said"] and "refused" not in kinds


def test_who_is_not_listened_to_cancels_its_jobs_all_the_same(slurm: Path, monkeypatch):  # noqa: F811
    make = bundle.program
    monkeypatch.setattr(bundle, "program", lambda *given: make(*given).replace("CANCELLING = 20", "CANCELLING = 0.5"))
    process = launched(much(["gpu1"], ["gpu2"]))
    time.sleep(3)
    process.stdin.close()
    deadline = time.monotonic() + 20
    while "--name=" not in slurm.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.stdout.close()
    assert "scancel --quiet --name=validate-abcd" in slurm.read_text()


def test_a_drill_down_that_is_interrupted_cancels_its_job_by_name(monkeypatch):
    called = []

    def bounded(words: list[str], _seconds: float) -> tuple[int, bytes, bytes]:
        called.append(words)
        if "salloc" in words:
            raise KeyboardInterrupt
        return 0, b"NodeName=n1 State=IDLE Partitions=special \n", b""

    monkeypatch.setattr(backend, "bounded", bounded)
    with pytest.raises(KeyboardInterrupt), backend.over_slurm(session.Submit("here"), "n1", CHOSEN):
        pass
    _show, salloc, scancel = called
    assert "--partition=special" in salloc
    (name,) = (word.partition("=")[2] for word in salloc if word.startswith("--job-name="))
    assert scancel == backend.plain(["scancel", "--quiet", f"--name={name}"]) and name.startswith("validate-drill-")


def test_a_drill_downs_programs_of_slurm_get_no_options_of_a_profile(monkeypatch):
    for name in ("SLURM_CONF_SERVER", "SLURM_LABELIO", "SCANCEL_STATE"):
        monkeypatch.setenv(name, "x")
    seen = subprocess.run(backend.plain(["env"]), capture_output=True, text=True, check=True).stdout
    assert "SLURM_CONF_SERVER=x" in seen and "LABELIO" not in seen and "SCANCEL_STATE" not in seen
    # sudo -i leaves its shell every $.
    assert all("$" not in word for word in backend.plain(["env"]))


def test_a_drill_downs_command_is_bounded_here_too():
    assert backend.bounded(["sleep", "60"], 0.2) == (124, b"", b"no answer within 0.2 s")
    assert backend.bounded(["/no/such"], 0.2)[0] == 127


# What Slurm says


def test_nodes_that_slurm_does_not_name_in_time_are_not_unknown_to_it(monkeypatch):
    late = {"code": None, "stdout": "", "stderr": ""}
    monkeypatch.setattr(suite, "ask", lambda _host: {"ping": PING, "nodes": late})
    here = session.Submit("login1")
    with pytest.raises(CannotStart, match=r"login1 was not told Slurm's nodes: no answer in time(.|\n)*show node"):
        suite.prepare(suite.Target((here,), ("n1",), here), CHOSEN)


@pytest.mark.parametrize("failing", ["own", "nodes", "connection"])
def test_what_was_not_looked_at_afterwards_is_not_passed(monkeypatch, document, verdict, failing):
    def converse(_host: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
        if failing == "connection":
            raise CannotStart("reset")
        answers = {
            name: {"code": int(name == failing), "stdout": "", "stderr": "Timed out"} for name in asked["commands"]
        }
        return [{"event": "answer", "name": name, **answer} for name, answer in answers.items()]

    clock = iter(range(0, 1000, 15))
    monkeypatch.setattr(suite.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(suite.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(session, "converse", converse)
    lost, unknown = suite.afterwards(prepared(session.Submit("here"), "n1"), "abcd")
    assert lost == {} and unknown in ("Timed out", "reset")
    document["cluster"].update(afterwards=lost, afterwards_unknown=unknown)
    cell = verdict(document, "gpu001", "L-04")
    assert cell.status == NO_RESULT and unknown in cell.observed


def test_a_failing_scancel_is_said(slurm: Path):  # noqa: F811
    (slurm.parent / "bin/scancel").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    events = carry_out(order(["gpu001"], launch=30, seconds=30))[0]
    ear = listener.Listener(1, ["host"], lambda _text: None)
    assert ear.left("abcd") == "every job of the run was cancelled"
    for event in events:
        ear.take(event)
    assert ear.left("abcd").startswith("scancel failed (Unable to contact slurm controller): squeue --name=")


def test_one_node_that_is_refused_costs_no_other_its_turn(slurm: Path):  # noqa: F811
    names = [f"gpu{number:03}" for number in range(8)]
    programs = slurm.parent / "bin"
    (programs / "sinfo").write_text("#!/bin/sh\n" + "".join(f"echo {name} idle\n" for name in names))
    salloc = (programs / "salloc").read_text()
    refused = (
        'case "$*" in *gpu005*) echo "salloc: error: Requested node configuration is not available" >&2; exit 1;; esac'
    )
    (programs / "salloc").write_text(salloc.replace('echo "salloc: Granted', f'{refused}\necho "salloc: Granted'))
    events, hosts = carry_out(order(names, launch=30, seconds=30))
    assert [name for name in names if "P-01" in hosts[name]["checks"]] == [n for n in names if n != "gpu005"]
    assert [event["node"] for event in events if event["event"] == "refused"] == ["gpu005"]
    assert [len(event["nodes"]) for event in events if event["event"] == "apart"] == [8, 4, 2]
    assert set(hosts) == set(names)
    parts = [event["nodes"] for event in events if event["event"] == "allocated"]
    assert sorted(map(len, parts)) == [1, 2, 4] and slurm.read_text().count("salloc ") == 7


def test_a_launcher_whose_parts_are_refused_one_after_the_other_is_not_silent(slurm: Path):  # noqa: F811
    """Five refusals of a second each, the last ones of single nodes; none is waited for that long by itself."""
    names = [f"gpu{number:03}" for number in range(16)]
    programs = slurm.parent / "bin"
    (programs / "sinfo").write_text("#!/bin/sh\n" + "".join(f"echo {name} idle\n" for name in names))
    (programs / "salloc").write_text("#!/bin/sh\nsleep 1; echo 'salloc: error: Requested node' >&2; exit 1\n")
    conversation = session.Conversation(session.Submit("here"), session.program(), order(names), quiet=4)
    hosts: dict[str, Any] = {}
    session.listen(conversation, lambda event: collect.take(hosts, event))
    assert all(hosts[name]["refused"]["said"] == "salloc: error: Requested node" for name in names)


def test_what_a_sites_own_programs_print_besides_is_no_job_and_floods_no_report(slurm: Path):  # noqa: F811
    programs = slurm.parent / "bin"
    (programs / "salloc").write_text("#!/bin/sh\nyes banner | head -n 100000; echo 'salloc: error: no' >&2; exit 1\n")
    (programs / "squeue").write_text("#!/bin/sh\necho 'CLUSTER: lab'; echo; echo '99 eve RUNNING'\n")
    refused = carry_out(order(["gpu001"]))[1]["gpu001"]["refused"]
    assert refused["jobs"] == [["99", "eve", "RUNNING"]]
    assert refused["said"].endswith("\nsalloc: error: no") and len(refused["said"]) == launcher.SAID


def test_a_salloc_that_does_not_answer_is_said_to_be_silent(monkeypatch):
    found = launcher.Launcher({"immediate": 10, "job": "validate-abcd"})
    monkeypatch.setattr(found.processes, "ask", lambda _words, _seconds: (None, "", ""))
    assert found._allocate(["gpu001"], []) == (0, "salloc: no answer within 70 s", 0.0)


def test_an_allocation_does_not_wait_for_anothers_sample_before_its_own_group(slurm: Path):  # noqa: F811
    """Both are of one kind; the second one has its group while the first one samples, and then nothing to sample."""
    wanted = order(["gpu001", "gpu002"], ["gpu003", "gpu004"], launch=30, seconds=30)
    (step,) = wanted["steps"]
    slow = order(takes=4, launch=30, seconds=30)
    steps = [
        step,
        {**slow["steps"][0], "step": "sample"},
        {**step, "step": "group", "checks": []},
        {**step, "step": "after"},
    ]
    events = carry_out({**wanted, "program": slow["program"], "steps": [{**one, "seconds": 20} for one in steps]})[0]
    ended = [(event["step"], len(event["nodes"])) for event in events if event["event"] == "step"]
    assert ended.index(("group", 2)) < ended.index(("sample", 1)) and ended.count(("sample", 1)) == 1


# Size


def test_the_progress_of_a_thousand_nodes_costs_no_more_for_each_than_that_of_one(monkeypatch):
    class Hosts(dict[str, Any]):
        def values(self) -> Any:
            raise AssertionError("all hosts are looked at for one event")

    shown: list[str] = []
    ear = listener.Listener(1000, ["host", "after"], shown.append)
    ear.hosts = Hosts()
    clock = iter(number / 10_000 for number in range(10**6))
    monkeypatch.setattr(listener.time, "monotonic", lambda: next(clock))
    for step in ("host", "after"):
        for number in range(1000):
            for content in ({"hello": 1, "step": step}, {"bye": 1, "step": step}):
                ear.take({"event": "record", "node": f"n{number}", "at": NOW, "content": content})
    assert len(shown) < 5
    ear.show()
    assert shown[-1] == "1000 nodes: host 1000, after 1000"


def test_an_order_with_very_many_names_reaches_the_probe():
    what = order()
    names = [f"a-long-name-of-a-node-in-some-cloud-{number:05}" for number in range(5000)]
    (step,) = what.pop("steps")
    asked = {
        **what,
        "action": "probe",
        "name": "login1",
        "jobs": False,
        "step": {**step, "step": "submit", "nodes": names},
    }
    hosts = carry_out(asked)[1]
    assert hosts["login1"]["checks"]["P-01"]["observed"] == 1


def test_endless_output_is_forgotten_beyond_the_limit():
    tracemalloc.start()
    output = Node().run(["yes"], 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert output.code is None and len(output.stdout) == OUTPUT_LIMIT and peak < 2_000_000
    ended = Node().run(["sh", "-c", "head -c 1000000 /dev/zero; exit 3"], 5)
    assert (ended.code, len(ended.stdout)) == (3, OUTPUT_LIMIT)


def test_a_program_that_no_signal_ends_is_left_behind(monkeypatch):
    monkeypatch.setattr(outputs, "LAST", 0.1)
    process = subprocess.Popen(
        ["sh", "-c", "echo begun; exec sleep 60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    began = time.monotonic()
    assert outputs.read(process, 0.3, 100, lambda _process: None) == (None, b"begun\n", b"")
    assert time.monotonic() - began < 5
    process.kill()
    process.wait()


# The scratch directory


def test_a_scratch_directory_of_somebody_else_ends_the_probe(tmp_path):
    probe.own(tmp_path / "mine")
    probe.own(tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_mode & 0o7777 == 0o700
    probe.own(tmp_path / "no" / "such")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("open", "link"):
        with pytest.raises(SystemExit, match="was there before"):
            probe.own(tmp_path / name)


def test_signals_while_it_waits_for_a_hung_host_come_through(monkeypatch):
    """The lock of a queue does not keep an interrupt back."""
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    hung = session.Submit("login1", ("sh", "-c", "exec sleep 600 #"))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.listen(session.launched(hung, {"action": "ask", "commands": {}}), print)
    assert time.monotonic() - began < 10
