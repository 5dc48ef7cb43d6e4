"""The host that is looked at: a compute node by a job, a head or login node over ssh."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from validate import session
from validate.conftest import chosen
from validate.drilldown import backend
from validate.errors import CannotStart
from validate.settings import Settings


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Without a host to look at there is nothing here."""
    return None if config.getoption("--drill") else True


@pytest.fixture(scope="session")
def site_settings(pytestconfig: pytest.Config) -> Settings:
    """What the site says of this host."""
    site, settings = chosen(pytestconfig)
    return dataclasses.replace(
        settings, runtimes=site.runtimes.get(pytestconfig.getoption("--drill"), settings.runtimes)
    )


@pytest.fixture(scope="session")
def role(pytestconfig: pytest.Config) -> str:
    """The host's group: compute, login or controller."""
    site, name = chosen(pytestconfig)[0], pytestconfig.getoption("--drill")
    for group in ("compute", "controller", "login"):
        if name in getattr(site, group):
            return group
    pytest.exit(f"validate: could not start: the inventory has no host {name}", returncode=3)


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config, role: str) -> Iterator[Host]:
    """Testinfra's host."""
    site, settings = chosen(pytestconfig)
    name = pytestconfig.getoption("--drill")
    try:
        if role == "compute" and pytestconfig.getoption("--drill-over") == "slurm":
            submit = session.submit_host(site.login[0], site.variables.get(site.login[0], {}), settings.user)
            with backend.over_slurm(submit, name, settings) as found:
                yield Host(found)
        else:
            yield Host(backend.over_ssh(session.submit_host(name, site.variables.get(name, {}), settings.user)))
    except CannotStart as error:
        pytest.exit(f"validate: could not start: {error}", returncode=3)
