"""One hook, from its arguments to its exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import evidence, hyperpod, layout, redact
from . import settings as options
from .ending import LOGS, finish, success, tell_at_login
from .hook import BESIDE_VARIABLE, Hook, working_directory
from .interruption import interruptible
from .layout import Code
from .log import Log
from .node import Node
from .outcome import ExitCode, Stopped
from .report import Report, Step, timestamp
from .settings import Settings
from .waits import Budget, Clock

FETCHED_VARIABLE = "SLIPWAY_FETCHED"


def read_settings(arguments: Sequence[str], environment: Mapping[str, str], code: Code) -> Settings:
    """Return the settings of a run; raises BadConfiguration."""
    return options.merge(
        [
            (str(code.site / layout.SETTINGS), code.settings()),
            ("environment", options.from_environment(environment)),
            ("arguments", options.from_arguments(arguments)),
        ]
    )


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    node: Node | None = None,
    clock: Clock | None = None,
) -> int:
    """Run a hook and return the exit code; the cause is the last line of the log."""
    if environment is os.environ:
        read_nothing()
    node, clock = node or Node(), clock or Clock()
    log = Log(clock=clock)
    report = Report(next((item for item in arguments if item in options.HOOKS), "unknown"), clock)
    flush, notice = Settings().flush_seconds, False
    if options.HOOKS.get(report.hook) == "hyperpod" and node.user == 0 and "--check" not in arguments:
        # From the first line on: nothing else leaves the node.
        report.platform = "hyperpod"
        log.add_file(str(node.path(hyperpod.PROVISIONING_LOG)))
    try:
        with interruptible() as interruption:
            code = layout.located(environment)
            report.bundle = code.digest
            settings = read_settings(arguments, environment, code)
            report.hook, report.check = settings.hook, settings.check
            flush, notice = settings.flush_seconds, settings.login_notice and not settings.check
            log.secrets |= redact.secrets_of([evidence.read_group_variables(code.site), settings.extra])
            if not settings.check and node.user == 0:
                log.add_file(str(node.path("%s/%s.log" % (LOGS, settings.hook))))
            log.line("slipway %s, bundle %s" % (settings.hook, code.digest[:16] or "(a clone)"))
            note_fetch(report, environment)
            budget = Budget(settings.budget_seconds, clock)
            hook = Hook(settings, code, node, environment, log, report, budget, interruption)
            prepare_process(hook)
            hook.work_through()
        cause = "degraded: without %s" % ", ".join(report.degraded) if report.degraded else success(report)
        report.finish(ExitCode.DONE, cause)
        if notice:
            tell_at_login(node, log, report)
    except Stopped as stopped:
        report.finish(stopped.code, stopped.cause)
    except Exception as error:  # noqa: BLE001 -- a traceback is no cause; the log must end with one line
        report.finish(ExitCode.COMPONENT_FAILED, "a defect of Slipway: %s: %s" % (type(error).__name__, error))
    return finish(node, log, report, flush)


def note_fetch(report: Report, environment: Mapping[str, str]) -> None:
    """Put what the bootstrap fetched before this process began into the report."""
    if FETCHED_VARIABLE in environment:
        fetched = json.loads(environment[FETCHED_VARIABLE])
        start = timestamp(report.started - fetched["seconds"])
        report.steps.append(
            Step("fetch the bundle", start, fetched["seconds"], fetched["attempts"], fetched["bytes"], "ok")
        )


def prepare_process(hook: Hook) -> None:
    """Make the process independent of whoever started it: environment, umask, directory."""
    work = working_directory(hook.node, hook.code)
    settings_file = hook.code.root / "lifecycle" / "ansible.cfg"
    plain = options.plain_environment(hook.environment, str(work), str(settings_file))
    plain.update(hook.code.environment(work))
    # ansible-playbook of this very Python comes first.
    plain["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), plain["PATH"]])
    for name in (layout.BUNDLE_VARIABLE, layout.SITE_VARIABLE, BESIDE_VARIABLE):
        if name in hook.environment:
            plain[name] = hook.environment[name]
    if hook.environment is os.environ:
        os.environ.clear()
        os.environ.update(plain)
        os.umask(0o022)
        os.chdir("/")


def read_nothing() -> None:
    """Have nothing on standard input. Where it was closed, the log would get its number, and lose it later."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    if descriptor:
        os.dup2(descriptor, 0)
        os.close(descriptor)
