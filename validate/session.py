"""A launcher on a submit host: started, given its order, listened to, and stopped."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from validate import bundle, launcher, outputs
from validate.errors import CannotStart

EATEN = (
    "what runs at a login here reads the standard input of the program that follows: let it ask only where [ -t 0 ], "
    "grep -nw -e read -e cat /etc/profile.d/* ~/.profile ~/.bash_profile"
)
# The program comes as a text of JSON, the order after it.
BOOT = (
    "import json,sys;line=sys.stdin.readline();"
    f"exec(json.loads(line)) if line.startswith(chr(34)) else sys.exit({EATEN!r})"
)
ENDED = "nothing, not even that it began: what runs at a login there (/etc/profile.d, ~/.profile) may end the shell"
# Said before the program is there: the host is reached, its login works, and it has Python.
BEGUN = "begun"
GREETING = f"print({launcher.PREFIX + json.dumps({'event': BEGUN})!r});"
# Seconds for that, for a launcher that cancels its jobs, and beyond what its own bounds allow.
FIRST = 60
ENDING = 45
MARGIN = 180
# A connection of which nothing comes back is given up after a minute.
ALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4")


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
    # After the site's own, because ssh takes the first word on an option.
    words += ALIVE
    account = str(variables.get("ansible_user") or "")
    words += [f"{account}@" * bool(account) + str(variables.get("ansible_host") or name), "--"]
    if user and user != account:
        # A login session's own environment, as a user who submits has it.
        words += ["runuser", "-l", user, "-c"] if account == "root" else ["sudo", "-n", "-i", "-u", user, "sh", "-c"]
        return Submit(name, tuple(words), nested=True)
    return Submit(name, tuple(words))


class Conversation:
    """A program on a submit host, to which orders are told and which answers in events.

    ``close`` ends its stdin: it takes back what it must, and ends. So does our own end, whatever brings that. Whoever
    waits for it waits for ``FIRST`` seconds until it runs, and then for ``quiet`` from one event to the next.
    """

    def __init__(self, host: Submit, program: str, order: Mapping[str, Any], quiet: float = math.inf) -> None:
        """Start it with its order; CannotStart where this host lacks the program that reaches the other one."""
        words = host.command(["python3" if host.words else sys.executable, "-I", "-u", "-c", GREETING + BOOT])
        self.host, self.quiet = host, quiet
        self.begun = False
        try:
            self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in the end, as what writes to it
        except OSError as error:
            raise CannotStart(f"{host.name} is not reached from here: {error.strerror}") from None
        try:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A file and not a pipe: nobody reads it before the end.
                stderr=self.errors,
                # What a host says at a login may be of any encoding.
                encoding="utf-8",
                errors="replace",
                # Ctrl-C reaches us alone; the program hears of it by its stdin.
                start_new_session=True,
            )
        except OSError as error:
            self.errors.close()
            missing = isinstance(error, (FileNotFoundError, PermissionError))
            raise CannotStart(
                f"{host.name} is not reached from here: {words[0]}: {error.strerror}"
                + "; install it, or set PATH" * missing
            ) from None
        self._moved = time.monotonic()
        self._last = math.inf
        self._closed = False
        # In threads, because a host that hangs takes no order, and one that we do not listen to cannot end its jobs:
        # it stands still in a pipe that is full.
        self._orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()
        for content in (program, order):
            self._orders.put(json.dumps(content) + "\n")

    def _write(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            while (text := self._orders.get()) is not None:
                self.process.stdin.write(text)
                self.process.stdin.flush()
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        # Closed here, because who closes it elsewhere waits for who reads it.
        with contextlib.suppress(OSError), self.process.stdout:
            for line in self.process.stdout:
                event = launcher.decode(line)
                if event is None:
                    continue
                self._moved = time.monotonic()
                if event["event"] == BEGUN:
                    self.begun = True
                else:
                    self._events.put(event)
        self._events.put(None)

    def tell(self, content: Mapping[str, Any]) -> None:
        """Send one more line."""
        self._orders.put(json.dumps(content) + "\n")

    def told(self) -> None:
        """Say that no more orders come."""
        self._orders.put(None)

    def hang_up(self) -> None:
        """Have it end, without waiting for that: ``events`` yields what it still says."""
        self.told()
        self._last = time.monotonic() + (ENDING if self.begun else 0)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what it says to its end; CannotStart where it ends before it is done, or says nothing for too long."""
        done = False
        while (event := self._next()) is not None:
            done = done or event["event"] == "done"
            yield event
        if not done:
            self.errors.seek(0)
            said = self.errors.read().decode("utf-8", "replace").strip()[-2000:]
            said = said or ("it said nothing more" if self.begun else f"it said {ENDED}")
            raise CannotStart(f"the launcher on {self.host.name} did not end well: {said}{self._try}")

    def _next(self) -> dict[str, Any] | None:
        while True:
            bound = self.quiet if self.begun else FIRST
            left = min(self._moved + bound, self._last) - time.monotonic()
            try:
                # In parts, because another thread may hang up.
                return self._events.get(timeout=min(max(left, 0), 0.5))
            except queue.Empty:
                if left > 0:
                    continue
            if self.begun:
                raise CannotStart(f"the launcher on {self.host.name} has said nothing for {bound:.0f} s{self._try}")
            raise CannotStart(
                f"{self.host.name} said nothing within {FIRST} s: its login hangs (an account's home on a file system "
                f"that does not answer, PAM), or the host does{self._try}"
            )

    @property
    def _try(self) -> str:
        return f"\ntry: {shlex.join(self.host.command(['python3', '--version']))}"

    def rest(self) -> Iterator[dict[str, Any]]:
        """Yield what it had said and nobody had taken, once it is closed."""
        with contextlib.suppress(queue.Empty):
            while (event := self._events.get_nowait()) is not None:
                yield event

    def close(self) -> None:
        """Have it end, and wait for that; what it says meanwhile is kept for ``rest``."""
        if self._closed:
            return
        self._closed = True
        self.told()
        reader = self._threads[1]
        try:
            reader.join(0.5)
            # Where it never began, there is nothing to take back.
            if self.begun:
                reader.join(ENDING)
        finally:
            # Asked, and not killed: a launcher on this very host goes on cancelling its jobs.
            for number in (signal.SIGTERM,) if self.begun else (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(1 if reader.is_alive() else 5)
                if self.process.poll() is None:
                    outputs.tell(self.process, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
            for thread in self._threads:
                thread.join(1)
            self.errors.close()


def quiet(order: Mapping[str, Any]) -> float:
    """Return for how many seconds a launcher may say nothing while it carries an order out.

    It speaks after each allocation, also one that is refused, and after each try of a step.
    """
    steps = [*order.get("steps", ()), *([order["step"]] if "step" in order else [])]
    longest = max((step.get("launch", 0) + step["seconds"] for step in steps), default=0.0)
    asked = max((question["seconds"] for question in order.get("commands", {}).values()), default=0.0)
    return float(MARGIN + order.get("immediate", 0) + asked + 2 * longest)


def launched(host: Submit, order: Mapping[str, Any]) -> Conversation:
    """Return a launcher on a host, which carries an order out."""
    return Conversation(host, program(), order, quiet(order))


@cache
def program() -> str:
    """Return the launcher's program, which is the same for every host."""
    return bundle.program(bundle.sources(bundle.LAUNCHER, {}), "validate.launcher:main")


def converse(host: Submit, order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a launcher's events as they come; leaving the loop, by an interrupt too, has it cancel its jobs.

    Raises CannotStart where the host cannot be reached or has no usable Python.
    """
    with contextlib.closing(launched(host, order)) as conversation:
        yield from conversation.events()


def listen(conversation: Conversation, take: Callable[[dict[str, Any]], None]) -> None:
    """Take all that is said; after an interrupt or a lost connection what is still said while it ends, too."""
    with contextlib.closing(conversation):
        try:
            for event in conversation.events():
                take(event)
        except (KeyboardInterrupt, CannotStart):
            conversation.close()
            for event in conversation.rest():
                take(event)
            raise
