"""One Slurm step with the probe on some nodes of an allocation, read until nobody can be expected to answer any more.

Measured on Slurm 24.11: with one slurmd dead the others run at once; after ten seconds srun names the dead one, cancels
what still runs ("Job step aborted") and ends. With one slurmd stopped (hung) srun never ends, and a step that does not
overlap it cannot start.
Runs on the submit host: Python 3.9, standard library.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from validate import outputs
from validate.framing import Decoder, Record

# Slurm's programs take such variables for options (srun(1), salloc(1), squeue(1), scancel(1)).
OPTIONS = ("SLURM_", "_SLURM_", "SALLOC_", "SBATCH_", "SRUN_", "SQUEUE_", "SINFO_", "SCANCEL_", "SCONTROL_")
# These say where Slurm is, who asks, and on whose account.
KEPT = {
    "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT", "SLURM_SACK_KEY", "SLURM_SACK_SOCKET",
    # Of no program of Slurm's, but of modules and wrappers around them.
    "SLURM_ROOT", "SLURM_HOME",
    "SALLOC_ACCOUNT", "SALLOC_QOS", "SALLOC_WCKEY", "SBATCH_ACCOUNT", "SBATCH_QOS", "SBATCH_WCKEY",
}  # fmt: skip
STDERR_LIMIT = 40_000
# Bytes of a command's answer: Slurm says about two thousand of each node.
OUTPUT_LIMIT = 64_000_000


@dataclass
class Outcome:
    """How a step ended: exit code (None where it was stopped), what srun and the tasks said, who answered how far."""

    code: int | None = None
    said: str = ""
    noise: str = ""
    greeted: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    seconds: float = 0.0


@dataclass(frozen=True)
class Patience:
    """Seconds: until the first node answers, for the slower ones after the others ended, and in all."""

    launch: float
    grace: float
    total: float


class Processes:
    """All programs that run now, so that one event can end them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def start(self, words: Sequence[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a program in a group of its own; InterruptedError once the run is being stopped."""
        with self._lock:
            if self.stopping.is_set():
                raise InterruptedError
            process = subprocess.Popen(
                list(words),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a program: asked first, then killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                outputs.tell(process, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2)
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End all of them and let no other start."""
        with self._lock:
            self.stopping.set()
            running = list(self._running)
        for process in running:
            outputs.tell(process, signal.SIGTERM)

    def ask(self, words: Sequence[str], seconds: float) -> tuple[int | None, str, str]:
        """Run a program to its end within a bound; returns its code (None for time over) and both outputs."""
        try:
            process = self.start(words)
        except InterruptedError:
            # Being stopped is no answer.
            raise
        except OSError as error:
            return 127, "", f"{words[0]}: {error.strerror}"
        try:
            code, out, err = outputs.read(process, seconds, OUTPUT_LIMIT, self.end)
        finally:
            self.end(process)
        return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def environment() -> dict[str, str]:
    """Return ours without the options in it that a site's profile sets for its users, or a job that we run in.

    They would change what is measured, and what is read of it: SLURM_LABELIO, SLURM_HINT, SLURM_EXPORT_ENV,
    SCANCEL_STATE.
    """
    left = {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(OPTIONS)}
    return {**left, "LC_ALL": "C"}


def run(
    processes: Processes,
    words: Sequence[str],
    nodes: Iterable[str],
    nonce: str,
    patience: Patience,
    receive: Callable[[Record], None],
    stdin: int = subprocess.DEVNULL,
) -> Outcome:
    """Run srun with the probe until all of ``nodes`` ended, or until patience is over."""
    began = time.monotonic()
    outcome, decoder = Outcome(), Decoder(nonce)
    process = processes.start(words, stdin)
    reading = _Reading(process, decoder, outcome, set(nodes), receive)
    try:
        while reading.open() and not processes.stopping.is_set():
            reading.turn(0.2)
            if _hopeless(reading, patience, time.monotonic() - began):
                break
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                outcome.code = process.wait(5)
    finally:
        processes.end(process)
        reading.finish()
        outcome.seconds = round(time.monotonic() - began, 3)
    return outcome


def _hopeless(reading: _Reading, patience: Patience, elapsed: float) -> bool:
    """Return whether nothing can be expected to come any more."""
    outcome, now = reading.outcome, time.monotonic()
    silent = reading.nodes - outcome.greeted
    if elapsed > patience.total:
        return True
    if not reading.nodes - outcome.ended:
        # All is said; srun itself gets a moment for its exit code.
        return now - reading.latest > 5
    if not outcome.greeted:
        return elapsed > patience.launch
    # Some have not even begun, and all that have are through.
    return bool(silent) and outcome.greeted == outcome.ended and now - reading.latest > patience.grace


class _Reading:
    """Both outputs of a running srun."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        decoder: Decoder,
        outcome: Outcome,
        nodes: set[str],
        receive: Callable[[Record], None],
    ) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.decoder, self.outcome = process, decoder, outcome
        self.nodes, self.receive = nodes, receive
        self.latest = time.monotonic()
        self._streams = (process.stdout, process.stderr)
        self._selector = selectors.DefaultSelector()
        self._errors = b""
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)

    def open(self) -> bool:
        """Return whether one of the outputs may still say something."""
        return bool(self._selector.get_map())

    def turn(self, seconds: float) -> None:
        """Read what is there."""
        for key, _events in self._selector.select(seconds):
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._streams[0]:
                self._take(self.decoder.feed(data))
            elif len(self._errors) < STDERR_LIMIT:
                self._errors += data

    def _take(self, records: list[Record]) -> None:
        for record in records:
            if record.node not in self.nodes:
                continue
            self.latest = time.monotonic()
            content: dict[str, Any] = record.content
            if "hello" in content:
                self.outcome.greeted.add(record.node)
            if "bye" in content:
                self.outcome.ended.add(record.node)
            self.receive(record)

    def finish(self) -> None:
        """Take what was left in the pipes."""
        with contextlib.suppress(OSError):
            for _ in range(200):
                if not self.open():
                    break
                before = len(self._selector.get_map())
                self.turn(0.02)
                if len(self._selector.get_map()) == before and not self._selector.select(0):
                    break
        self._take(self.decoder.close())
        self._selector.close()
        for stream in self._streams:
            stream.close()
        self.outcome.said = self._errors[:STDERR_LIMIT].decode("utf-8", "replace")
        self.outcome.noise = self.decoder.noise.decode("utf-8", "replace")
