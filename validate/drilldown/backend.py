"""Testinfra's commands on a node of the cluster: as steps of a job, so that they see what a job sees, or over ssh."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

from validate import launcher, session
from validate.errors import CannotStart
from validate.settings import Settings

# Seconds after which a command is ended: testinfra itself has no bound.
BOUND = 30


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
        return self.run_local(shlex.join(words))


def over_ssh(host: session.Submit) -> CommandBackend:
    """Return the backend of a host that runs no jobs."""
    return CommandBackend(host.name, host.command)


@contextmanager
def over_slurm(submit: session.Submit, node: str, settings: Settings) -> Iterator[CommandBackend]:
    """Yield the backend of a node, in a job that lasts as long; CannotStart where the node is not to be had."""
    words = ["salloc", "--no-shell", "--job-name=validate-drill", f"--immediate={settings.immediate}", "--nodes=1"]
    words += [f"--nodelist={node}", "--time=30"]
    for name in ("partition", "account", "reservation"):
        if getattr(settings, name):
            words.append(f"--{name}={getattr(settings, name)}")
    done = subprocess.run(submit.command(words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(r"Granted job allocation (\d+)", done.stdout + done.stderr)
    if done.returncode != 0 or not found:
        raise CannotStart(
            f"{node} is not to be had: {(done.stderr or done.stdout).strip()[-500:]}\n"
            f"where it is down or busy, look over ssh: --drill-over ssh"
        )
    job = found.group(1)
    try:
        yield CommandBackend(node, lambda words: submit.command([*launcher.srun_words(job, [node], []), *words]))
    finally:
        subprocess.run(submit.command(["scancel", "--quiet", job]), check=False, stdin=subprocess.DEVNULL)
