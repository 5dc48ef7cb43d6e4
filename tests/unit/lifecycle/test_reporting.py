"""Cases X: what a hook says, and what it never says."""

from __future__ import annotations

import io
import json
import re

import pytest

from lifecycle import redact
from lifecycle.log import LARGEST, Log
from lifecycle.outcome import ExitCode, one_line
from lifecycle.playbook import Result
from lifecycle.report import Report, Step
from tests.unit.lifecycle.conftest import FakeClock

case = pytest.mark.case
SECRETS = [
    "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=x&X-Amz-Signature=%s&X-Amz-Credential=%s/us",
    "https://user:%s@mirror.example/x",
    "Authorization: Bearer %s",
    'authorization = "Basic %s"',
    "registry_password: %s",
    "NGC_API_KEY=%s",
    '{"token": "%s"}',
    "--secret=%s",
]


@case("X1")
@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_hidden(text):
    secret = "hunter2-AbCdEf0123456789"
    shown = redact.redact(text.replace("%s", secret))
    assert secret not in shown and redact.HIDDEN in shown


@case("X1")
def test_what_is_no_secret_stays():
    for text in ("token bucket", "secrets are kept in a file", "password policy", "https://host/path?version=1"):
        assert redact.redact(text) == text
    assert redact.redact("AKIAABCDEFGHIJKLMNOP nvapi-0123456789abcdefgh") == "*** ***"
    assert "MIIE" not in redact.redact("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----")


@case("X1")
def test_the_sites_secrets_stand_neither_in_the_log_nor_in_the_report(hook):
    (hook.site / "group_vars/all/artifacts.yml").write_text("registry_token: opensesame123\nplain: visible\n")
    hook.results = [Result("failed", task="pull opensesame123", role="enroot", message="refused opensesame123 visible")]
    outcome = hook("user-data")
    everything = outcome.text + json.dumps(outcome.report) + hook.node.text("/var/log/slipway/user-data.log")
    assert outcome.code == 1 and "opensesame123" not in everything and "visible" in everything
    assert redact.secrets_of({"a": [{"api_key": "abcd"}, {"passwords": ["efgh", 3]}], "key": "x"}) == {"abcd", "efgh"}


@case("X2")
def test_the_environment_is_never_printed(hook):
    hook.on_run = lambda run: (_ for _ in ()).throw(RuntimeError("boom"))
    outcome = hook("user-data", environment={"AWS_SECRET_ACCESS_KEY": "xyzzy-xyzzy", "OTHER": "plugh-plugh"})
    assert outcome.code == 1 and "a defect of Slipway: RuntimeError: boom" in outcome.last
    assert "xyzzy" not in outcome.text and "plugh" not in outcome.text and "Traceback" not in outcome.text


@case("X3")
def test_a_failed_hyperpod_node_says_the_cause_last_and_waits_for_its_agent(hyperpod):
    hyperpod.results = [Result("failed", role="slipway.containers.enroot", task="install", message="no\n  space\tleft")]
    outcome = hyperpod("on-create")
    assert outcome.code == 1
    assert outcome.last.endswith("slipway on-create: failed (exit 1): enroot: install: no space left")
    shipped = hyperpod.node.text("/var/log/provision/provisioning.log").splitlines()
    assert shipped[-1] == outcome.last and outcome.clock.naps[-1] == 60.0
    assert hyperpod("on-create").clock.naps[-1] != 60.0, "a run that succeeds waits for nobody"
    (hyperpod.site / "lifecycle.yml").write_text("flush_seconds: 7\n")
    hyperpod.results = [Result("failed", message="x")]
    assert hyperpod("on-create").clock.naps[-1] == 7.0


@case("X3")
@pytest.mark.parametrize("fault", ["argument", "setting", "file"])
def test_a_hyperpod_node_that_fails_at_once_says_so_too(hook, fault):
    hook.node.path("/opt/ml/config").mkdir(parents=True)
    if fault == "setting":
        (hook.site / "lifecycle.yml").write_text("role: king\n")
    outcome = hook("on-create", *(["--bogus"] if fault == "argument" else []))
    shipped = hook.node.text("/var/log/provision/provisioning.log").splitlines()
    assert outcome.code == 2 and shipped[-1] == outcome.last and outcome.clock.naps[-1] == 60.0


