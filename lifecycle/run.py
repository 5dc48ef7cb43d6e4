"""One hook, from its arguments to its exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import evidence, fitness, hyperpod, layout, lock, redact
from . import settings as options
from .identity import Identity
from .inventory import make_inventory
from .layout import Code
from .log import Log
from .node import Node
from .outcome import ComponentFailed, ExitCode, OutOfBudget, Stopped, Unusable
from .plan import Plan, make_plan, may_fail, without
from .report import Report, Step, timestamp
from .settings import Settings
from .waits import Budget, Clock, spread, wait_until

STATE = "/var/lib/slipway/lifecycle"
LOGS = "/var/log/slipway"
# pam_motd(8) shows the files of this directory after /etc/motd.
LOGIN_NOTICE = "/etc/motd.d/slipway"
DISK_UNIT = "dlami-nvme.service"
DISK = "/opt/dlami/nvme"
SLURM_CONF = "/opt/slurm/etc/slurm.conf"
SLURMCTLD_PORT = 6817
BESIDE_VARIABLE = "SLIPWAY_HOOK_DIRECTORY"
FETCHED_VARIABLE = "SLIPWAY_FETCHED"
# Whose failure it is where a task of no role failed.
PLAYBOOK_COMPONENTS = {"register_first": "pyxis"}
# What a run keeps for ending in order when the platform's own limit is near.
GRACE_SECONDS = 20.0


class Interruption:
    """SIGTERM ends a wait at once, and a playbook through ansible-runner, which stops its children."""

    def __init__(self) -> None:
        self.signal = ""
        self.in_playbook = False

    def __call__(self, number: int, _frame: object) -> None:
        """Take the signal."""
        self.signal = signal.Signals(number).name
        if not self.in_playbook:
            self.check()

    def check(self) -> None:
        """Raise OutOfBudget where a signal has come."""
        if self.signal:
            raise OutOfBudget("stopped by %s from outside" % self.signal)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn SIGTERM and SIGINT into an orderly end."""
    interruption = Interruption()
    previous = {number: signal.signal(number, interruption) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@dataclass
class Hook:
    """One run of a hook."""

    settings: Settings
    code: Code
    node: Node
    environment: Mapping[str, str]
    log: Log
    report: Report
    budget: Budget
    interruption: Interruption
    identity: Identity = field(default_factory=lambda: Identity("", "", ()))
    work: Path = Path()

    @property
    def clock(self) -> Clock:
        """The clock of the run."""
        return self.budget.clock

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Run a step: between two of them the budget is looked at."""
        self.interruption.check()
        self.budget.check(name)
        with self.report.step(name) as step:
            yield step

    def work_through(self) -> None:
        """Do everything; raises Stopped."""
        with self.step("judge the node"):
            self.judge()
        with self.step("find platform and role"):
            self.find_out()
        if self.settings.check:
            self.carry_out()
            return
        with lock.held(
            str(self.node.path(lock.PATH)), max(0.0, self.budget.left - GRACE_SECONDS), self.clock, self.log.line
        ):
            self.carry_out()

    def judge(self) -> None:
        """Refuse a node on which nothing can work."""
        fitness.check_root(self.node.user, self.settings.hook)
        fitness.check_space(self.node.space("/"), self.settings.minimum_free_mib)
        release = fitness.parse_os_release(self.node.text("/etc/os-release"))
        fitness.check_distribution(release, self.code.distributions())
        problem = fitness.clock_problem(self.clock.wall(), self.code.built)
        if problem:
            self.warn(problem)
        self.work = working_directory(self.node, self.code)
        if not self.settings.check:
            self.work.mkdir(parents=True, exist_ok=True, mode=0o755)

    def find_out(self) -> None:
        """Find platform and role, and say why."""
        beside = Path(self.environment.get(BESIDE_VARIABLE) or self.code.site)
        place = evidence.Place(self.node, self.environment, beside, self.clock)
        found = evidence.identify(self.settings, place)
        if self.settings.controller:
            found = replace(found, controller=self.settings.controller)
        self.identity = found
        self.report.platform, self.report.role, self.report.evidence = found.platform, found.role, found.evidence
        self.log.line("platform %s, role %s (%s)" % (found.platform, found.role, "; ".join(found.evidence)))
        for warning in found.warnings:
            self.warn(warning)

    def carry_out(self) -> None:
        """Plan, wait for what must be waited for, and run the playbooks."""
        components = self.code.components
        slurm = self.node.slurm()
        plan = make_plan(
            self.settings.hook, self.identity, slurm, components, self.settings.required, self.settings.seal
        )
        self.report.decisions += plan.decisions
        for decision in plan.decisions:
            self.log.line(decision)
        if not plan.playbooks:
            return
        if not self.settings.check:
            self.wait_for(plan)
        variables = {**self.code.variables(), **self.settings.extra, **plan.variables}
        for name in plan.playbooks:
            if name == "start_slurm" and self.identity.role != "controller" and not self.settings.check:
                # Not before: the controller is busy with the same work meanwhile.
                with self.step("wait for controller") as step:
                    step.note = self.wait_for_controller()
            variables = self.run_playbook(name, plan, variables, components)

    def wait_for(self, plan: Plan) -> None:
        """Wait, each time with a bound; what does not come is said and worked around."""
        for name in plan.waits:
            with self.step("wait for %s" % name) as step:
                step.note = {"disk": self.wait_for_disk, "slurm_conf": self.wait_for_slurm_conf}[name]()
        if self.code.artifacts is None:
            with self.step("wait for the network") as step:
                step.note = self.wait_for_network()

    def wait_for_disk(self) -> str:
        """Wait for the instance's own disk, where one is on its way."""

        def arrived() -> str | None:
            unit = self.node.unit_state(DISK_UNIT)
            return None if fitness.disk_wait_needed(unit, self.node.has_instance_store()) else unit or "absent"

        state = wait_until(arrived, min(self.settings.disk_wait_seconds, self.budget.left), self.clock)
        if state is None or state == "failed":
            self.warn("%s is not usable (%s %s): data goes elsewhere" % (DISK, DISK_UNIT, state or "still starting"))
        return ""

    def wait_for_slurm_conf(self) -> str:
        """Wait until HyperPod's agent has written the controller's configuration."""
        seconds = min(self.settings.controller_wait_seconds, self.budget.left)
        if wait_until(lambda: self.node.exists(SLURM_CONF) or None, seconds, self.clock) is None:
            raise ComponentFailed("%s was not written within %.0f s, so slurmctld cannot start" % (SLURM_CONF, seconds))
        return ""

    def wait_for_controller(self) -> str:
        """Wait for slurmctld; slurmd comes to it later where it does not answer now."""
        host = self.identity.controller
        if not host:
            return "nobody says where slurmctld is"
        seconds = min(self.settings.controller_wait_seconds, self.budget.left)
        if wait_until(lambda: self.node.answers(host, SLURMCTLD_PORT) or None, seconds, self.clock) is None:
            self.warn("slurmctld does not answer on %s after %.0f s: slurmd finds it when it does" % (host, seconds))
        return ""

    def wait_for_network(self) -> str:
        """Spread the nodes' first requests, and wait for names; what is installed already needs neither."""
        share = min(spread(self.settings.spread_seconds), self.budget.left)
        self.clock.sleep(share)
        host = self.network_host()
        seconds = min(self.settings.dns_wait_seconds, self.budget.left)
        if host and wait_until(lambda: self.node.resolves(host) or None, seconds, self.clock) is None:
            self.warn("%s cannot be resolved after %.0f s: going on with what is here" % (host, seconds))
        return "spread by %.1f s" % share

    def network_host(self) -> str:
        """Return the host whose name has to be known before a download, '' where a mirror is a directory."""
        mirror = str(evidence.read_group_variables(self.code.site).get("artifact_mirror") or "https://github.com/")
        return mirror.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]

    def run_playbook(
        self, name: str, plan: Plan, variables: Mapping[str, Any], components: tuple[str, ...]
    ) -> dict[str, Any]:
        """Run a playbook, once more without a component that failed and may; raises Stopped.

        Returns the variables for the next one: what was left out stays out.
        """
        # Only here, so that everything that can be judged without Ansible is judged without it.
        from . import playbook as edge  # noqa: PLC0415

        shown = dict(variables)
        tries = 0
        with self.step("playbook %s" % name) as step:
            while True:
                tries += 1
                step.attempts = tries
                self.budget.check("playbook %s" % name)
                self.interruption.in_playbook = True
                try:
                    result = edge.run(
                        self.code.playbook(name),
                        make_inventory(self.node.name, self.identity),
                        {**shown, "lifecycle_controller": self.identity.controller},
                        self.code.site / "group_vars",
                        self.node.name,
                        self.work if self.work.is_dir() else Path(tempfile.gettempdir()),
                        self.log.line,
                        seconds=max(1.0, self.budget.left - GRACE_SECONDS),
                        cancelled=lambda: bool(self.interruption.signal),
                        skip_tags=plan.skip_tags,
                        check=self.settings.check,
                    )
                finally:
                    self.interruption.in_playbook = False
                self.report.tasks += result.tasks
                self.report.warnings += [text for text in result.warnings if text not in self.report.warnings]
                self.report.storage = result.storage or self.report.storage
                step.changed = step.changed or result.changed
                self.interruption.check()
                if result.status == "successful":
                    return shown
                if result.status == "timeout":
                    task = " in the task %r" % result.tasks[-1].name if result.tasks else ""
                    raise OutOfBudget("the budget of %.0f s was used up%s" % (self.settings.budget_seconds, task))
                component = result.component or PLAYBOOK_COMPONENTS.get(name, "")
                if result.play == "Preflight":
                    raise Unusable("preflight: %s" % result.message)
                cause = "%s: %s: %s" % (component or name, result.task or "ansible-playbook", result.message)
                again = component in self.report.degraded
                if again or not may_fail(component, components, self.settings.required):
                    raise ComponentFailed(cause)
                self.report.degraded.append(component)
                self.warn("%s (not required: the node goes on without it)" % cause)
                shown = without(component, shown, components)

    def warn(self, text: str) -> None:
        """Say a warning in the log and in the report."""
        self.report.warnings.append(text)
        self.log.line("warning: %s" % text, important=True)


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


def working_directory(node: Node, code: Code) -> Path:
    """Return where this run keeps its files: beside the unpacked bundle, whose place has been judged."""
    return code.collections.parent.parent if code.digest else node.path(STATE)


def note_fetch(report: Report, environment: Mapping[str, str]) -> None:
    """Put what the bootstrap fetched before this process began into the report."""
    if FETCHED_VARIABLE in environment:
        fetched = json.loads(environment[FETCHED_VARIABLE])
        start = timestamp(report.started - fetched["seconds"])
        report.steps.append(
            Step("fetch the bundle", start, fetched["seconds"], fetched["attempts"], fetched["bytes"], "ok")
        )


def success(report: Report) -> str:
    """Return the last line's words for a run that did what it was to do."""
    if report.check:
        would = "something would change" if any(step.changed for step in report.steps) else "nothing would change"
        return "checked only: %s" % would
    if not any(step.name.startswith("playbook") for step in report.steps):
        return "; ".join(report.decisions) or "nothing to do here"
    return "changed" if any(step.changed for step in report.steps) else "nothing had to be changed"


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
