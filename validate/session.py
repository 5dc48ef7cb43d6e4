"""A launcher on a submit host: started, given its order, listened to, and stopped."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validate import bundle, launcher
from validate.errors import CannotStart

BOOT = "import json,sys;exec(json.loads(sys.stdin.readline()))"


@dataclass(frozen=True)
class Submit:
    """A host that submits jobs.

    ``words`` come before a command that is to run there, as one text for a shell; none where it is this very host.
    ``nested`` says that ssh's shell hands the text to a second one.
    """

    name: str
    words: tuple[str, ...] = ()
    nested: bool = False

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the program and arguments that run a command there."""
        if not self.words:
            return list(words)
        text = shlex.join(words)
        return [*self.words, shlex.quote(text) if self.nested else text]


def submit_host(name: str, variables: Mapping[str, Any], user: str) -> Submit:
    """Return how a login host of an inventory is reached, as the ordinary account ``user`` ('' for Ansible's own)."""
    if variables.get("ansible_connection") == "local":
        return Submit(name, ("sudo", "-n", "-u", user, "sh", "-c") if user else ())
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15"]
    if variables.get("ansible_ssh_private_key_file"):
        words += ["-i", str(variables["ansible_ssh_private_key_file"])]
    if variables.get("ansible_port"):
        words += ["-p", str(variables["ansible_port"])]
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words += shlex.split(str(variables.get(key) or ""))
    account = str(variables.get("ansible_user") or "")
    words += [f"{account}@" * bool(account) + str(variables.get("ansible_host") or name), "--"]
    if user and user != account:
        # A login session's own environment, as a user who submits has it.
        words += ["runuser", "-l", user, "-c"] if account == "root" else ["sudo", "-n", "-i", "-u", user, "sh", "-c"]
        return Submit(name, tuple(words), nested=True)
    return Submit(name, tuple(words))


def converse(host: Submit, order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a launcher's events as they come; leaving the loop, by an interrupt too, has it cancel its jobs.

    Raises CannotStart where the host cannot be reached or has no usable Python.
    """
    program = bundle.program(bundle.sources(bundle.LAUNCHER, {}), "validate.launcher:main")
    python = "python3" if host.words else sys.executable
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in the end, as what writes to it
    process = subprocess.Popen(
        host.command([python, "-I", "-u", "-c", BOOT]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A file and not a pipe: nobody reads it before the end.
        stderr=errors,
        text=True,
        # Ctrl-C reaches us alone; the launcher hears of it by its stdin.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    done = False
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(program) + "\n" + json.dumps(order) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            event = launcher.decode(line)
            if event is None:
                continue
            done = done or event["event"] == "done"
            yield event
        if not done:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()[-2000:]
            raise CannotStart(
                f"the launcher on {host.name} did not end well: {said or 'it said nothing'}\n"
                f"try: {shlex.join(host.command(['python3', '--version']))}"
            )
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(45)
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        errors.close()
