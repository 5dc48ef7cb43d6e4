"""What is drained and resumed: only on request, few, with an own reason, and never over anybody else's."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from validate import bundle, drain, launcher, results, session, suite, tending
from validate.errors import CannotStart
from validate.settings import Settings

OWN = "slipway-validate:N-12 50-slurm-pmi.sh: not executable"


def fail(document: dict[str, Any], node: str) -> None:
    document["hosts"][node]["checks"]["N-12"]["observed"] = {"50-slurm-pmi.sh": "not executable"}


def decide(document: dict[str, Any], draining: bool = True, percent: int = 50, **holding: str) -> drain.Decision:
    return drain.decide(results.judged(document), holding, draining, percent)


def test_a_good_cluster_has_nothing_to_drain(document):
    assert decide(document) == drain.Decision()


def test_a_node_that_fails_is_drained_with_our_prefix_and_its_check(document):
    fail(document, "gpu003")
    reason = decide(document).drain["gpu003"]
    assert reason.startswith("slipway-validate:N-12 ") and drain.check_of(reason) == "N-12"
    assert decide(document, draining=False).drain == {}


def test_silence_drains_nobody(document):
    document["hosts"]["gpu003"].update(steps={}, checks={}, said={"host": "Communication connection failure"})
    document["hosts"]["gpu004"]["checks"]["N-11"] = {"check": "N-11", "step": "host", "error": "hung", "timeout": True}
    assert decide(document).drain == {}


def test_an_interrupted_run_drains_nobody(document):
    fail(document, "gpu003")
    document["cluster"]["interrupted"] = True
    assert decide(document).drain == {}


def test_what_the_fleet_has_in_common_drains_nobody(document):
    for number in range(1, 5):
        fail(document, f"gpu{number:03}")
    found = decide(document)
    assert found.drain == {} and "gpu001 not drained: what it fails is a problem of the fleet" in found.notes


@pytest.mark.parametrize(("percent", "most"), [(5, 1), (20, 2), (100, 3)])
def test_a_run_has_a_ceiling_of_at_least_one(document, percent, most):
    for number in (1, 2, 3):
        fail(document, f"gpu{number:03}")
    found = decide(document, percent=percent)
    assert len(found.drain) == most and len(found.notes) == 3 - most
    assert all("at most" in note for note in found.notes)


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("IDLE", "disk swap", "has a reason already: disk swap"),
        ("IDLE+DRAIN", "", "IDLE+DRAIN"),
        ("DOWN*", "", "DOWN"),
        ("IDLE", "", ""),
        ("MIXED", "none", ""),
        ("IDLE+RESERVED", "", ""),
        ("", "", "did not say"),
    ],
)
def test_nobodys_reason_or_state_is_written_over(state, reason, words):
    found = drain.may(state, reason)
    assert words in found and bool(found) == bool(words)


def test_only_own_drains_are_held():
    common = {"role": "compute", "unusable": "drained"}
    roster = [
        {**common, "name": "own", "reason": OWN},
        {**common, "name": "theirs", "reason": "disk swap"},
        {**common, "name": "likewise", "reason": f"see {OWN}"},
        {**common, "name": "worse", "reason": OWN, "unusable": "down"},
        {**common, "name": "idle", "reason": OWN, "unusable": ""},
    ]
    assert drain.held(roster) == {"own": OWN}


def test_a_node_is_resumed_after_the_same_check_passes(document):
    found = decide(document, gpu003=OWN)
    assert found.release == ("gpu003",) and not found.again and not found.drain


def test_a_node_that_fails_again_stays_drained(document):
    fail(document, "gpu003")
    found = decide(document, gpu003=OWN)
    assert found.release == () and drain.check_of(found.again["gpu003"]) == "N-12" and not found.drain


def test_a_node_that_fails_something_else_stays_drained_for_that(document):
    document["hosts"]["gpu003"]["checks"]["N-08"]["observed"]["code"] = 1
    found = decide(document, gpu003=OWN)
    assert drain.check_of(found.again["gpu003"]) == "N-08" and "N-08 FAIL" in found.notes[0]


@pytest.mark.parametrize("what", ["silent", "not run", "skipped", "interrupted"])
def test_what_was_not_measured_resumes_nobody(document, what):
    if what == "silent":
        document["hosts"].pop("gpu003")
    elif what == "not run":
        document["checks"].remove("N-12")
    elif what == "skipped":
        document["settings"]["runtimes"] = []
    else:
        document["cluster"]["interrupted"] = True
        document["hosts"]["gpu003"].update(steps={}, checks={})
    found = decide(document, gpu003=OWN)
    assert found.release == () and found.again == {"gpu003": OWN} and found.notes


def test_a_reason_is_one_plain_line():
    reason = drain.reason_of("C-01", 'debian 13 on "overlay:/"\n[root@2026] \u2026' + "x" * 300)
    assert len(reason) <= 160 and not set(reason) & set('"[]\n\u2026') and drain.check_of(reason) == "C-01"


@pytest.mark.parametrize(
    ("user", "level", "may"),
    [("root", "", True), ("slurm", "", True), ("ops", "Operator", True), ("ops", "None", False), ("eve", "", False)],
)
def test_who_may_drain(user, level, may):
    found = drain.refusal(user, "slurm", level)
    assert bool(found) != may and (may or (user in found and "validate_operator" in found))


# The steward, against a Slurm that keeps a node in a file: state on its first line, reason on its second.
SCONTROL = r"""#!/bin/bash
echo "$*" >> $CALLS
case "$1 $2" in
"show config") echo "SlurmUser = slurm(64030)";;
"--oneliner show") [ ! -e $NODES/mute ] || exit 1
    { read -r state; read -r reason; } < $NODES/$4
    echo "NodeName=$4 State=$state CPUs=2${reason:+ Reason=$reason [root@2026-11-22T19:15:41]}$(cat $MORE 2>&-)";;