@case("X4")
def test_everything_is_said_on_standard_output(hook, capsys):
    outcome = hook("user-data")
    assert outcome.code == 0 and "playbook site" in outcome.text
    assert capsys.readouterr().err == ""


@case("X5")
def test_a_log_that_cannot_be_written_stops_nothing(hook):
    hook.node.write("/var/log/slipway", "a file where the directory should be")
    outcome = hook("user-data")
    assert outcome.code == 0 and "only standard output has it" in outcome.text
    assert "the report" in outcome.text and "cannot be written" in outcome.text


@case("X5")
def test_a_log_that_becomes_full_is_left(tmp_path):
    stream = io.StringIO()
    log = Log(["/dev/full"], FakeClock(), stream)
    log.line("one")
    log.line("two")
    assert "cannot be written any more: No space left on device" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("two")


@case("X6")
def test_a_used_up_budget_stops_between_steps_with_a_partial_report(hyperpod):
    hyperpod.on_run = lambda run: hyperpod.clock.sleep(1000)
    outcome = hyperpod("on-create")
    assert outcome.code == 3 and [run["playbook"] for run in outcome.runs] == ["site"]
    assert "the budget of 900 s was used up before: playbook register_first" in outcome.last
    assert outcome.report["exit_code"] == 3 and "playbook site" in [step["name"] for step in outcome.report["steps"]]


@case("X6")
def test_a_playbook_is_bounded_by_what_is_left(hyperpod):
    outcome = hyperpod("on-create", "--budget-seconds", "300")
    assert all(run["seconds"] <= 280 for run in outcome.runs)
    hyperpod.results = [Result("timeout", tasks=[Step("Compile", "")])]
    outcome = hyperpod("on-create", "--budget-seconds", "300")
    assert outcome.code == 3 and "used up in the task 'Compile'" in outcome.last


