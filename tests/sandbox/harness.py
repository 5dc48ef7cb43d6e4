"""What the tests do to a sandbox: run playbooks, ask and change nodes, submit jobs meanwhile."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import state
from cluster.podman import Podman
from cluster.process import Result, Runner
from cluster.settings import Settings
from cluster.up import open_podman

from lifecycle import children
from tests.sandbox.playbook_run import TASK, Run
from tests.sandbox.submissions import Submissions, submitting

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
DRIVER = ROOT / "molecule/sandbox/sandbox.py"
IMAGE = "head:5000/slipway/busybox:1"
INSIDE = "ID=slipway-test"
PLAYBOOK_SECONDS = 600


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
    # In the environment of every playbook and of what it starts, by which that is found again.
    mark: str = field(default_factory=secrets.token_hex)
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

    def submissions(self, nodes: int | None = None) -> AbstractContextManager[Submissions]:
        """Submit `srun hostname` as member from the login node, once a second, on all compute nodes or so many."""
        return submitting(self.podman, self.cluster.node("login1").id, nodes or len(self.computes))

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
            children.VARIABLE: self.mark,
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
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
                # Since ansible-core 2.19 its workers are in sessions of their own, where they would wait for ever.
                for worker in children.of_run(self.mark):
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                return line.strip()
        process.wait(30)
        return ""


def driver(verb: str, variables: Mapping[str, str] | None = None) -> None:
    """Run a command of the sandbox's driver."""
    command = [sys.executable, str(DRIVER), verb]
    environment = {**os.environ, **(variables or {}), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(f"$ sandbox.py {verb}\n{done.stdout}\n")
    assert done.returncode == 0, f"sandbox.py {verb}:\n{done.stdout[-4000:]}"
