"""The suite as pytest: one item for each host and one for each check, over one run or over stored results.

``--collect-only`` is a dry run: nothing is submitted before the first item.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from validate import catalogue, history, results, settings, stored, suite
from validate.command import OUTPUT, finish, make_output, progress_line, remembering
from validate.errors import CannotStart
from validate.model import Verdict
from validate.report.terminal import explain

JUDGED = pytest.StashKey[results.Judged]()
CHOSEN = pytest.StashKey[tuple[settings.Site, settings.Settings]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what a run needs; the site's other settings are the validate_ variables of its inventory."""
    group = parser.getgroup("validate", "acceptance of a cluster")
    group.addoption("--inventory", action="append", help="Ansible inventory of the cluster [inventories/sandbox]")
    group.addoption("--results", type=Path, help="judge these stored results instead of running anything")
    group.addoption("--tier", choices=("quick", "standard", "deep"), help="which checks")
    group.addoption("--validate-image", help="image of the container step")
    group.addoption("--drill", metavar="HOST", help="look closely at this host instead of head and login nodes")
    group.addoption("--drill-over", choices=("slurm", "ssh"), default="slurm", help="how a compute node is reached")
    group.addoption("--validate-output", type=Path, default=Path(OUTPUT), help="directory of the reports")


def chosen(config: pytest.Config) -> tuple[settings.Site, settings.Settings]:
    """Return the site and its settings, for which Ansible is asked once a session."""
    if CHOSEN in config.stash:
        return config.stash[CHOSEN]
    read = settings.read_inventory(*(config.getoption("--inventory") or ["inventories/sandbox"]))
    options = (("--tier", "tier"), ("--validate-image", "image"))
    given = {name: config.getoption(option) for option, name in options if config.getoption(option)}
    site, made = settings.of_site(read, given)
    config.stash[CHOSEN] = (site or read, made)
    return config.stash[CHOSEN]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `node` and `check` their items: from stored results, else from inventory and catalogue."""
    if not {"node", "check"} & set(metafunc.fixturenames):
        return
    try:
        path = metafunc.config.getoption("--results")
        if path:
            document = stored.read(path)
            hosts, checks = [entry["name"] for entry in document["roster"]], document["checks"]
        else:
            site, site_settings = chosen(metafunc.config)
            hosts, checks = [*site.login, *site.compute], list(catalogue.chosen(site_settings.tier))
    except (CannotStart, ValueError) as error:
        pytest.exit(f"validate: could not start: {error}", returncode=3)
    names = {"node": hosts, "check": checks}
    for fixture in set(names) & set(metafunc.fixturenames):
        metafunc.parametrize(fixture, names[fixture])


@pytest.fixture(scope="session")
def judged(pytestconfig: pytest.Config) -> results.Judged:
    """The one run of the session, with all its reports written."""
    try:
        path = pytestconfig.getoption("--results")
        if path:
            found = results.judged(stored.read(path))
        else:
            site, site_settings = chosen(pytestconfig)
            settings.require_reachable(site, site.login)
            prepared = suite.prepare(suite.target(site, site_settings), site_settings)
            output = pytestconfig.getoption("--validate-output")
            make_output(output)
            found = remembering(suite.run(prepared, progress_line(sys.stderr)), output)
            finish(found, output, history.save)
    except CannotStart as error:
        pytest.exit(f"validate: could not start: {error}", returncode=3)
    pytestconfig.stash[JUDGED] = found
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the command's exit code where nothing but the run's own items failed: 2 for what was only not measured."""
    found = session.config.stash.get(JUDGED, None)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if found is None or reporter is None or session.exitstatus != pytest.ExitCode.TESTS_FAILED:
        return
    others = [item.nodeid for item in (*reporter.stats.get("failed", ()), *reporter.stats.get("error", ()))]
    if all("test_acceptance.py::" in name for name in others):
        session.exitstatus = found.exit_code or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the problems of the whole fleet once, and what was noted."""
    found = config.stash.get(JUDGED, None)
    if found is None:
        return
    for note in found.document["notes"]:
        terminalreporter.write_line(f"note: {note}")
    for problem in found.fleet_problems:
        terminalreporter.write_line(
            f"FLEET {problem.check}: {len(problem.nodes)} of {problem.measured} hosts: {problem.cause} | {problem.fix}"
        )


def told(verdicts: list[Verdict]) -> str:
    """Return what a failed item says: node and check are in it, because many readers show nothing else."""
    return "\n".join(line for item in verdicts for line in (item.node, *explain(item)))
