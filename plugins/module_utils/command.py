"""Run a program with a bound on its time; the only place of these modules that starts one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_STARTED = 127


@dataclass(frozen=True)
class Output:
    """What a program said; ``code`` is negative for a signal, and None where time ran out."""

    code: int | None
    stdout: str
    stderr: str

    @property
    def timed_out(self) -> bool:
        """Whether it was stopped at its time limit."""
        return self.code is None

    @property
    def succeeded(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.code == 0

    @property
    def signal(self) -> int:
        """The signal that ended the program, 0 for none; a shell's 128+n counts as well."""
        if self.code is None or self.code in range(129):
            return 0
        return -self.code if self.code < 0 else self.code - 128


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which Slurm speaks English and nobody's SLURM_* or PYXIS_* leaks in."""
    return {"PATH": os.environ.get("PATH", SEARCH_PATH), "HOME": "/", "LC_ALL": "C", **(extra or {})}


def run(
    arguments: Sequence[str],
    timeout: float,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    directory: str | None = None,
) -> Output:
    """Run a program and all its children for at most ``timeout`` seconds; never raises for what it does.

    ``user`` is a numeric user and group id to drop to, supplementary groups included.
    """
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment) if environment is not None else plain_environment(),
            cwd=directory or "/",
            start_new_session=True,
            **identity,  # type: ignore[call-overload]
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Output(NOT_STARTED, "", str(error))
    code: int | None
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        code = None
    return Output(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Kill a program's whole session and return what it had said."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    try:
        return process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        return b"", b""