@case("X7")
def test_a_required_component_fails_the_node_and_an_optional_one_does_not(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    failure = Result("failed", role="slipway.containers.pyxis", task="build", message="no headers")
    hook.results = [failure]
    outcome = hook("user-data")
    assert outcome.code == 1 and outcome.last.endswith("pyxis: build: no headers")
    hook.results = [failure]
    outcome = hook("user-data", "--required", "enroot")
    assert outcome.code == 0 and outcome.report["degraded"] == ["pyxis"]
    assert outcome.last.endswith("slipway user-data: degraded (exit 0): degraded: without pyxis")
    hook.results = [failure]
    assert hook("user-data", "--required", "enroot,pyxis").code == 1


@case("X7")
def test_a_registration_that_fails_is_the_failure_of_pyxis(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    hook.results = [Result("successful"), Result("failed", task="Write the line", message="read-only")]
    outcome = hook("user-data", "--required", "enroot")
    assert outcome.code == 0 and outcome.report["degraded"] == ["pyxis"]


@case("X7")
def test_a_component_that_fails_although_it_is_left_alone_ends_the_hook(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    hook.results = [Result("failed", role="slipway.containers.pyxis", task="x", message="y")] * 2
    outcome = hook("user-data", "--required", "enroot")
    assert outcome.code == 1 and len(outcome.runs) == 2


@case("X7")
def test_who_logs_in_to_a_degraded_node_is_told_until_it_lacks_nothing(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    (hook.site / "group_vars/all/artifacts.yml").write_text("registry_token: opensesame123\n")
    failure = Result("failed", role="slipway.containers.pyxis", task="build", message="no headers, opensesame123")
    hook.results = [failure]
    notice = hook.node.path("/etc/motd.d/slipway")
    assert hook("user-data", "--required", "enroot").code == 0
    first, cause, more = notice.read_text().splitlines()
    assert first.startswith("This node joined without pyxis (slipway user-data, 2027-")
    assert cause == "  pyxis: build: no headers, *** (not required: the node goes on without it)"
    assert "/var/log/slipway/user-data.log" in more and notice.stat().st_mode & 0o777 == 0o644
    hook.results = [Result("failed", role="slipway.containers.enroot", message="x")]
    assert hook("user-data").code == 1 and notice.exists(), "a run that failed tells nothing new of the others"
    assert hook("user-data", "--check").code == 0 and notice.exists()
    assert hook("user-data").code == 0 and not notice.exists()
    (hook.site / "lifecycle.yml").write_text("login_notice: false\nrequired: [enroot]\n")
    hook.results = [failure]
    assert hook("user-data").report["degraded"] == ["pyxis"] and not notice.exists()


@case("X7")
def test_a_notice_that_cannot_be_written_stops_nothing(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    hook.node.write("/etc/motd.d", "a file where the directory should be")
    hook.results = [Result("failed", role="slipway.containers.pyxis", task="build", message="no headers")]
    outcome = hook("user-data", "--required", "enroot")
    assert outcome.code == 0 and "/etc/motd.d/slipway cannot be written" in outcome.text


@case("X8")
def test_every_step_has_start_duration_attempts_and_bytes(hook):
    hook.on_run = lambda run: hook.clock.sleep(3)
    hook.results = [
        Result("successful", True, tasks=[Step("Slow", "2026-01-01T00:00:00", 2.5), Step("Quick", "", 0.1)])
    ]
    fetched = {"SLIPWAY_FETCHED": json.dumps({"attempts": 2, "bytes": 4711, "seconds": 1.5})}
    outcome = hook("user-data", "--spread-seconds", "0", environment=fetched)
    for step in outcome.report["steps"] + outcome.report["tasks"]:
        assert {"name", "start", "duration", "attempts", "bytes", "status", "changed"} <= set(step)
    steps = {step["name"]: step for step in outcome.report["steps"]}
    assert steps["playbook site"]["duration"] == 3.0 and steps["playbook site"]["changed"] is True
    assert (steps["fetch the bundle"]["attempts"], steps["fetch the bundle"]["bytes"]) == (2, 4711)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", steps["judge the node"]["start"])
    assert "task: Slow" in outcome.text and "task: Quick" not in outcome.text
    assert outcome.last.endswith("done (exit 0): changed")


@case("X9")
def test_check_changes_nothing_and_prints_the_plan(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    before = sorted(hook.node.root.rglob("*"))
    outcome = hook("user-data", "--check")
    assert outcome.code == 0 and [run["check"] for run in outcome.runs] == [True, True]
    assert sorted(hook.node.root.rglob("*")) == before
    assert outcome.last.endswith("done (exit 0): checked only: nothing would change")
    assert outcome.clock.time == 0, "nothing is waited for"


@case("X10")
def test_the_log_is_bounded_and_safe_in_any_encoding():
    raw = io.BytesIO()
    log = Log((), FakeClock(), io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    for number in range(20_000):
        log.line("\x1b[31mline %d of many, with ünï cödé and \x00 control\r\n" % number)
    log.line("the end ✓", important=True)
    text = raw.getvalue().decode("ascii")
    assert len(text) < 1_000_000 and LARGEST < 1_000_000
    assert "\x1b" not in text and "\x00" not in text and "\r" not in text and "\\xfc" in text
    assert text.count("the log is shortened here") == 1
    assert text.splitlines()[-1].endswith("the end \\u2713")


def test_preflight_has_an_exit_code_of_its_own(hook):
    hook.results = [Result("failed", play="Preflight", task="Stop", message="1 problem:\n  enroot_version is 'x'")]
    outcome = hook("user-data")
    assert outcome.code == 4 and outcome.last.endswith("preflight: 1 problem: enroot_version is 'x'")


def test_a_cause_is_one_line_of_bounded_length():
    assert one_line("a\n  b\tc ") == "a b c"
    assert len(one_line("x" * 5000)) == 600


def test_a_report_says_how_it_ended():
    report = Report("x", FakeClock())
    assert report.outcome == "running"
    report.finish(ExitCode.DONE, "fine")
    assert report.outcome == "done" and report.last_line() == "slipway x: done (exit 0): fine"
    report.finish(ExitCode.UNUSABLE, "bad")
    assert report.outcome == "failed"
