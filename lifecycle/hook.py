"""The steps of one run: judge the node, find out what it is, wait, and run the playbooks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import evidence, fitness, lock
from .arrivals import Arrivals
from .identity import Identity
from .interruption import Interruption
from .inventory import make_inventory
from .layout import Code
from .log import Log
from .node import Node
from .outcome import ComponentFailed, OutOfBudget, Unusable
from .plan import Plan, make_plan, may_fail, without
from .report import Report, Step
from .settings import Settings
from .waits import Budget, Clock

STATE = "/var/lib/slipway/lifecycle"
BESIDE_VARIABLE = "SLIPWAY_HOOK_DIRECTORY"
# Whose failure it is where a task of no role failed.
PLAYBOOK_COMPONENTS = {"register_first": "pyxis"}
# What a run keeps for ending in order when the platform's own limit is near.
GRACE_SECONDS = 20.0


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

    @property
    def arrivals(self) -> Arrivals:
        """What is waited for."""
        return Arrivals(self.settings, self.code, self.node, self.budget, self.warn)

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
                    step.note = self.arrivals.wait_for_controller(self.identity.controller)
            variables = self.run_playbook(name, plan, variables, components)

    def wait_for(self, plan: Plan) -> None:
        """Wait, each time with a bound; what does not come is said and worked around."""
        for name in plan.waits:
            with self.step("wait for %s" % name) as step:
                step.note = self.arrivals.of(name)
        if self.code.artifacts is None:
            with self.step("wait for the network") as step:
                step.note = self.arrivals.wait_for_network()

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


def working_directory(node: Node, code: Code) -> Path:
    """Return where this run keeps its files: beside the unpacked bundle, whose place has been judged."""
    return code.collections.parent.parent if code.digest else node.path(STATE)
