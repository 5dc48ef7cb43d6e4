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


class Conversation:
    """A program on a submit host, to which orders are told and which answers in events.

    ``close`` ends its stdin: it takes back what it must, and ends. So does our own end, whatever brings that.
    """

    def __init__(self, host: Submit, program: str, order: Mapping[str, Any]) -> None:
        """Start it with its order."""
        python = "python3" if host.words else sys.executable
        self.host = host
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in the end, as what writes to it
        self.process = subprocess.Popen(
            host.command([python, "-I", "-u", "-c", BOOT]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A file and not a pipe: nobody reads it before the end.
            stderr=self.errors,
            text=True,
            # Ctrl-C reaches us alone; the program hears of it by its stdin.
            start_new_session=True,
        )
        self._say(program)
        self._say(order)

    def _say(self, content: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(content) + "\n")
            self.process.stdin.flush()

    def tell(self, content: Mapping[str, Any]) -> None:
        """Send one more line."""
        self._say(content)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what it says to its end; CannotStart where it ends before it is done."""
        assert self.process.stdout is not None
        done = False
        for line in self.process.stdout:
            event = launcher.decode(line)
            if event is None:
                continue
            done = done or event["event"] == "done"
            yield event
        if not done:
            self.errors.seek(0)
            said = self.errors.read().decode("utf-8", "replace").strip()[-2000:]
            raise CannotStart(
                f"the launcher on {self.host.name} did not end well: {said or 'it said nothing'}\n"
                f"try: {shlex.join(self.host.command(['python3', '--version']))}"
            )

    def close(self) -> None:
        """Have it end, and wait for that."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(45)
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        self.errors.close()


def converse(host: Submit, order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a launcher's events as they come; leaving the loop, by an interrupt too, has it cancel its jobs.

    Raises CannotStart where the host cannot be reached or has no usable Python.
    """
    program = bundle.program(bundle.sources(bundle.LAUNCHER, {}), "validate.launcher:main")
    with contextlib.closing(Conversation(host, program, order)) as conversation:
        yield from conversation.events()
