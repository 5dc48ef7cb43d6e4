"""The NVIDIA container toolkit on nodes whose GPUs are simulated: always a stand-in, from an apt repository.

NVIDIA's own programs ask the driver for the GPUs, and there is none. The repository lies in a directory that every
node sees, signed with a key of this sandbox, so that the role's tasks are those of any site.
"""

from __future__ import annotations

import shutil
from typing import Any

from .process import Runner
from .settings import Settings

COMPONENT = "nvidia_container_toolkit"
# What `state / "images"` is on the nodes.
SEEN_AS = "/images"
DIRECTORY = "apt"
KEY = "key.asc"


def unmanaged() -> dict[str, Any]:
    """The inventory variables where stand-ins are refused."""
    return {f"{COMPONENT}_state": "unmanaged"}


def prepare(runner: Runner, settings: Settings, version: str) -> dict[str, Any]:
    """Make packages and repository, and return the inventory variables that follow from them."""
    standins = settings.repository / "tests" / "standins"
    packages = settings.state / "toolkit"
    shutil.rmtree(packages, ignore_errors=True)
    runner.run(["python3", str(standins / "build.py"), "--output", str(packages), COMPONENT])
    repository = settings.state / "images" / DIRECTORY
    key = repository / KEY
    command = ["python3", str(standins / "repository.py"), f"--packages={packages}"]
    runner.run([*command, f"--output={repository}", f"--key={key}"])
    return {
        f"{COMPONENT}_version": version,
        f"{COMPONENT}_source": "repository",
        f"{COMPONENT}_repository_url": f"file:{SEEN_AS}/{DIRECTORY}",
        f"{COMPONENT}_repository_key": key.read_text(encoding="ascii"),
    }
