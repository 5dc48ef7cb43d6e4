"""A sandbox for the whole session: brought up, converged, and taken down at the end unless KEEP_SANDBOX=1.

It has a name of its own (SANDBOX_NAME, else "test"), so a developer's sandbox beside it is left alone.
One of that name that runs already is used; SANDBOX_ARTIFACT_MIRROR and SANDBOX_STANDINS are honoured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.settings import Settings, from_environment

from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox, driver

# Cheap and reading first, what takes the sandbox apart last.
# The sandbox with dnf first: it is gone again before the other one is brought up.
ORDER = (
    "dnf",
    "idempotence",
    "security",
    "preflight",
    "packages",
    "drift",
    "fault_bench",
    "acceptance",
    "registry",
    "storage",
    "docker",
    "docker_settings",
    "docker_epilog",
    "nvidia_container_toolkit",
    "apptainer",
    "gate",
    "faults",
    "removal",
    "interruption",
    "mixed_slurm",
    "many_nodes",
)
HERE = Path(__file__).parent
# What is not part of `make test`: a Slurm of Debian's unstable release, which moves, and more nodes than it has.
LEFT_OUT = {"SANDBOX_MIXED": "test_mixed_slurm.py", "SANDBOX_MANY": "test_many_nodes.py"}
collect_ignore = [name for variable, name in LEFT_OUT.items() if os.environ.get(variable) != "1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this directory into their order, where they stand among the others."""

    def rank(item: pytest.Item) -> int:
        return ORDER.index(item.path.stem.removeprefix("test_"))

    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ordered = sorted((items[place] for place in places), key=rank)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


def own_settings() -> Settings:
    os.environ.setdefault("SANDBOX_NAME", "test")
    return from_environment()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The converged sandbox. What was on its nodes before the first converge is in before.json."""
    settings = own_settings()
    before = settings.state / "before.json"
    if not before.exists():
        driver("down")
    try:
        driver("up")
        running = Sandbox(settings)
        if not before.exists():
            before.write_text(json.dumps(snapshots.whole(running)))
        driver("converge", {"XDG_CACHE_HOME": str(settings.state / "cache")})
        running.look()
        running.settled = True
        yield running
    finally:
        if os.environ.get("KEEP_SANDBOX") != "1":
            driver("down")


@pytest.fixture(scope="module")
def only_pyxis(sandbox: Sandbox) -> Iterator[None]:
    """Limit runs to pyxis and what it needs."""
    with sandbox.only("storage,enroot,pyxis"):
        yield


@pytest.fixture
def converged(sandbox: Sandbox) -> Sandbox:
    """The sandbox as an ordinary run leaves it, whatever the test before did."""
    sandbox.settle()
    return sandbox


@pytest.fixture(scope="session")
def before(sandbox: Sandbox) -> dict[str, snapshots.Snapshot]:
    """What was on the nodes before the first converge."""
    return dict(json.loads((sandbox.settings.state / "before.json").read_text()))
