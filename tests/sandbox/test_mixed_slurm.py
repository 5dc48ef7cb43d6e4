"""Nodes with different Slurms in one cluster: a build for each, one line for all, and an upgrade that edits nothing.

It has a sandbox of its own, because nothing brings an older Slurm back. Head and compute2 get the Slurm of Debian's
unstable release, compute1 and the login node stay behind, as in the middle of an upgrade in the order that SchedMD
asks for: slurmctld, slurmd node by node, then the hosts that submit (https://slurm.schedmd.com/upgrades.html).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from cluster.settings import from_environment

from tests.sandbox import newer_slurm
from tests.sandbox.conftest import own_settings
from tests.sandbox.harness import Sandbox, driver

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

LINK = "/usr/local/lib/slipway/pyxis/spank_pyxis.so"
PLUGSTACK = "/etc/slurm/plugstack.conf"
FIRST = ("head", "compute2")
BEHIND = "compute1"


@dataclass(frozen=True)
class Mixed:
    """A converged sandbox, and the Slurm series of the nodes that stayed behind and of the others."""

    sandbox: Sandbox
    older: str
    newer: str


@pytest.fixture(scope="module")
def mixed() -> Iterator[Mixed]:
    name = f"{own_settings().name[:14]}-mixed"
    variables = {"SANDBOX_NAME": name, "SANDBOX_DISTRIBUTION": "trixie", "SANDBOX_COMPUTE": "2"}
    settings = from_environment({**os.environ, **variables})
    driver("down", variables)
    driver("up", variables)
    try:
        sandbox = Sandbox(settings)
        older = newer_slurm.running(sandbox, BEHIND)
        with ThreadPoolExecutor() as pool:
            (newer,) = set(pool.map(lambda node: newer_slurm.offer(sandbox, node), sandbox.nodes))
        if newer == older:
            pytest.skip(f"Debian's unstable release has Slurm {newer}, as the sandbox does")
        for node in FIRST:
            newer_slurm.upgrade(sandbox, node)
        driver("converge", {**variables, "XDG_CACHE_HOME": str(settings.state / "cache")})
        sandbox.look()
        yield Mixed(sandbox, older, newer)
    finally:
        driver("down", variables)


def test_one_converge_builds_for_each_slurm(mixed: Mixed) -> None:
    names = [path.name for path in mixed.sandbox.build_cache.glob("*.so")]
    kinds = [f"slurm-{series}-debian13-" for series in (mixed.older, mixed.newer)]
    assert sorted(names) == sorted(name for name in names for kind in kinds if kind in name)
    assert len(names) == 2


def test_each_node_has_the_build_for_its_own_slurm(mixed: Mixed) -> None:
    for node in mixed.sandbox.nodes:
        series = mixed.newer if node in FIRST else mixed.older
        assert newer_slurm.running(mixed.sandbox, node) == series
        assert f"-slurm-{series}/" in mixed.sandbox.ask(node, f"readlink {LINK}")


def test_one_line_serves_all(mixed: Mixed) -> None:
    assert mixed.sandbox.ask("head", f"grep spank_pyxis {PLUGSTACK} | cut -d' ' -f1,2") == f"required {LINK}"
    mixed.sandbox.serves_jobs()


def test_a_second_converge_changes_nothing(mixed: Mixed) -> None:
    mixed.sandbox.converge().unchanged()


def test_an_upgrade_of_a_node_edits_no_line(mixed: Mixed) -> None:
    """What docs/operate/site.md says to do, while the other node goes on working."""
    sandbox = mixed.sandbox
    look = f"stat --format='%i %Y %Z' {PLUGSTACK}; cat {PLUGSTACK}"
    before = sandbox.ask("head", look)
    with sandbox.submissions(nodes=1) as jobs:
        sandbox.alter("head", f"scontrol update nodename={BEHIND} state=drain reason=upgrade")
        newer_slurm.upgrade(sandbox, BEHIND)
        run = sandbox.converge("--limit", BEHIND).succeeded()
        sandbox.alter(BEHIND, "systemctl restart slurmd")
        sandbox.alter("head", f"scontrol update nodename={BEHIND} state=resume")
    jobs.none_failed()
    assert newer_slurm.running(sandbox, BEHIND) == mixed.newer
    assert f"-slurm-{mixed.newer}/" in sandbox.ask(BEHIND, f"readlink {LINK}")
    assert "pyxis : build | Build" not in run.output, "a build of this kind was there already"
    assert sandbox.ask("head", look) == before
    sandbox.serves_jobs()
