"""The only place that starts programs."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import CommandError

TAIL_LINES = 15
SHOWN_COMMAND = 300
STOP_SECONDS = 20


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return f"{self.stdout}{self.stderr}"


def shorten(command: Sequence[str]) -> str:
    text = shlex.join(command)
    return text if len(text) <= SHOWN_COMMAND else f"{text[:SHOWN_COMMAND]} …"


def tail(text: str, lines: int = TAIL_LINES) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])


def failure(command: Sequence[str], result: Result) -> str:
    # A program says what went wrong on stderr; its stdout is shown only when that is empty.
    said = result.stderr.strip() or result.stdout.strip() or "(it printed nothing)"
    return f"command failed with exit code {result.code}: {shorten(command)}\n{tail(said)}"


def stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def execute(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> Result:
    """Run a program so that it outlives this one.

    A podman that dies half-way leaves addresses taken that nobody holds. So it has a session of
    its own, and writes to files: a pipe would end it together with its reader.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            list(command),
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout)
        except BaseException:
            stop(child)
            raise
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    return Result(code, *texts)


@dataclass
class Runner:
    """Runs programs, keeping every command and its output in the step's log."""

    log: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 900,
        accept: Iterable[int] | None = (0,),
    ) -> Result:
        """Run to the end. `accept` lists the exit codes that are no error; None accepts any."""
        try:
            result = execute(command, environment or {}, timeout)
        except FileNotFoundError as error:
            raise CommandError(f"program not found: {command[0]}") from error
        except subprocess.TimeoutExpired as error:
            self.write(f"$ {shlex.join(command)}\n[gave up after {timeout:.0f} s]\n")
            raise CommandError(f"command took longer than {timeout:.0f} s: {shorten(command)}") from error
        self.write(f"$ {shlex.join(command)}\n{result.output}[exit {result.code}]\n")
        if accept is not None and result.code not in accept:
            raise CommandError(failure(command, result))
        return result

    def write(self, text: str) -> None:
        if self.log is None:
            return
        with self._lock, self.log.open("a", encoding="utf-8") as stream:
            stream.write(text)
