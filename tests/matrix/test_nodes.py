"""Every supported ansible-core converges real nodes: bare ones in check mode, converged ones without a change.

Only in `make test-matrix`. The nodes are Debian 12: its Python 3.11 is the newest that ansible-core 2.15 manages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster.settings import from_environment

from tests.matrix.cores import Core, chosen
from tests.sandbox.harness import Sandbox, driver
from tests.sandbox.playbook_run import Run

ALL = chosen() if os.environ.get("MATRIX") == "all" else []
pytestmark = [
    pytest.mark.slow,
    pytest.mark.matrix,
    pytest.mark.skipif(not ALL, reason="against nodes only in `make test-matrix`"),
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Sandbox]:
    """The nodes, bare; the mirror and the lock are those of the sandbox's own converge and removal."""
    wanted = {
        "SANDBOX_NAME": f"{os.environ.get('SANDBOX_NAME') or 'test'}-matrix"[:20],
        "SANDBOX_DISTRIBUTION": "bookworm",
        "SANDBOX_COMPUTE": "1",
    }
    settings = from_environment({**os.environ, **wanted})
    driver("up", wanted)
    driver("converge", {**wanted, "XDG_CACHE_HOME": str(settings.state / "cache")})
    running = Sandbox(settings)
    yield running
    if os.environ.get("KEEP_SANDBOX") != "1":
        driver("down", wanted)


def play(nodes: Sandbox, core: Core, playbook: str, *arguments: str) -> Run:
    """Run a playbook of the clone by an ansible-core."""
    environment = nodes.environment()
    own = {name: environment[name] for name in ("SANDBOX_NAME", "XDG_CACHE_HOME", "ANSIBLE_CONFIG", "ANSIBLE_NOCOLOR")}
    return Run(0, core.run("ansible-playbook", f"playbooks/{playbook}.yml", *arguments, **own), 0.0).succeeded()


@pytest.mark.parametrize("core", ALL, ids=lambda core: core.version)
def test_a_converged_cluster_is_left_alone(nodes: Sandbox, core: Core) -> None:
    """What another ansible-core wrote is as this one would write it, headers of files included."""
    play(nodes, core, "site").unchanged()


@pytest.mark.parametrize("core", ALL, ids=lambda core: core.version)
def test_drift_is_shown_and_repaired(nodes: Sandbox, core: Core) -> None:
    nodes.alter("compute1", "rm /etc/enroot/hooks.d/50-slurm-pmi.sh")
    shown = play(nodes, core, "site", "--check", "--diff")
    assert shown.recap["compute1"]["changed"] == 1
    assert play(nodes, core, "site").recap["compute1"]["changed"] == 1


@pytest.fixture(scope="module")
def bare(nodes: Sandbox) -> Sandbox:
    """The nodes without anything of ours, taken out by the oldest ansible-core."""
    play(nodes, ALL[0], "remove")
    return nodes


@pytest.mark.parametrize("core", ALL, ids=lambda core: core.version)
def test_bare_nodes_are_checked(bare: Sandbox, core: Core) -> None:
    play(bare, core, "preflight").unchanged()
    assert play(bare, core, "site", "--check", "--diff").total("changed") > 0


def test_bare_nodes_are_converged_by_the_oldest(bare: Sandbox) -> None:
    play(bare, ALL[0], "site")
    bare.serves_jobs()
