"""The one place that starts Ansible: a playbook on this node, through ansible-runner."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from . import children
from .report import Step

LONGEST_MESSAGE = 4000


@dataclass
class Result:
    """How a playbook ended; ``status`` is successful, failed, timeout, canceled or error."""

    status: str = "error"
    changed: bool = False
    play: str = ""
    task: str = ""
    role: str = ""
    message: str = ""
    tasks: list[Step] = field(default_factory=list)
    # What modules warned of, each once.
    warnings: list[str] = field(default_factory=list)
    # What the role storage has chosen: root, mount_point, rejected …
    storage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def component(self) -> str:
        """The component whose role failed, '' where it was none."""
        return self.role.rpartition(".")[2]

    def take(self, event: Mapping[str, Any]) -> None:
        """Note what an event of ansible-runner says."""
        data = event.get("event_data") or {}
        kind = event.get("event", "")
        if not kind.startswith("runner_on_") or kind == "runner_on_start":
            return
        outcome = data.get("res") or {}
        changed = bool(outcome.get("changed")) and kind == "runner_on_ok"
        self.changed = self.changed or changed
        said = [str(text) for text in outcome.get("warnings") or []]
        self.warnings += [text for text in dict.fromkeys(said) if text not in self.warnings]
        self.storage = (outcome.get("ansible_facts") or {}).get("storage") or self.storage
        failed = kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors")
        status = {"runner_on_ok": "ok", "runner_on_skipped": "skipped"}.get(kind, "failed" if failed else "ok")
        if status != "skipped":
            attempts = int(outcome.get("attempts") or 1)
            self.tasks.append(
                Step(
                    str(data.get("task") or ""),
                    str(data.get("start") or ""),
                    round(float(data.get("duration") or 0.0), 3),
                    attempts,
                    status=status,
                    changed=changed,
                )
            )
        if failed:
            self.play, self.task = str(data.get("play") or ""), str(data.get("task") or "")
            self.role = str(data.get("role") or "")
            self.message = failure_message(outcome)


def failure_message(outcome: Mapping[str, Any]) -> str:
    """Return what a failed task says, the most telling field first."""
    if outcome.get("censored"):
        return str(outcome["censored"])
    for key in ("msg", "stderr", "stdout", "module_stderr", "exception"):
        text = outcome.get(key)
        if isinstance(text, list):
            text = "; ".join(map(str, text))
        if text and str(text).strip() not in ("", "non-zero return code", "MODULE FAILURE"):
            return str(text)[:LONGEST_MESSAGE]
    return str(outcome.get("msg") or "no reason was given")


def run(
    playbook: Path,
    inventory: Mapping[str, Any],
    variables: Mapping[str, Any],
    group_variables: Path,
    limit: str,
    directory: Path,
    say: Callable[[str], None],
    *,
    seconds: float,
    cancelled: Callable[[], bool] = lambda: False,
    skip_tags: Sequence[str] = (),
    check: bool = False,
) -> Result:
    """Run a playbook on this node, and return how it ended; nothing of the run is left in ``directory``.

    ``seconds`` bounds it. What Ansible prints goes to ``say`` line by line.
    """
    result = Result()
    private = Path(tempfile.mkdtemp(prefix="run-", dir=directory))
    try:
        places = private / "inventory"
        places.mkdir()
        (places / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        if group_variables.is_dir():
            (places / "group_vars").symlink_to(group_variables)
        # A file and no argument: what stands on a command line is readable for everybody on the node.
        (private / "variables.json").write_text(json.dumps(dict(variables)), encoding="utf-8")

        def note(event: dict[str, Any]) -> bool:
            result.take(event)
            # Without the empty lines that set Ansible's output off: they fill a log that is shipped.
            text = "\n".join(line for line in str(event.get("stdout") or "").splitlines() if line.strip())
            if text:
                say(text)
            return False

        words = ["--limit", limit, "--extra-vars", "@%s" % (private / "variables.json")]
        words += ["--skip-tags", ",".join(skip_tags)] if skip_tags else []
        words += ["--check", "--diff"] if check else []
        runner = ansible_runner.run(
            private_data_dir=str(private),
            playbook=str(playbook),
            inventory=str(places / "hosts.json"),
            cmdline=shlex.join(words),
            event_handler=note,
            cancel_callback=cancelled,
            timeout=max(1, int(seconds)),
            quiet=True,
            # The environment holds proxies with passwords; runner would write it to a file.
            suppress_env_files=True,
            envvars={children.VARIABLE: private.name},
            settings={"suppress_ansible_output": True, "pexpect_use_poll": True},
        )
        result.status = str(runner.status)
        if result.status in ("canceled", "timeout"):
            children.stop(private.name)
        if result.status == "failed" and not result.message:
            result.message = last_words(runner)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return result


def last_words(runner: Any) -> str:
    """Return the last lines that Ansible printed, where it failed before any task."""
    try:
        with runner.stdout as stream:
            lines = [line.strip() for line in stream if line.strip()]
    except (OSError, AttributeError, ansible_runner.exceptions.AnsibleRunnerException):
        return "ansible-playbook ended without a word"
    telling = [line for line in lines if "ERROR" in line]
    return " ".join((telling or lines)[-3:])
