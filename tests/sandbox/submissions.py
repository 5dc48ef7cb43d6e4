"""An ordinary account's `srun hostname` once a second: what a change of the nodes costs their users."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cluster.podman import Podman, exec_arguments

SUBMIT = r"""
while [ ! -e "$1" ]; do
  begin=$(date +%s%N)
  said=$(timeout 60 srun --nodes="$2" hostname 2>&1 >/dev/null)
  code=$?
  end=$(date +%s%N)
  printf '%s %s %s %s\n' "$begin" $((end - begin)) $code "$(printf %s "$said" | tr '\n' ' ')"
  left=$((1000000000 - end + begin))
  [ $left -le 0 ] || sleep "0.$(printf %09d $left)"
done
"""


# What timeout(1) returns for a command that it ended.
TIMED_OUT = 124


@dataclass(frozen=True)
class Submission:
    """One `srun hostname`."""

    began: float
    seconds: float
    code: int
    said: str

    @property
    def lost_its_step(self) -> bool:
        """Whether Slurm took the job and never answered for its step.

        Slurm 24.11 does that now and then to a job that starts in the very second of a `scontrol reconfigure`,
        whoever asks for one: slurmctld re-executes itself, and the answer is lost. The job waits until it is cancelled.
        """
        return self.code == TIMED_OUT and "Unable to create step" in self.said


@dataclass
class Submissions:
    """What an ordinary account's `srun hostname`, once a second, met with."""

    found: list[Submission] = field(default_factory=list)

    def wait_for(self, number: int, seconds: float = 90) -> None:
        """Wait until so many more have ended."""
        wanted, deadline = len(self.found) + number, time.monotonic() + seconds
        while len(self.found) < wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(self.found) >= wanted, "no `srun hostname` ended within %d s" % seconds

    def none_failed(self) -> None:
        """No submission failed; one may have lost its step to a reconfigure, which is said as a warning."""
        lost = [item for item in self.found if item.lost_its_step]
        bad = [item for item in self.found if item.code and item not in lost[:1]]
        assert self.found and not bad, f"{len(bad)} of {len(self.found)} `srun hostname` failed: {bad[:5]}"
        for item in lost:
            warnings.warn(f"Slurm lost the step of a job during a reconfigure: {item}", stacklevel=2)


@contextmanager
def submitting(podman: Podman, login: str, nodes: int) -> Iterator[Submissions]:
    """Submit as member from a login node, given by its container's id, once a second, on so many nodes at once.

    One has ended before the body begins, and one begins after it.
    """
    seen = Submissions()
    stop = f"/tmp/stop-{time.monotonic_ns()}"
    script = ["bash", "-c", SUBMIT, "submit", stop, str(nodes)]
    process = subprocess.Popen(
        ["podman", *exec_arguments(login, script, "member")],
        env={**os.environ, **podman.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            began, took, code, *said = line.rstrip("\n").split(" ", 3)
            seen.found.append(Submission(int(began) / 1e9, int(took) / 1e9, int(code), "".join(said)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        seen.wait_for(1)
        yield seen
        seen.wait_for(2)
    finally:
        podman.execute(login, "touch", stop, accept=None)
        process.wait(120)
        reader.join(10)