"update nodename="*) node=${2#*=}
    [ "$node $3" != "$REFUSED state=drain" ] || { echo "slurm_update error: Invalid" >&2; exit 1; }
    case "$3" in
    state=resume) printf 'IDLE\n\n' > $NODES/$node;;
    state=drain) printf 'IDLE+DRAIN\n%s\n' "${4#reason=}" > $NODES/$node;;
    esac;;
esac
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two nodes: `own` is drained by us, `idle` is not; returns their directory."""
    programs, nodes = tmp_path / "bin", tmp_path / "nodes"
    programs.mkdir(), nodes.mkdir()
    for name, text in (("scontrol", SCONTROL), ("sacctmgr", "#!/bin/sh\necho Operator\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (nodes / "own").write_text(f"IDLE+DRAIN\n{OWN}\n")
    (nodes / "idle").write_text("IDLE\n\n")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("NODES", str(nodes))
    monkeypatch.setenv("MORE", str(tmp_path / "more"))
    return nodes


ORDER = {"resume": {"own": OWN}, "reservation": "slipway-validate-1", "minutes": 9, "user": "member"}
PROGRAM = bundle.program(bundle.sources(bundle.STEWARD, {}), "validate.steward:main")


@pytest.fixture
def steward(slurm: Path) -> Iterator[subprocess.Popen[str]]:
    """A steward that holds `own`."""
    words = [sys.executable, "-I", "-u", "-c", session.BOOT]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(PROGRAM) + "\n" + json.dumps(ORDER) + "\n")
    process.stdin.flush()
    event = launcher.decode(process.stdout.readline())
    assert event == {"event": "held", "nodes": ["own"]}
    assert (slurm / "own").read_text() == "IDLE\n\n"
    yield process
    process.kill()


def settle(process: subprocess.Popen[str], decision: drain.Decision) -> str:
    out, _err = process.communicate(json.dumps(dataclasses.asdict(decision)) + "\n", timeout=30)
    return out


def calls(slurm: Path) -> str:
    return (slurm.parent / "calls").read_text()


def test_a_held_node_is_reserved_before_it_is_resumed(steward, slurm):
    settle(steward, drain.Decision(release=("own",)))
    said = calls(slurm)
    assert said.index("create reservation") < said.index("nodename=own state=resume") < said.index("delete")
    assert "users=member" in said and "nodes=own" in said
    assert (slurm / "own").read_text() == "IDLE\n\n"


@pytest.mark.parametrize("how", ["stdin", "SIGINT", "SIGTERM", "SIGHUP"])
def test_whatever_ends_the_run_a_held_node_is_drained_as_before(steward, slurm, how):
    if how != "stdin":
        steward.send_signal(getattr(signal, how))
    steward.communicate(timeout=30)
    assert (slurm / "own").read_text() == f"IDLE+DRAIN\n{OWN}\n"
    assert "delete reservationname=slipway-validate-1" in calls(slurm)


MORE = " Comment=rack 7 Extra=a=b InstanceId=i-0c1 InstanceType=p5.48xlarge ReservationName=slipway-validate-1"


def test_a_held_node_that_ran_no_job_is_drained_again_whatever_else_slurm_says_of_it(slurm):
    (slurm.parent / "more").write_text(MORE)
    # Slurm keeps the reason until a job has run there.
    keeping = SCONTROL.replace("printf 'IDLE\\n\\n'", f"printf 'IDLE\\n{OWN}\\n'")
    assert keeping != SCONTROL
    (slurm.parent / "bin/scontrol").write_text(keeping)
    conversation = session.Conversation(session.Submit("here"), PROGRAM, ORDER)
    events = conversation.events()
    assert next(events) == {"event": "held", "nodes": ["own"]}
    assert (slurm / "own").read_text() == f"IDLE\n{OWN}\n"
    conversation.close()
    assert (slurm / "own").read_text() == f"IDLE+DRAIN\n{OWN}\n"
    assert "delete reservationname=slipway-validate-1" in calls(slurm)


def test_where_slurm_says_nothing_of_a_node_it_is_neither_held_nor_drained(slurm):
    (slurm / "mute").touch()
    conversation = session.Conversation(session.Submit("here"), PROGRAM, ORDER)
    conversation.tell(dataclasses.asdict(drain.Decision(drain={"idle": OWN})))
    said = [event.get("text", event.get("nodes")) for event in conversation.events()]
    assert said[:3] == [
        "own stays drained: Slurm did not say its state",
        [],
        "idle not drained: Slurm did not say its state",
    ]
    assert "update" not in calls(slurm)


def test_a_lost_connection_and_a_refusal_end_nothing_early(slurm, monkeypatch):
    """Nobody reads what the steward says, and Slurm refuses the first node."""
    (slurm / "other").write_text(f"IDLE+DRAIN\n{OWN}\n")
    monkeypatch.setenv("REFUSED", "own")
    words = [sys.executable, "-I", "-u", "-c", session.BOOT]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        order = {**ORDER, "resume": {"own": OWN, "other": OWN}}
        process.stdin.write(json.dumps(PROGRAM) + "\n" + json.dumps(order) + "\n")
        process.stdin.flush()
        assert launcher.decode(process.stdout.readline()) == {"event": "held", "nodes": ["other", "own"]}
        process.stdout.close()
    assert (slurm / "other").read_text() == f"IDLE+DRAIN\n{OWN}\n"
    assert "delete reservationname=slipway-validate-1" in calls(slurm)


def test_what_somebody_else_drained_meanwhile_keeps_their_reason(steward, slurm):
    (slurm / "own").write_text("IDLE+DRAIN\ndisk swap\n")
    (slurm / "idle").write_text("IDLE+DRAIN\ncables\n")
    said = settle(steward, drain.Decision(drain={"idle": OWN}, again={"own": OWN}))
    assert (slurm / "own").read_text() == "IDLE+DRAIN\ndisk swap\n"
    assert (slurm / "idle").read_text() == "IDLE+DRAIN\ncables\n" and "reason already: cables" in said


def test_a_node_is_drained_and_another_drained_again(steward, slurm):
    settle(steward, drain.Decision(drain={"idle": OWN}, again={"own": "slipway-validate:N-08 no"}))
    assert (slurm / "idle").read_text() == f"IDLE+DRAIN\n{OWN}\n"
    assert (slurm / "own").read_text() == "IDLE+DRAIN\nslipway-validate:N-08 no\n"


def test_a_node_whose_reason_changed_is_not_held(slurm):
    (slurm / "own").write_text("IDLE+DRAIN\ndisk swap\n")
    events = []
    conversation = session.Conversation(session.Submit("here"), PROGRAM, ORDER)
    conversation.told()
    events = list(conversation.events())
    assert events[1] == {"event": "held", "nodes": []} and "create" not in calls(slurm)
    assert (slurm / "own").read_text() == "IDLE+DRAIN\ndisk swap\n"


def test_a_reservation_that_slurm_made_and_did_not_confirm_does_not_stay(slurm):
    program = slurm.parent / "bin/scontrol"
    said = 'case "$1" in create) echo "Timed out" >&2; exit 1;; esac\n'
    program.write_text(SCONTROL.replace('case "$1', said + 'case "$1', 1))
    conversation = session.Conversation(session.Submit("here"), PROGRAM, ORDER)
    conversation.told()
    events = list(conversation.events())
    assert "own: stays drained: no reservation: Timed out" in events[0]["text"]
    assert events[1:] == [{"event": "held", "nodes": []}, {"event": "done"}]
    assert "delete reservationname=slipway-validate-1" in calls(slurm) and "update" not in calls(slurm)


def test_an_account_without_the_right_is_told_so_and_changes_nothing(slurm, document):
    (slurm.parent / "bin/id").write_text("#!/bin/sh\necho eve\n")
    (slurm.parent / "bin/id").chmod(0o755)
    (slurm.parent / "bin/sacctmgr").write_text("#!/bin/sh\necho None\n")
    here = session.Submit("here")
    prepared = suite.Prepared(Settings(image="x"), suite.Target((here,), None, here), {}, [], {}, plan_of())
    with pytest.raises(CannotStart, match="eve is none"):
        tending.run(prepared, True, True, print)
    assert "update" not in calls(slurm)


@pytest.mark.parametrize("how", ["connection", "interrupt", "not at all"])
def test_what_was_measured_outlives_what_ends_the_tending(slurm, document, monkeypatch, how):
    """And the held node is reserved for the account that submits, which need not be the operator."""
    (slurm.parent / "bin/id").write_text("#!/bin/sh\necho root\n")
    (slurm.parent / "bin/id").chmod(0o755)
    own = {"name": "own", "role": "compute", "unusable": "drained", "reason": OWN, "gpus": 0, "state": "idle"}
    monkeypatch.setattr(suite, "run", lambda *_unused: {**document, "roster": [own], "hosts": {}})
    monkeypatch.setattr(tending, "account", lambda host: f"account-of-{host.name}")

    told = session.Conversation.tell

    def tell(steward: session.Conversation, content: Any) -> None:
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "connection":
            steward.process.kill()
        told(steward, content)

    monkeypatch.setattr(session.Conversation, "tell", tell)
    where = suite.Target((session.Submit("login1"),), None, session.Submit("here"))
    prepared = suite.Prepared(Settings(image="x"), where, {}, [own], {}, plan_of())
    found = tending.run(prepared, True, True, print)
    assert any(note.startswith(tending.LOST) for note in found["notes"]) == (how != "not at all")
    assert "users=account-of-login1" in calls(slurm)
    if how != "connection":
        assert (slurm / "own").read_text() == f"IDLE+DRAIN\n{OWN}\n"


def test_the_account_that_submits_is_asked_for(slurm):
    (slurm.parent / "bin/id").write_text("#!/bin/sh\necho ada\n")
    (slurm.parent / "bin/id").chmod(0o755)
    assert tending.account(session.Submit("here")) == "ada"
    (slurm.parent / "bin/id").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(CannotStart, match="validate_user"):
        tending.account(session.Submit("here"))


def plan_of() -> Any:
    from validate import plan

    return plan.make([], {}, Settings(image="x"))
