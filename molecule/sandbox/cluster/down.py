"""`down` and `clean`: nothing of a sandbox stays, however far it had come."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import firewall, host, host_settings, image_cache, removal
from .errors import SandboxError
from .process import Runner
from .settings import Settings
from .up import open_podman


def close_connections(runner: Runner, directory: Path) -> None:
    """End ssh's control processes: each would wait for a node that is gone."""
    for socket in sorted(directory.glob("*")) if directory.is_dir() else []:
        if socket.is_socket():
            command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "node"]
            runner.run(command, accept=None, timeout=20)


def down(settings: Settings) -> list[str]:
    """Returns what was removed, for people."""
    runner = Runner()
    removed: list[str] = []
    busy = False
    close_connections(runner, settings.runtime / "ssh")
    if shutil.which("podman"):
        podman = open_podman(runner, settings, host.detect_cgroup(runner))
        removed += removal.remove_objects(podman, settings)
        busy = podman.networks_in_use()
    restored = host_settings.restore(settings.identity, keep_forwarding=busy)
    removed += [f"{key} is {value} again" for key, value in restored.items()]
    if not busy:
        firewall.clean(runner)
    for directory in (settings.state, settings.runtime):
        if directory.is_dir():
            shutil.rmtree(directory)
            if directory == settings.state:
                removed.append(f"{directory.name}/")
    return removed


def clean(settings: Settings) -> list[str]:
    removed = down(settings)
    if shutil.which("podman"):
        runner = Runner()
        podman = open_podman(runner, settings, host.detect_cgroup(runner))
        stays = image_cache.remove_images(podman, image_cache.LABEL)
        shutil.rmtree(settings.runtime)
        if stays:
            raise SandboxError("another sandbox still runs on these images, which therefore stay: " + ", ".join(stays))
    if settings.cache.is_dir():
        shutil.rmtree(settings.cache)
        removed.append(str(settings.cache))
    return removed
