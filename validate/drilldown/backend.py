"""Testinfra's commands on a node of the cluster: as steps of a job, so that they see what a job sees, or over ssh."""

from __future__ import annotations

import re
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

from validate import allocation, session, step, survey
from validate.errors import CannotStart
from validate.settings import Settings

# Seconds after which a command is ended: testinfra itself has no bound.
BOUND = 30
# Seconds more for what is around it, each time: srun, and ssh.
MARGIN = 15

# In a login shell of sudo's a $ would be its own.
PLAIN = (
    "import os,sys;"
    f"left={{k:v for k,v in os.environ.items() if k in {sorted(step.KEPT)!r} or not k.startswith({step.OPTIONS!r})}};"
    "os.execvpe(sys.argv[1],sys.argv[1:],left)"
)


class CommandBackend(BaseBackend):  # type: ignore[misc]  # testinfra carries no types
    """Runs every command as ``wrap`` says."""

    NAME = "validate"

    def __init__(self, hostname: str, wrap: Callable[[Sequence[str]], list[str]]) -> None:
        """``wrap`` returns the program and arguments that run a command on the host."""
        super().__init__(hostname=hostname)
        self.wrap = wrap

    def run(self, command: str, *args: str, **_kwargs: Any) -> CommandResult:
        """Run it in a shell there."""
        text = self.get_command(command, *args)
        words = self.wrap(["timeout", "--kill-after=3", str(BOUND), "sh", "-c", text])
        code, out, err = bounded(words, BOUND + 2 * MARGIN)
        return self.result(code, self.encode(shlex.join(words)), out, err)


def bounded(words: Sequence[str], seconds: float) -> tuple[int, bytes, bytes]:
    """Run a program here; 124 where it has not ended in time, as timeout(1) has it, and its own ssh hangs."""
    try:
        done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        return 124, late.stdout or b"", (late.stderr or b"") + f"no answer within {seconds:g} s".encode()
    except OSError as error:
        return 127, b"", f"{words[0]}: {error.strerror}".encode()
    return done.returncode, done.stdout, done.stderr


def over_ssh(host: session.Submit) -> CommandBackend:
    """Return the backend of a host that runs no jobs."""
    return CommandBackend(host.name, host.command)


@contextmanager
def over_slurm(submit: session.Submit, node: str, settings: Settings) -> Iterator[CommandBackend]:
    """Yield the backend of a node, in a job that lasts as long; CannotStart where the node is not to be had."""
    # Of its own, so that it can be cancelled by it where nobody learned its number.
    job_name = f"validate-drill-{secrets.token_hex(4)}"
    wait = settings.immediate + MARGIN
    words = [*ending(wait), "salloc", "--no-shell", f"--job-name={job_name}", f"--immediate={settings.immediate}"]
    words += ["--nodes=1", f"--nodelist={node}", "--time=30"]
    # Not every node is in the default partition.
    chosen = {"partition": settings.partition or partition(submit, node)}
    chosen |= {"account": settings.account, "reservation": settings.reservation}
    words += [f"--{name}={value}" for name, value in chosen.items() if value]
    try:
        code, out, err = bounded(submit.command(plain(words)), wait + MARGIN)
        said = (out + err).decode("utf-8", "replace")
        found = re.search(r"Granted job allocation (\d+)", said)
        if code != 0 or not found:
            raise CannotStart(
                f"{node} is not to be had: {said.strip()[-500:]}\n"
                f"where it is down or busy, look over ssh: --drill-over ssh"
            )
        # A slurmd that hangs makes srun itself hang, around the command's own bound.
        srun = [*ending(BOUND + MARGIN), *allocation.srun_words(found.group(1), [node], [])]
        yield CommandBackend(node, lambda words: submit.command(plain([*srun, *words])))
    finally:
        bounded(submit.command(plain(["scancel", "--quiet", f"--name={job_name}"])), 2 * MARGIN)


def plain(words: Sequence[str]) -> list[str]:
    """Return what runs a program of Slurm's as ``step.environment`` has it."""
    return ["python3", "-I", "-c", PLAIN, *words]


def ending(seconds: float) -> list[str]:
    """Return what ends the command behind it, there where it runs."""
    return ["timeout", "--kill-after=3", f"{seconds:g}"]


def partition(submit: session.Submit, node: str) -> str:
    """Return a partition that the node is in, '' where Slurm names none."""
    words = ["scontrol", "--oneliner", "show", "node", node]
    found = survey.roster(bounded(submit.command(words), 2 * MARGIN)[1].decode("utf-8", "replace"))
    return next((name for entry in found for name in entry["partitions"]), "")
