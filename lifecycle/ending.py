"""The end of a run: its last words, the report, and what whoever logs in is told."""

from __future__ import annotations

import os
from pathlib import Path

from . import redact
from .log import Log
from .node import Node
from .outcome import ExitCode
from .report import Report

LOGS = "/var/log/slipway"
# pam_motd(8) shows the files of this directory after /etc/motd.
LOGIN_NOTICE = "/etc/motd.d/slipway"


def success(report: Report) -> str:
    """Return the last line's words for a run that did what it was to do."""
    if report.check:
        would = "something would change" if any(step.changed for step in report.steps) else "nothing would change"
        return "checked only: %s" % would
    if not any(step.name.startswith("playbook") for step in report.steps):
        return "; ".join(report.decisions) or "nothing to do here"
    return "changed" if any(step.changed for step in report.steps) else "nothing had to be changed"


def tell_at_login(node: Node, log: Log, report: Report) -> None:
    """Tell who logs in what a degraded node lacks; a run after which it lacks nothing takes that back."""
    path = node.path(LOGIN_NOTICE)
    try:
        if not report.degraded:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_readable(path, redact.redact(report.login_notice(LOGS), log.secrets))
    except OSError as error:
        log.line("%s cannot be written: %s" % (path, error.strerror), important=True)


def write_readable(path: Path, text: str) -> None:
    """Replace a file by rename; everybody may read it."""
    temporary = path.with_name(".%s-%d" % (path.name, os.getpid()))
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(path)


def finish(node: Node, log: Log, report: Report, flush: float) -> int:
    """Write the report, end the log with the cause, and return the exit code."""
    code = int(report.exit_code if report.exit_code is not None else ExitCode.COMPONENT_FAILED)
    for row in report.table() if report.steps else []:
        log.line(row, important=True)
    if not report.check and node.user == 0:
        path = node.path("%s/%s.json" % (LOGS, report.hook))
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            write_readable(path, report.render(log.secrets))
        except OSError as error:
            log.line("the report %s cannot be written: %s" % (path, error.strerror), important=True)
    log.line(report.last_line(), important=True)
    waits = flush if code and report.platform == "hyperpod" else 0.0
    log.close(waits)
    return code
