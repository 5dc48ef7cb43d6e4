"""`status`, `shell` and `run`: looking at a running sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import host, nodes, slurm, state
from .podman import exec_arguments
from .process import Runner
from .settings import NAMES, Settings
from .up import open_podman

ROW = "{:<10} {:<11} {:<15} {:<10} {}"


def status(settings: Settings) -> str:
    cluster = state.require(settings.state)
    host.require_root()
    runner = Runner()
    podman = open_podman(runner, settings, cluster.cgroup)
    found = {item.node: item for item in nodes.current(podman, settings.identity)}
    head = found.get("head")
    known = slurm.states(podman, head.id).states if head and head.running else {}
    distribution = NAMES.get(cluster.distribution, cluster.distribution)
    lines = [
        f"sandbox {cluster.name}: {distribution}, cgroup {cluster.cgroup}, network {cluster.network}",
        ROW.format("NODE", "ROLE", "ADDRESS", "CONTAINER", "SLURM"),
    ]
    for node in cluster.nodes:
        item = found.get(node.name)
        container = "missing" if item is None else "running" if item.running else "stopped"
        slurm_state = known.get(node.name, "unknown") if node.role == "compute" else "-"
        lines.append(ROW.format(node.name, node.role, node.address, container, slurm_state))
    images = cluster.vars.get("sandbox_images", {})
    lines += [f"image {reference}" for reference in images.values()]
    return "\n".join(lines)


def enter(settings: Settings, node: str, user: str, command: Sequence[str]) -> None:
    """Replaces this process, so that signals, the terminal and the exit code are the command's."""
    cluster = state.require(settings.state)
    host.require_root()
    target = cluster.node(node)
    podman = open_podman(Runner(), settings, cluster.cgroup)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    arguments = exec_arguments(target.id, command, user, interactive=terminal)
    if not terminal:
        arguments.insert(1, "--interactive")
    sys.stdout.flush()
    environment = {**os.environ, **podman.environment}
    os.execvpe("podman", ["podman", *arguments], environment)  # noqa: S606 - an argument list is what is wanted
