"""`converge` and `accept`: the container stack on a running sandbox, by the same playbooks as on any site."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ansible_runner

from . import mirror, state
from .errors import SandboxError
from .process import Runner
from .settings import NAMES, Settings
from .steps import Steps
from .up import open_podman

INVENTORY = "inventories/sandbox"
OUTPUT = "validate"
IMAGE = "/images/validate.sqsh"
# Seconds of a core that a container's start takes here, and the acceptance suite's own bound.
START, USUAL_START = 16, 120


def environment(settings: Settings) -> dict[str, str]:
    """Return what Ansible needs to find this repository and this sandbox from anywhere."""
    return {
        "ANSIBLE_CONFIG": str(settings.repository / "ansible.cfg"),
        # The log is read with an editor.
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOLOR": "true",
        # ansible-playbook lies beside the Python that runs this, whether or not somebody put that on PATH.
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "SANDBOX_NAME": settings.name,
    }


def failure_line(event: Mapping[str, Any]) -> str | None:
    """Return "host: task: message" for an event of a failed task, None for any other."""
    if event.get("event") not in ("runner_on_failed", "runner_on_unreachable"):
        return None
    data = event.get("event_data", {})
    if data.get("ignore_errors"):
        return None
    message = str(data.get("res", {}).get("msg", "no message")).strip()
    return f"{data.get('host')}: {data.get('task')}: {message}"


def play(settings: Settings, log: Path, playbook: str, *arguments: str) -> list[str]:
    """Run a playbook, its output in the log; returns one line for every failed task and host."""
    failures: list[str] = []
    private = settings.state / "runner"
    private.mkdir(mode=0o700, exist_ok=True)

    def handle(event: Mapping[str, Any]) -> bool:
        line = failure_line(event)
        if line:
            failures.append(line)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(event.get("stdout", "") + "\n" if event.get("stdout") else "")
        return False

    run = ansible_runner.run(
        private_data_dir=str(private),
        project_dir=str(settings.repository),
        playbook=playbook,
        inventory=str(settings.repository / INVENTORY),
        envvars=environment(settings),
        cmdline=" ".join(arguments),
        event_handler=handle,
        quiet=True,
        rotate_artifacts=5,
    )
    if run.rc == 0:
        return []
    return failures or [f"{playbook} ended with exit code {run.rc}"]


def converge(settings: Settings, variables: Mapping[str, str] = os.environ) -> None:
    """Put the container stack on the nodes; raises StepError naming the failing task."""
    steps = Steps(settings.state / "log")
    with steps.step("artifacts") as step:
        cluster = state.require(settings.state)
        sources, extra = mirror.prepare(steps.runner, settings, cluster.distribution, variables)
        state.save(settings.state, replace(cluster, vars={**cluster.vars, **extra}))
        refuse(play(settings, log_of(steps.runner), "playbooks/lock.yml", "-e", "artifacts_lock_force=true"))
        step.note = ", ".join(f"{source.component} {source.version}" for source in sources)
    with steps.step("converge") as step:
        refuse(play(settings, log_of(steps.runner), "playbooks/site.yml"))
    if cluster.distribution in NAMES:
        print(f"         STAND-IN: the nodes are {NAMES[cluster.distribution]}, and so are its repositories")
    if extra["apptainer_state"] == "unmanaged":
        print(f"         NO APPTAINER: {cluster.distribution} and SANDBOX_ARTIFACT_MIRROR hold no package of it")
    for source in sources:
        if source.standin:
            print(f"         STAND-IN: {source.component} is test equipment of this repository, not upstream's program")


def log_of(runner: Runner) -> Path:
    """Return the log of the step that runs now."""
    if runner.log is None:
        raise SandboxError("no step is running")
    return runner.log


def refuse(failures: list[str]) -> None:
    """Raise SandboxError with the failing tasks, if there are any."""
    if failures:
        raise SandboxError("\n".join(dict.fromkeys(failures)))


def accept(settings: Settings) -> None:
    """Run the acceptance suite as an ordinary account on every node; the page is .sandbox/validate/report.html."""
    steps = Steps(settings.state / "log")
    output = settings.state / OUTPUT
    with steps.step("image") as step:
        step.note = stage_image(steps.runner, settings)
    with steps.step("accept") as step:
        command = [sys.executable, "-m", "validate", "run", f"--inventory={INVENTORY}"]
        environ = {**environment(settings), "PYTHONPATH": str(settings.repository)}
        result = steps.runner.run([*command, f"--output={output}"], environment=environ, accept=None)
        print(result.output)
        if result.code:
            raise SandboxError(f"the cluster is not accepted; the page says what to do: {output / 'report.html'}")
        step.note = f"report: {output / 'report.html'}"


def container_start(nodes: int, cores: int) -> int:
    """Return how long a container may take to start: all nodes start theirs at once, on the cores of one machine."""
    return max(USUAL_START, START * nodes // cores)


# On the shared directory, and again for each change of the image in the registry.
STAGE = """
set -eu
digest=$(enroot digest docker://$1 2> /dev/null || echo unknown)
if [ ! -s $2 ] || [ "$(cat $2.digest 2> /dev/null)" != "$digest" ]; then
    rm -f $2.new
    enroot import --output $2.new docker://$1
    mv $2.new $2
    sha256sum $2 > $2.sha256
    echo "$digest" > $2.digest
fi
"""


def stage_image(runner: Runner, settings: Settings) -> str:
    """Have the operator import the image with Python once, where every node sees it; returns its reference."""
    cluster = state.require(settings.state)
    reference = str(cluster.vars["sandbox_images"]["debian"])
    podman = open_podman(runner, settings, cluster.cgroup)
    command = ["bash", "-c", STAGE, "stage", reference, IMAGE]
    podman.execute(cluster.node("login1").id, *command, user="operator", timeout=300)
    facts = {
        "validate_image": IMAGE,
        "validate_online_image": str(cluster.vars["sandbox_images"]["busybox"]),
        "validate_container_start": container_start(len(cluster.of_role("compute")), os.cpu_count() or 1),
    }
    state.save(settings.state, replace(cluster, vars={**cluster.vars, **facts}))
    return reference
