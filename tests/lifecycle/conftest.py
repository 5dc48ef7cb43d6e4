"""The sandbox of the lifecycle tests: one of its own, new for each platform, taken down unless KEEP_SANDBOX=1."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster.settings import Settings, from_environment

from tests.lifecycle.server import Server, serving


def own_settings() -> Settings:
    """Return the settings of the sandbox, which has a name of its own."""
    os.environ["SANDBOX_NAME"] = os.environ.get("LIFECYCLE_SANDBOX") or "lifecycle"
    os.environ["SANDBOX_DISTRIBUTION"] = "trixie"
    os.environ["SANDBOX_COMPUTE"] = "3"
    return from_environment()


@pytest.fixture(scope="session")
def settings() -> Settings:
    return own_settings()


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Server]:
    """The server that hands out bundles, and that is everybody's proxy."""
    directory = settings.state / "served"
    directory.mkdir(parents=True, exist_ok=True)
    with serving(directory) as running:
        yield running
