"""What an observation may use on a node: commands with a bound, files, the clock. Python 3.9, standard library."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validate import outputs

OUTPUT_LIMIT = 60_000
NOT_STARTED = 127
# Runs its arguments without the variables of the step around it.
WITHOUT_SLURM = (
    "for name in $(env | sed -n 's/^\\(SLURM_[A-Z0-9_]*\\)=.*/\\1/p'); do "
    '[ "$name" = SLURM_CONF ] || unset "$name"; done; exec "$@"'
)
# How long a container may take to start (s) unless the site says otherwise; bounds of checks allow for that much.
CONTAINER_START = 120


@dataclass(frozen=True)
class Output:
    """What a command said; ``code`` is negative for a signal and None where its time ran out."""

    code: int | None
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both streams, for a message."""
        return "\n".join(part for part in (self.stdout.strip(), self.stderr.strip()) if part)

    def record(self) -> dict[str, Any]:
        """Return it for the results."""
        return {"code": self.code, "stdout": self.stdout[:8000], "stderr": self.stderr[:4000]}


@dataclass(frozen=True)
class Node:
    """The host on which the probe runs.

    ``settings`` are the site's, ``scratch`` is shared by the steps of the job, ``nodes`` are those of the group, and
    ``leaves`` their leaf switches, where Slurm knows them.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    scratch: str = ""
    root: str = "/"
    name: str = ""
    nodes: tuple[str, ...] = ()
    leaves: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        words: Sequence[str],
        seconds: float = 5,
        environment: Mapping[str, str] | None = None,
        without: str = "",
    ) -> Output:
        """Run a command and its children for at most so long; it is killed by its process group.

        ``without`` leaves out the variables that begin with it.
        """
        inherited = {name: value for name, value in os.environ.items() if not without or not name.startswith(without)}
        silence = nothing()
        try:
            process = subprocess.Popen(
                list(words),
                stdin=silence,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**inherited, "LC_ALL": "C", **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            return Output(NOT_STARTED, "", f"{words[0]}: {error.strerror}")
        finally:
            os.close(silence)
        code, out, err = outputs.read(process, seconds, OUTPUT_LIMIT, kill)
        return Output(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def srun(
        self,
        options: Sequence[str],
        words: Sequence[str],
        seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        nodes: Sequence[str] = (),
        start: str = "",
    ) -> Output:
        """Run a step of this job on this node, or on ``nodes``, besides the one in which the probe runs.

        srun takes every SLURM_ variable of the step around it for an option, so it gets none of them. It runs on the
        node ``start``, which reaches others than this one does.
        """
        names = list(nodes) or [self.name]
        command = ["srun", f"--jobid={os.environ.get('SLURM_JOB_ID', '')}", f"--nodes={len(names)}"]
        command += [f"--nodelist={','.join(names)}", "--input=none", "--chdir=/", "--wait=0", *options, *words]
        kept = {"SLURM_CONF": os.environ["SLURM_CONF"]} if "SLURM_CONF" in os.environ else {}
        # Asked to end, srun ends its tasks; killed, it would leave them.
        bounded = ["timeout", "--kill-after=3", f"{seconds:g}", *command]
        if start not in ("", self.name):
            outer = [*command[:2], "--nodes=1", f"--nodelist={start}", "--overlap", "--ntasks=1", *command[4:7]]
            bounded = [
                "timeout",
                "--kill-after=3",
                f"{seconds + 2:g}",
                *outer,
                "sh",
                "-c",
                WITHOUT_SLURM,
                "sh",
                *bounded,
            ]
        output = self.run(bounded, seconds + 6, {**kept, **(environment or {})}, without="SLURM_")
        # Where timeout has to kill, it kills its whole process group, and so itself.
        late = output.code in (124, 137, -signal.SIGKILL)
        return Output(None, output.stdout, output.stderr) if late else output

    def contained(
        self,
        words: Sequence[str],
        options: Sequence[str] = ("--overlap", "--ntasks=1"),
        image: str = "",
        seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        nodes: Sequence[str] = (),
        start: str = "",
    ) -> Output:
        """Run a step in a container of ``image``, or of the run's own.

        ``seconds`` grow with the site's ``container_start``.
        """
        chosen = [f"--container-image={image or self.settings.get('image', '')}", *options]
        return self.srun(chosen, words, seconds + slower(self.settings), environment, nodes, start)

    def which(self, program: str) -> str:
        """Return where a program is found on this step's PATH, '' where it is not."""
        return shutil.which(program) or ""

    def path(self, name: str) -> Path:
        """Return a path of the node; a test puts a directory in the place of ``/``."""
        return Path(self.root, name.lstrip("/"))

    def read(self, name: str) -> str | None:
        """Return a text file, None where it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace")[:OUTPUT_LIMIT]
        except OSError:
            return None

    def problem(self, name: str) -> str:
        """Return why a file cannot be read by this account, '' where it can."""
        try:
            with self.path(name).open("rb") as stream:
                stream.read(1)
        except OSError as error:
            return str(error.strerror)
        return ""

    def cores(self) -> int:
        """Return how many processor cores this step may use."""
        return len(os.sched_getaffinity(0))

    def devices(self, pattern: str = "nvidia[0-9]*") -> list[str]:
        """Return the device files of that name, in order."""
        found = [path.name for path in self.path("/dev").glob(pattern)]
        return sorted(found, key=lambda name: (len(name), name))

    def openable(self, names: Sequence[str]) -> list[str]:
        """Return those devices that this step may open: a job's cgroup refuses others, whatever their mode says."""
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                os.close(os.open(self.path("/dev") / name, os.O_RDONLY))
                found.append(name)
        return found

    def release(self) -> str:
        """Return the operating system as ``debian 12`` from os-release, '' where there is none."""
        text = self.read("/etc/os-release") or self.read("/usr/lib/os-release") or ""
        fields = dict(re.findall(r'^(ID|VERSION_ID|VARIANT_ID)="?([^"\n]*)"?$', text, re.MULTILINE))
        return " ".join(fields[key] for key in ("ID", "VERSION_ID", "VARIANT_ID") if fields.get(key))


def slower(settings: Mapping[str, Any]) -> int:
    """Return by how many seconds a container may start later than usual."""
    return max(0, int(settings.get("container_start") or 0) - CONTAINER_START)


def nothing() -> int:
    """Open /dev/null, or an empty file in memory where that is closed to users: N-31 says so then."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError:
        return os.memfd_create("nothing")


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group."""
    outputs.tell(process, signal.SIGKILL)
