"""The hosts that are looked at: a compute node by a job, head and login nodes over ssh."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from validate import session
from validate.conftest import chosen
from validate.drilldown import backend
from validate.errors import CannotStart
from validate.settings import Settings, require_reachable


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Stored results say nothing of the hosts of today."""
    return True if config.getoption("--results") and not config.getoption("--drill") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Look at the host that is named, else at every head and login node."""
    if "looked_at" not in metafunc.fixturenames:
        return
    named = metafunc.config.getoption("--drill")
    try:
        site = chosen(metafunc.config)[0]
    except (CannotStart, ValueError) as error:
        pytest.exit(f"validate: could not start: {error}", returncode=3)
    hosts = [named] if named else list(dict.fromkeys((*site.controller, *site.login)))
    metafunc.parametrize("looked_at", hosts, scope="session")


@pytest.fixture(scope="session")
def site_settings(pytestconfig: pytest.Config, looked_at: str) -> Settings:
    """What the site says of this host."""
    site, settings = chosen(pytestconfig)
    return dataclasses.replace(settings, runtimes=site.runtimes.get(looked_at, settings.runtimes))


@pytest.fixture(scope="session")
def role(pytestconfig: pytest.Config, looked_at: str) -> str:
    """The host's group: compute, login or controller."""
    site = chosen(pytestconfig)[0]
    for group in ("compute", "controller", "login"):
        if looked_at in getattr(site, group):
            return group
    pytest.exit(f"validate: could not start: the inventory has no host {looked_at}", returncode=3)


def reached(found: backend.CommandBackend, how: str) -> backend.CommandBackend:
    """Return a backend that runs commands; fails where it does not, once and not for every test after its bound."""
    done = found.run("true")
    if done.rc != 0:
        pytest.fail(f"{found.hostname} is not reached {how}: {done.stderr.strip()}")
    return found


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config, role: str, looked_at: str) -> Iterator[Host]:
    """Testinfra's host; what only looks needs no account of its own on a controller, where users have none."""
    site, settings = chosen(pytestconfig)
    name, user = looked_at, "" if role == "controller" else settings.user
    try:
        if role == "compute" and pytestconfig.getoption("--drill-over") == "slurm":
            require_reachable(site, site.login[:1])
            submit = session.submit_host(site.login[0], site.variables.get(site.login[0], {}), settings.user)
            with backend.over_slurm(submit, name, settings) as found:
                yield Host(reached(found, "by a step of a job"))
        else:
            require_reachable(site, [looked_at])
            found = backend.over_ssh(session.submit_host(name, site.variables.get(name, {}), user))
            yield Host(reached(found, "over ssh"))
    except CannotStart as error:
        pytest.exit(f"validate: could not start: {error}", returncode=3)
