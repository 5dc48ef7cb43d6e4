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

INVENTORY = "inventories/sandbox"
REPORT = "report.html"


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
    """Run container jobs of an ordinary account on every node; the page is .sandbox/report.html."""
    steps = Steps(settings.state / "log")
    report = settings.state / REPORT
    with steps.step("accept") as step:
        result = steps.runner.run(
            [sys.executable, "-m", "pytest", "validate", "-q", "--tb=short", "--inventory", INVENTORY,
             f"--html={report}", "--self-contained-html", f"--junit-xml={settings.state / 'report.xml'}"],
            environment=environment(settings),
            accept=None,
        )  # fmt: skip
        print(result.stdout)
        if result.code:
            raise SandboxError(f"the cluster is not accepted; the page says which job failed: {report}")
        step.note = f"report: {report}"
