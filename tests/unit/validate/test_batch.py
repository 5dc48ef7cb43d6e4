"""C-08 waits for its job: programs that say what Slurm 24.11 says of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from validate.checks import c_08_batch
from validate.probing import Node

# Recorded from scontrol 24.11.5, shortened.
RUNNING = "JobId=5 JobState=RUNNING Reason=None Dependency=(null) ExitCode=0:0 RunTime=00:00:03"
ENDED = "JobId=5 JobState=FAILED Reason=NonZeroExitCode Dependency=(null) ExitCode=42:0 RunTime=00:00:10"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put sbatch, and a scontrol that says the lines of a file one after the other, first on the PATH."""
    said = tmp_path / "said"
    texts = {
        "sbatch": "cat > /dev/null; echo 'of the site: welcome'; echo '5;other'",
        "scontrol": f"head -1 {said}; [ $(wc -l < {said}) = 1 ] || sed -i 1d {said}",
        "scancel": f'echo "$*" >> {tmp_path}/cancelled',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return said


def run(monkeypatch: pytest.MonkeyPatch, seconds: float = 20) -> dict[str, Any]:
    monkeypatch.setattr(c_08_batch, "SECONDS", seconds)
    node = Node({"image": "/i.sqsh", "proven": ["gpu001"], "roots": {"gpu001": "overlay:/"}, "job": "validate-1"})
    return c_08_batch.observe(node)["runs"][0]


def test_the_exit_code_is_that_of_the_job_as_soon_as_it_ended(slurm, tmp_path, monkeypatch):
    slurm.write_text(f"{RUNNING.replace('RUNNING', 'PENDING')}\n{RUNNING}\n{ENDED}\n")
    seen = run(monkeypatch)
    assert (seen["code"], seen["known"]) == (42, True)
    assert seen["stdout"] == "job 5: JobState=FAILED Reason=NonZeroExitCode ExitCode=42:0"
    assert not (tmp_path / "cancelled").exists()


@pytest.mark.parametrize(
    ("state", "given", "code"),
    [("COMPLETING", "42:0", 42), ("FAILED", "0:9", 137), ("COMPLETED", "0:0", 0), ("OUT_OF_MEMORY", "1:0", 1)],
)
def test_a_job_that_ended_otherwise_is_a_failure(slurm, monkeypatch, state: str, given: str, code: int):
    slurm.write_text(f"JobId=5 JobState={state} Reason=None ExitCode={given}\n")
    seen = run(monkeypatch)
    assert seen["code"] == code
    assert (c_08_batch.fault(seen) == "") is (code == 42)


def test_a_job_that_is_begun_anew_is_waited_for(slurm, monkeypatch):
    slurm.write_text(f"JobId=5 JobState=COMPLETING Reason=None ExitCode=0:0\n{RUNNING}\n{ENDED}\n")
    assert run(monkeypatch)["code"] == 42


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED", "CANCELLED"])
def test_a_job_that_others_ended_proves_nothing_of_containers(slurm, monkeypatch, state: str):
    slurm.write_text(f"JobId=5 JobState={state} Reason=None ExitCode=0:0\n")
    seen = run(monkeypatch)
    assert seen["code"] is None and state in c_08_batch.doubt(seen)


@pytest.mark.parametrize("line", [RUNNING, "slurm_load_jobs error: Unable to contact slurm controller", ""])
def test_a_job_that_does_not_end_is_cancelled_and_no_verdict(slurm, tmp_path, monkeypatch, line: str):
    slurm.write_text(f"{line}\n")
    seen = run(monkeypatch, seconds=1)
    assert seen["code"] is None and "not run to its end" in c_08_batch.doubt(seen)
    assert (tmp_path / "cancelled").read_text() == "--quiet --name=validate-1\n"


def test_what_sbatch_refuses_is_said_in_its_words(slurm, tmp_path, monkeypatch):
    (tmp_path / "sbatch").write_text("#!/bin/sh\ncat > /dev/null\necho 'sbatch: error: no' >&2; exit 1\n")
    assert c_08_batch.fault(run(monkeypatch)) == "sbatch: error: no"
