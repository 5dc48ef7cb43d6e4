"""Options and hosts of the acceptance suite; no checks."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra

STANDIN = "standin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what a site says: where, as whom, with which image."""
    group = parser.getgroup("validate", "acceptance of a cluster")
    group.addoption("--inventory", default="inventories/sandbox", help="Ansible inventory of the cluster")
    group.addoption("--validate-user", default="member", help="ordinary account that submits the jobs")
    group.addoption(
        "--validate-image",
        default="head:5000/slipway/busybox:1",
        help="image whose operating system differs from the nodes'; it holds sh, cat and hostname",
    )


@dataclass(frozen=True)
class Submitter:
    """The login host, and the ordinary account that submits from it."""

    host: Any
    user: str
    image: str

    def run(self, command: str, seconds: int = 120) -> str:
        """Run a shell command as the account and return what it printed; a failure fails the test."""
        words = ["timeout", str(seconds), "runuser", "--login", self.user, "--command", command]
        result = self.host.run(" ".join("%s" for _ in words), *words)
        assert result.rc == 0, f"exit code {result.rc} from {command!r}\n{result.stdout}\n{result.stderr}"
        return str(result.stdout)

    def os_of(self, node: str) -> str:
        """Return the node's own os-release, by a job without a container."""
        return self.run(f"srun --nodelist={node} cat /etc/os-release")


@pytest.fixture(scope="session")
def submitter(request: pytest.FixtureRequest) -> Submitter:
    """The first login host of the inventory."""
    option = request.config.getoption
    inventory = option("--inventory")
    login = members(inventory, "login")[0]
    host = testinfra.get_host(f"ansible://{login}?ansible_inventory={inventory}&force_ansible=False")
    return Submitter(host, option("--validate-user"), option("--validate-image"))


def members(inventory: str, group: str) -> list[str]:
    """Return the hosts of an inventory group, those of its children among them."""
    listing = subprocess.run(
        ["ansible-inventory", "--inventory", inventory, "--list"], capture_output=True, text=True, check=True
    )
    groups = json.loads(listing.stdout)
    names = [*groups.get(group, {}).get("hosts", [])]
    for child in groups.get(group, {}).get("children", []):
        names += members(inventory, child)
    return names


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for a node one item for each compute node."""
    if "node" in metafunc.fixturenames:
        metafunc.parametrize("node", members(metafunc.config.getoption("--inventory"), "compute"))


INSTALLED = "dpkg-query -W enroot enroot+caps 2>/dev/null; readlink /usr/local/lib/slipway/pyxis/spank_pyxis.so; true"


def standins(inventory: str) -> list[str]:
    """Return the installed programs that are stand-ins, from the versions that the nodes list."""
    command = ["ansible", "--inventory", inventory, "slurm_cluster", "--one-line"]
    command += ["--module-name", "ansible.builtin.shell", "--args", INSTALLED]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    if listing.returncode:
        # A node that cannot be asked may hold one: saying "none" would be a guess.
        said = listing.stdout + listing.stderr
        raise pytest.UsageError(f"the nodes of {inventory} cannot all be asked what they run:\n{said}")
    lines = [line for line in listing.stdout.splitlines() if STANDIN in line]
    return [name for name in ("enroot", "pyxis") if any(name in line for line in lines)]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say loudly where a program is not the real one."""
    found = standins(config.getoption("--inventory"))
    if not found:
        return ["no stand-ins: every program on the nodes is upstream's own"]
    config.stash[STANDINS] = found
    return [f"STAND-IN: {', '.join(found)} on these nodes is test equipment, not upstream's program"]


STANDINS = pytest.StashKey[list[str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str], session: pytest.Session) -> None:
    """Say the same in the page."""
    found = session.config.stash.get(STANDINS, [])
    text = f"STAND-IN: {', '.join(found)}. Test equipment, not upstream's programs." if found else "No stand-ins."
    prefix.append(f"<p><strong>{text}</strong></p>")


@pytest.hookimpl(optionalhook=True)
def pytest_html_report_title(report: Any) -> None:
    """Name the page."""
    report.title = f"Slipway: container jobs, {Path.cwd().name}"
