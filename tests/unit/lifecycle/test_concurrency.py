"""Cases I: twice, at once, interrupted, again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lifecycle import lock, playbook
from lifecycle.bootstrap import PARTIAL
from lifecycle.layout import REPOSITORY
from lifecycle.outcome import OutOfBudget
from lifecycle.waits import Clock
from tests.unit.lifecycle.conftest import cfnconfig

case = pytest.mark.case

HOLD = """
import sys, time
from lifecycle import lock
from lifecycle.waits import Clock
with lock.held(sys.argv[1], 5, Clock(), print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""

# A hook in a process of its own whose playbook runs until it is told to stop.
ENDLESS = """
import os, sys, time
from pathlib import Path
from lifecycle import playbook, run
from tests.unit.lifecycle.conftest import FakeNode
def endless(*_arguments, cancelled, **_options):
    print("RUNNING", flush=True)
    for _tenth in range(200):
        if cancelled():
            return playbook.Result("canceled")
        time.sleep(0.1)
    return playbook.Result("successful")
playbook.run = endless
arguments = ["on-node-configured", "--role", "compute", "--spread-seconds", "0"]
sys.exit(run.run(arguments, dict(os.environ), FakeNode(Path(sys.argv[1]))))
"""


def python(text: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    pytest.fail("the process ended without %r" % word)


@case("I3")
def test_the_second_run_waits_for_the_first(tmp_path):
    path = tmp_path / "lock"
    first = python(HOLD, path, 1)
    read_until(first, "held")
    said: list[str] = []
    with lock.held(str(path), 20, Clock(), said.append) as waited:
        assert waited >= 0.5
    assert "another run is in progress (pid %d)" % first.pid in said[0]
    first.wait()


@case("I3")
def test_a_lock_that_is_not_given_up_in_time_is_an_exit_code_of_its_own(hook):
    path = hook.node.path(lock.PATH)
    path.parent.mkdir(parents=True)
    first = python(HOLD, path, 30)
    read_until(first, "held")
    outcome = hook("user-data")
    first.kill()
    first.wait()
    assert outcome.code == 3 and not outcome.runs
    assert "another run is still in progress (pid %d)" % first.pid in outcome.last


@case("I4")
def test_the_lock_of_a_killed_run_is_taken_over(tmp_path):
    path = tmp_path / "lock"
    first = python(HOLD, path, 30)
    read_until(first, "held")
    first.kill()
    first.wait()
    with lock.held(str(path), 0, Clock(), print) as waited:
        assert waited < 1
        with pytest.raises(OutOfBudget, match="pid %d" % os.getpid()), lock.held(str(path), 0, Clock(), print):
            pass


@case("I6")
def test_sigterm_ends_the_hook_in_order(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    process = python(ENDLESS, tmp_path)
    read_until(process, "RUNNING")
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=20)[0]
    assert process.returncode == 3
    last = rest.splitlines()[-1]
    assert last.endswith("slipway on-node-configured: failed (exit 3): stopped by SIGTERM from outside")
    report = json.loads((tmp_path / "var/log/slipway/on-node-configured.json").read_text())
    assert report["exit_code"] == 3 and report["steps"][-1]["status"] == "failed"


@pytest.fixture
def programs(monkeypatch):
    """ansible-playbook of the Python that runs the tests, as the hook's own process arranges it."""
    monkeypatch.setenv("PATH", "%s:%s" % (Path(sys.executable).parent, os.environ["PATH"]))


def write_playbook(directory: Path, *tasks: dict) -> Path:
    path = directory / "play.yml"
    play = {"name": "Try", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}
    path.write_text(yaml.safe_dump([play]))
    return path


def really_run(tmp_path: Path, *tasks: dict, **options) -> tuple[playbook.Result, list[str]]:
    said: list[str] = []
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    inventory = {
        "all": {"hosts": {"me": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
    }
    result = playbook.run(
        write_playbook(tmp_path, *tasks),
        inventory,
        {"given": "from variables", "token": "s3cr3t-value"},
        tmp_path / "group_vars",
        "me",
        work,
        said.append,
        **{"seconds": 60, **options},
    )
    assert list(work.iterdir()) == [], "nothing of the run is left behind"
    return result, said


@pytest.mark.slow
@pytest.mark.usefixtures("programs")
@case("I6")
@pytest.mark.parametrize("how", ["cancelled", "timeout"])
def test_a_playbook_and_its_children_are_stopped(tmp_path, how):
    mark = "3%06d" % (os.getpid() % 1000000)
    sleep = {"name": "Sleep", "ansible.builtin.command": {"argv": ["sleep", mark]}}
    begin = time.monotonic()
    options = {"cancelled": lambda: time.monotonic() > begin + 5} if how == "cancelled" else {"seconds": 5}
    result, _said = really_run(tmp_path, sleep, **options)
    assert result.status == {"cancelled": "canceled", "timeout": "timeout"}[how]
    assert time.monotonic() - begin < 25
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"^sleep %s$" % mark, listing, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.usefixtures("programs")
def test_a_real_playbook_is_timed_and_its_failure_is_told(tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("site: from the site\n")
    result, said = really_run(
        tmp_path,
        {"name": "Change", "ansible.builtin.debug": {"msg": "{{ site }} {{ given }}"}, "changed_when": True},
        {"name": "Fail", "ansible.builtin.fail": {"msg": "the disk is on fire"}},
    )
    assert (result.status, result.changed, result.play, result.task) == ("failed", True, "Try", "Fail")
    assert result.message == "the disk is on fire"
    assert [(task.name, task.status) for task in result.tasks] == [("Change", "ok"), ("Fail", "failed")]
    assert result.tasks[0].start and result.tasks[0].duration >= 0
    assert "from the site from variables" in "\n".join(said)


@pytest.mark.slow
@pytest.mark.usefixtures("programs")
@case("X1")
def test_no_variable_stands_on_a_command_line(tmp_path):
    show = {"name": "Show", "ansible.builtin.shell": "ps -eo args", "register": "listing"}
    result, said = really_run(tmp_path, show, {"name": "Say", "ansible.builtin.debug": {"msg": "{{ listing.stdout }}"}})
    text = "\n".join(said)
    assert result.status == "successful" and "ansible-playbook" in text and "s3cr3t-value" not in text


@case("I8")
@pytest.mark.parametrize("node_type", ["ComputeFleet", "LoginNode"])
def test_no_node_but_the_head_may_write_below_the_shared_directory(parallelcluster, node_type):
    parallelcluster.node.write("/etc/parallelcluster/cfnconfig", cfnconfig(node_type))
    outcome = parallelcluster("on-node-configured")
    controllers = outcome.runs[0]["inventory"]["slurm_cluster"]["children"]["controller"]["hosts"]
    assert list(controllers) == ["ip-10-0-1-5"], "who registers is the head, and it is not part of this run"
    assert outcome.runs[0]["limit"] == "ip-10-1-66-201"
    assert "only the head writes there" in outcome.text


@case("I11")
def test_the_second_head_verifies_and_the_first_writes(hyperpod):
    # The same claim as R22, from the side of the one that must not write: it is not first among the controllers.
    from tests.unit.lifecycle.conftest import RESOURCE_CONFIG, resource_config

    slurm = {"PrimaryControllerIp": "10.1.4.10", "SecondaryControllerIps": ["10.1.66.201"]}
    hyperpod.node.write(RESOURCE_CONFIG, resource_config(SlurmConfig=slurm))
    hyperpod.node.write("/opt/slurm/etc/slurm.conf", "")
    (hyperpod.site / "provisioning_parameters.json").unlink()
    outcome = hyperpod("on-create")
    assert outcome.report["role"] == "controller"
    hosts = list(outcome.runs[0]["inventory"]["slurm_cluster"]["children"]["controller"]["hosts"])
    assert hosts == ["10.1.4.10", "ip-10-1-66-201"]


def test_what_a_killed_bootstrap_left_has_a_name_of_its_own():
    assert PARTIAL.startswith("."), "so that no hook takes it for a bundle"
