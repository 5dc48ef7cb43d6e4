import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from cluster.errors import CommandError, SandboxError, StepError
from cluster.process import Runner
from cluster.steps import Step, Steps


def test_a_failed_command_is_reported_with_code_and_the_end_of_its_output():
    script = "echo out; for i in $(seq 40); do echo line$i >&2; done; exit 7"
    with pytest.raises(CommandError) as error:
        Runner().run(["sh", "-c", script])
    text = str(error.value)
    assert text.startswith("command failed with exit code 7: sh -c ")
    assert text.endswith("    line40")
    assert "line25\n" not in text


def test_a_missing_program_is_named():
    with pytest.raises(CommandError, match="program not found: no-such-program"):
        Runner().run(["no-such-program"])


def test_a_command_that_hangs_is_given_up():
    with pytest.raises(CommandError, match="took longer than 0 s: sleep 60"):
        Runner().run(["sleep", "60"], timeout=0.2)


def test_accepted_exit_codes_are_results():
    assert Runner().run(["sh", "-c", "exit 3"], accept=(0, 3)).code == 3
    assert Runner().run(["sh", "-c", "exit 9"], accept=None).code == 9


def test_a_program_outlives_a_killed_driver(tmp_path):
    """Else podman would die half-way, and leave a network address taken."""
    mark = tmp_path / "mark"
    driver = textwrap.dedent(f"""
        from cluster.process import Runner
        Runner().run(["sh", "-c", "echo begun >{mark}; sleep 0.5; echo x; echo ended >{mark}"])
    """)
    directory = Path(__file__).resolve().parents[3] / "molecule" / "sandbox"
    process = subprocess.Popen([sys.executable, "-c", driver], cwd=directory)
    deadline = time.monotonic() + 10
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while mark.read_text() != "ended\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mark.read_text() == "ended\n"


def test_a_step_is_one_line_with_its_time():
    assert Step("node image", "trixie, cached").line(12.34) == "  12.3s  node image (trixie, cached)"


def test_a_failed_step_ends_with_its_name_message_and_log(tmp_path, capsys):
    steps = Steps(tmp_path)

    def fail():
        with steps.step("node image"):
            steps.runner.run(["true"])
            raise SandboxError("the mirror is down")

    with pytest.raises(StepError) as error:
        fail()
    log = tmp_path / "node-image.log"
    assert str(error.value) == f"failed at: node image\n\nthe mirror is down\n\nlog: {log}"
    assert log.read_text() == "$ true\n[exit 0]\nthe mirror is down\n"
    assert capsys.readouterr().out == ""
