"""What the tests do to a sandbox: run playbooks, ask and change nodes, submit jobs meanwhile."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import state
from cluster.podman import Podman, exec_arguments
from cluster.process import Result, Runner
from cluster.settings import Settings
from cluster.up import open_podman

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
DRIVER = ROOT / "molecule/sandbox/sandbox.py"
IMAGE = "head:5000/slipway/busybox:1"
INSIDE = "ID=slipway-test"
PLAYBOOK_SECONDS = 600

TASK = ("TASK [", "RUNNING HANDLER [")
RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)
# A failed task of one host, and the indented lines of its result.
FAILURE = re.compile(r"^(?:fatal|failed): \[([\w.-]+)[^\]]*\].*\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)

SUBMIT = r"""
number=0
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


def words(text: str) -> str:
    """Return a text without its line breaks: Ansible folds long messages."""
    return " ".join(text.split())


@dataclass(frozen=True)
class Run:
    """A finished run of a playbook."""

    code: int
    output: str
    seconds: float

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Return the counts of the PLAY RECAP by host."""
        return {
            host: {key: int(value) for key, value in (pair.split("=") for pair in counts.split())}
            for host, counts in RECAP.findall(self.output.rpartition("PLAY RECAP")[2])
        }

    @property
    def text(self) -> str:
        return words(self.output)

    @property
    def tasks(self) -> int:
        return sum(line.startswith(TASK) for line in self.output.splitlines())

    @property
    def failures(self) -> dict[str, str]:
        """Return what failed on each host, each as one line."""
        found: dict[str, str] = {}
        for host, body in FAILURE.findall(self.output):
            found[host] = f"{found.get(host, '')} {words(body)}".strip()
        return found

    def total(self, count: str) -> int:
        return sum(counts[count] for counts in self.recap.values())

    def succeeded(self) -> Run:
        assert self.code == 0 and self.recap, self.tail()
        assert self.total("failed") == self.total("unreachable") == 0, self.tail()
        return self

    def failed(self) -> Run:
        assert self.code != 0, f"the run was to fail\n{self.tail()}"
        return self

    def unchanged(self) -> Run:
        self.succeeded()
        changed = re.findall(r"^changed: .*$", self.output, re.MULTILINE)
        assert self.total("changed") == 0, "\n".join([*changed, self.tail()])
        return self

    def tail(self) -> str:
        """Return what a person needs to see of a run that went wrong."""
        said = "\n".join(f"{host}: {message[:2000]}" for host, message in self.failures.items())
        return f"exit code {self.code}\n{said}\n…\n{self.output[-1500:]}"


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


@dataclass(repr=False)
class Sandbox:
    """A running sandbox.

    ``settled`` says that an ordinary run succeeded and nothing was done to the nodes since, ``bare`` that
    remove.yml did.
    """

    settings: Settings
    settled: bool = False
    bare: bool = False
    # What site.yml and remove.yml are limited to: a run of the whole stack takes several times as long.
    tags: str = ""
    cluster: state.Cluster = field(init=False)
    podman: Podman = field(init=False)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Read again which nodes there are."""
        self.cluster = state.require(self.settings.state)
        self.podman = open_podman(Runner(), self.settings, self.cluster.cgroup)

    @property
    def nodes(self) -> list[str]:
        return [node.name for node in self.cluster.nodes]

    @property
    def computes(self) -> list[str]:
        return [node.name for node in self.cluster.of_role("compute")]

    @property
    def mirror(self) -> Path:
        """Where the artifacts of this sandbox lie; the tests make theirs out of them."""
        return Path(self.cluster.vars["artifact_mirror"])

    @property
    def build_cache(self) -> Path:
        return self.settings.state / "cache" / "slipway" / "pyxis"

    def version(self, component: str) -> str:
        return str(self.cluster.vars[f"{component}_version"])

    def forget_downloads(self) -> None:
        """Delete what was downloaded and built on this machine for the nodes."""
        shutil.rmtree(self.settings.state / "cache", ignore_errors=True)

    # Nodes

    def execute(self, node: str, script: str, user: str = "root", seconds: float = 120) -> Result:
        """Run a bash script on a node and return its result, whatever that is."""
        command = ["bash", "-c", script]
        return self.podman.execute(self.cluster.node(node).id, *command, user=user, timeout=seconds, accept=None)

    def ask(self, node: str, script: str, user: str = "root") -> str:
        """Return what a script that changes nothing prints on a node."""
        result = self.execute(node, script, user)
        assert result.code == 0, f"{node}: {script}\n{result.output}"
        return result.stdout.strip()

    def alter(self, node: str, script: str) -> str:
        """Change something on a node by hand."""
        self.settled = self.bare = False
        return self.ask(node, script)

    def container_job(self, node: str, command: str = "cat /etc/os-release", user: str = "member") -> Result:
        """Run a command in the test image on a node."""
        job = f"timeout 120 srun --nodelist={node} --container-image={IMAGE} {command}"
        return self.execute("login1", job, user)

    def runs_containers(self) -> None:
        """A container job of an ordinary account runs inside its image on every compute node."""
        for node in self.computes:
            result = self.container_job(node)
            assert INSIDE in result.stdout, f"{node}: {result.output}"

    def serves_jobs(self) -> None:
        """Plain and container jobs run on every compute node."""
        count = len(self.computes)
        plain = self.ask("login1", f"timeout 60 srun --nodes={count} hostname", "member")
        assert sorted(plain.split()) == self.computes
        self.runs_containers()

    @contextmanager
    def submissions(self, nodes: int | None = None) -> Iterator[Submissions]:
        """Submit `srun hostname` as member from the login node, once a second, on all compute nodes.

        One has ended before the body begins, and one begins after it.
        """
        seen = Submissions()
        stop = f"/tmp/stop-{time.monotonic_ns()}"
        container = self.cluster.node("login1").id
        script = ["bash", "-c", SUBMIT, "submit", stop, str(nodes or len(self.computes))]
        process = subprocess.Popen(
            ["podman", *exec_arguments(container, script, "member")],
            env={**os.environ, **self.podman.environment},
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
            self.execute("login1", f"touch {stop}")
            process.wait(120)
            reader.join(10)

    # Playbooks

    def environment(self) -> dict[str, str]:
        """Everything that Ansible keeps on this machine is this sandbox's own."""
        return {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "SANDBOX_NAME": self.settings.name,
            "XDG_CACHE_HOME": str(self.settings.state / "cache"),
        }

    def command(self, playbook: str, *arguments: str, **variables: Any) -> list[str]:
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        tags = ["--tags", self.tags] if self.tags and playbook in ("site", "remove") else []
        return [str(PROGRAMS / "ansible-playbook"), f"playbooks/{playbook}.yml", *tags, *arguments, *extra]

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a playbook in a process group of its own."""
        self.settled = self.bare = False
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook with extra variables, and wait for its end."""
        begin = time.monotonic()
        command = self.command(playbook, *arguments, **variables)
        process = self.begin(command)
        try:
            output, _ = process.communicate(timeout=PLAYBOOK_SECONDS)
        except BaseException:
            # It is in a process group of its own, which an interrupt from the terminal does not reach.
            os.killpg(process.pid, signal.SIGKILL)
            raise
        run = Run(process.returncode, output, time.monotonic() - begin)
        self.settled = run.code == 0 and command == self.command("site")
        self.bare = run.code == 0 and command == self.command("remove")
        sys.stdout.write(f"$ {shlex.join(command)}\n{run.output}\n")
        return run

    def converge(self, *arguments: str, **variables: Any) -> Run:
        """Run site.yml."""
        return self.play("site", *arguments, **variables)

    @contextmanager
    def only(self, tags: str) -> Iterator[None]:
        """Limit runs to some components; whether the others are settled is not known afterwards."""
        self.tags = tags
        yield
        self.tags = ""
        self.settled = self.bare = False

    def settle(self) -> None:
        """Have the sandbox converged and idle, as an ordinary run leaves it."""
        self.ask("head", "scancel --user=member")
        if not self.settled:
            self.converge().succeeded()

    def strip(self) -> None:
        """Have nothing of ours on the nodes."""
        if not self.bare:
            self.play("remove").succeeded()

    def kill_at(self, task: int) -> str:
        """Start site.yml and SIGKILL its process group half a second into its n-th task.

        Returns that task's line, or an empty text if the run ended before.
        """
        process = self.begin(self.command("site"))
        assert process.stdout is not None
        number = 0
        for line in process.stdout:
            number += line.startswith(TASK)
            if number == task:
                time.sleep(0.5)
                workers = descendants(process.pid)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
                # Since ansible-core 2.19 each is in a session of its own, where it would wait for ever.
                for worker in workers:
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                return line.strip()
        process.wait(30)
        return ""


def descendants(process: int) -> list[int]:
    """Return the process ids of what a process has started, and of what that has, as long as all of them live."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def driver(verb: str, variables: Mapping[str, str] | None = None) -> None:
    """Run a command of the sandbox's driver."""
    command = [sys.executable, str(DRIVER), verb]
    environment = {**os.environ, **(variables or {}), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(f"$ sandbox.py {verb}\n{done.stdout}\n")
    assert done.returncode == 0, f"sandbox.py {verb}:\n{done.stdout[-4000:]}"
