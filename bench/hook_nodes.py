"""Seconds of a lifecycle hook on compute nodes: bare beside the floor, and where the image holds everything already.

What is to be installed lies on a node before the clock runs: the bundle for the hook, as HyperPod copies a prefix, and
the artifacts for bench/floor_node.sh. Both get the rest from the distribution's mirror. Nothing else runs meanwhile.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.settings import Settings

from bench import figures, hook
from bench.hook import HookRun, Measured
from bench.usage import Usage
from tests.lifecycle.harness import COMPUTE, Nodes, bring_up
from tests.lifecycle.server import serving

BARE, FLOOR, IMAGE = "compute1", "compute2", "compute3"
BUNDLE = "/root/bundle"
# Where floor_node.sh looks for artifacts.
WORK = "/var/cache/slipway"
HOOK = "user-data --role compute --controller head"


class HookFailed(Exception):
    """A hook or the floor did not do its work, with the end of what it said."""


def locked_names(state: Path) -> list[str]:
    """Return the names of the files in a sandbox's lock."""
    return re.findall(r"^  (\S+):$", (state / "artifacts.lock.yml").read_text("utf-8"), re.MULTILINE)


def write_repository(directory: Path, values: Mapping[str, Any]) -> bool:
    """Write for the floor how apt finds the NVIDIA container toolkit; tells whether the sandbox has it."""
    if values.get("nvidia_container_toolkit_state") == "unmanaged":
        return False
    key = "/etc/apt/keyrings/slipway-nvidia-container-toolkit.asc"
    (directory / "nvidia.asc").write_text(values["nvidia_container_toolkit_repository_key"], encoding="utf-8")
    uri = values["nvidia_container_toolkit_repository_url"]
    (directory / "nvidia.sources").write_text(f"Types: deb\nURIs: {uri}\nSuites: /\nSigned-By: {key}\n", "utf-8")
    return True


class HookBench:
    """Nodes of a sandbox, a bundle of its site, and what was measured on them."""

    def __init__(self, nodes: Nodes, script: Path, say: Callable[[str], None]) -> None:
        self.nodes = nodes
        self.script = script
        self.say = say
        # Of the machine, before each measurement.
        self.loads: list[float] = []

    def copy(self, source: Path, node: str, target: str) -> None:
        """Put the content of a directory, or a file, on a node."""
        self.nodes.sandbox.alter(node, f"mkdir -p {target}")
        container = self.nodes.sandbox.cluster.node(node).id
        self.nodes.sandbox.podman("cp", f"{source}/." if source.is_dir() else str(source), f"{container}:{target}/")

    def bare(self, node: str) -> None:
        """Have a new machine with the bundle on it."""
        self.nodes.renew(node)
        self.copy(self.nodes.bundle.directory, node, BUNDLE)

    def run(self, node: str, arguments: str, title: str) -> HookRun:
        """Run a hook; raises HookFailed."""
        self.loads.append(os.getloadavg()[0])
        ended: HookRun = self.nodes.run(node, arguments.partition(" ")[0], f"sh {BUNDLE}/start.sh {arguments}")
        if ended.code:
            raise HookFailed(f"{title}: {ended.last_line}")
        self.told(title, ended.took)
        return ended

    def told(self, title: str, took: Usage) -> None:
        """Say a figure at once."""
        self.say(f"  {took.wall:6.1f}s  {title}  (CPU: {took.nodes:.1f} s)")

    def floor(self) -> Usage:
        """Run the floor's script on a bare node; raises HookFailed."""
        sandbox = self.nodes.sandbox
        self.nodes.renew(FLOOR)
        directory = self.nodes.settings.state / "floor"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name in locked_names(self.nodes.settings.state):
            shutil.copy2(sandbox.mirror / name, directory / name)
        (plugin,) = (self.nodes.settings.state / "plugins").glob("spank_pyxis-*.so")
        shutil.copy2(plugin, directory / "spank_pyxis.so")
        gpus = "yes" if write_repository(directory, sandbox.cluster.vars) else "no"
        self.copy(directory, FLOOR, WORK)
        self.copy(self.script, FLOOR, "/root")
        program = f"bash /root/{self.script.name}"
        command = f"{{ {program} install no {gpus} && {program} place; }} 2>&1"
        container = sandbox.cluster.node(FLOOR).id
        self.loads.append(os.getloadavg()[0])
        ended, took = hook.timed(lambda text: sandbox.execute(FLOOR, text, seconds=900), container, command)
        if ended.code:
            raise HookFailed(f"bare node: {self.script.name}: {ended.stdout[-2000:]}")
        self.told(f"bare node: {self.script.name}", took)
        return took

    def measure(self, runs: int, listing: str) -> Measured:
        """Take all samples; the ways take turns, so that a busy minute hits all of them."""
        floor: list[Usage] = []
        bare: list[HookRun] = []
        image: list[HookRun] = []
        again: list[HookRun] = []
        for _run in range(runs):
            floor.append(self.floor())
            self.bare(BARE)
            bare.append(self.run(BARE, HOOK, "bare node: hook"))
            self.bare(IMAGE)
            self.run(IMAGE, "image", "not counted: the image is made")
            image.append(self.run(IMAGE, HOOK, "image with everything: hook"))
            again.append(self.run(IMAGE, HOOK, hook.AGAIN))
            if again[-1].changed:
                raise HookFailed(f"a hook with nothing to do changed something: {', '.join(again[-1].changed)}")
        for line in figures.differences(*(self.nodes.sandbox.ask(node, listing) for node in (BARE, FLOOR))):
            self.say(f"  {line}")
        return Measured(floor, bare, image, again)


def measure(
    settings: Settings, script: Path, runs: int, listing: str, say: Callable[[str], None]
) -> tuple[Measured, list[float]]:
    """Bring up nodes, make a bundle of their site with a plugin that one of them built, and measure.

    Returns the loads of the machine before each measurement, too.
    """
    served = settings.state / "served"
    served.mkdir(parents=True, exist_ok=True)
    with serving(served) as server:
        nodes = bring_up(replace(settings, compute=COMPUTE), server, "generic")
        nodes.make_image(IMAGE)
        bench = HookBench(nodes, script, say)
        return bench.measure(runs, listing), bench.loads
