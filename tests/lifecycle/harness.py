"""Nodes laid out as a platform's images are, and hooks started on them as the platform does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cluster import image_cache, nodes, plan
from cluster.settings import Settings
from cluster.steps import Steps
from cluster.up import Up

from bench.hook import AGAIN_GOAL, HookRun, measure
from tests.lifecycle import bundles
from tests.lifecycle.bundles import Bundle
from tests.lifecycle.server import Server
from tests.sandbox.harness import ROOT, Sandbox, driver

LAYOUTS = ROOT / "molecule"
COMPUTE = 3
PYTHON = "3.13"
# What the platform gives a hook.
HOOK_SECONDS = 900
# As site.yml of the hooks' site has it: a test need not wait as long as a cloud.
SITE = {"spread_seconds": 3, "flush_seconds": 1, "file_wait_seconds": 10, "controller_wait_seconds": 240}
# Whatever is not the distribution's own mirror has to go through the proxy, which leads nowhere.
DIRECT = 'Acquire::http::Proxy "DIRECT"; Acquire::https::Proxy "DIRECT";'
IMAGE = "head:5000/slipway/busybox:1"


class Ended(HookRun):
    """A hook that has ended on a node."""

    def succeeded(self) -> Ended:
        assert self.code == 0, f"{self.node}: exit code {self.code}\n{self.output[-6000:]}"
        return self

    def unchanged(self) -> Ended:
        self.succeeded()
        assert self.changed == [], f"{self.node}: {self.changed}\n{self.output[-3000:]}"
        assert "nothing had to be changed" in self.last_line, self.last_line
        return self

    def quick(self) -> Ended:
        """Assert that the run kept the time of one that changes nothing.

        A busy machine makes every second longer, so there the processors' seconds count.
        """
        idle = os.getloadavg()[0] <= (os.cpu_count() or 1)
        assert (self.took.wall if idle else self.took.nodes) < AGAIN_GOAL, self.took
        return self


@dataclass
class Nodes:
    """A sandbox whose nodes are laid out, and what their hooks are handed over."""

    sandbox: Sandbox
    server: Server
    platform: str
    bundle: Bundle = field(init=False)

    @property
    def settings(self) -> Settings:
        return self.sandbox.settings

    @property
    def gateway(self) -> str:
        """Return this machine's address as the nodes see it."""
        return self.sandbox.ask("head", "ip route show default | cut -d' ' -f3")

    @property
    def url(self) -> str:
        return f"http://{self.gateway}:{self.server.port}"

    def address(self, node: str) -> str:
        return self.sandbox.cluster.node(node).address

    def proxy(self) -> str:
        """Return the assignments that send everything but the bundle to the proxy."""
        return f"http_proxy={self.url} https_proxy={self.url} no_proxy={self.gateway}"

    def make_bundle(self, plugins: Path | None = None, packages: Path | None = None, **variables: Any) -> Bundle:
        """Make a bundle of this sandbox's site, which the server hands out."""
        site = bundles.make_site(self.sandbox, self.settings.state / "site", SITE, **variables)
        made = bundles.make_bundle(self.sandbox, site, self.url, PYTHON, plugins, packages)
        for path in (made.archive, made.script):
            target = self.settings.state / "served" / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
        return made

    def make_image(self, node: str) -> Ended:
        """Run the image hook on a node, and take the plugin that it had to build into a bundle for all others."""
        self.bundle = self.make_bundle()
        ended = self.run(node, "image", self.single("image", "--seal"), self.proxy()).succeeded()
        plugins = self.settings.state / "plugins"
        plugins.mkdir(exist_ok=True)
        find = "find /var/lib/slipway/lifecycle -path '*/.cache/*' -name 'spank_pyxis-*.so*'"
        for path in self.sandbox.ask(node, find).split():
            source = f"{self.sandbox.cluster.node(node).id}:{path}"
            self.sandbox.podman("cp", source, str(plugins / Path(path).name))
        self.bundle = self.make_bundle(plugins)
        return ended

    # Layout

    def lay_out(self, node: str, *arguments: str) -> None:
        """Have a node look like one of the platform's image that was just started."""
        common = (LAYOUTS / "sandbox/opt_slurm.sh").read_text(encoding="utf-8")
        own = (LAYOUTS / self.platform / "node.sh").read_text(encoding="utf-8")
        self.sandbox.alter(node, f"set -- {' '.join(arguments)}\n{common}\n{own}")

    def mirror_directly(self, node: str) -> None:
        """Let apt, and nothing else, reach the distribution's mirror past the proxy."""
        self.sandbox.alter(node, f"echo '{DIRECT}' > /etc/apt/apt.conf.d/90direct")

    def renew(self, node: str) -> None:
        """Put a new machine in the place of a node, as a platform replaces one."""
        podman = self.sandbox.podman
        podman("rm", "--force", "--volumes", "--time=0", self.sandbox.cluster.node(node).id)
        up = Up(self.settings, Steps(self.settings.state / "log"), podman, self.sandbox.cluster.cgroup)
        planned = plan.make(self.settings, up.usable())
        recipe = image_cache.node_recipe(podman, planned.distribution)
        images, _cached = image_cache.ensure(podman, recipe, self.settings.cache, print)
        network = up.network(planned)
        nodes.start(podman, self.settings, planned, images, network, self.sandbox.cluster.cgroup)
        nodes.wait_ready(podman, [item for item in up.usable() if item.node == node])
        up.save(planned, network)
        self.sandbox.look()
        self.mirror_directly(node)

    def boot(self, node: str) -> None:
        """Start a machine from what is on a node's disk."""
        podman = self.sandbox.podman
        container = self.sandbox.cluster.node(node).id
        podman("restart", "--time=20", container)
        up = Up(self.settings, Steps(self.settings.state / "log"), podman, self.sandbox.cluster.cgroup)
        nodes.wait_ready(podman, [item for item in up.usable() if item.node == node])

    def cut_off(self, node: str) -> None:
        """Let a node reach the other nodes, their names and the server of bundles; everything else is refused it."""
        self.sandbox.alter(node, "apt-get -qq -y --no-install-recommends install iptables >/dev/null 2>&1")
        others = [self.address(name) for name in self.sandbox.nodes]
        rules = [f"-d {address} -j ACCEPT" for address in others]
        rules += ["-o lo -j ACCEPT", "-m conntrack --ctstate ESTABLISHED -j ACCEPT", "-d 127.0.0.0/8 -j ACCEPT"]
        # The kernel's own, where a bridge appears: groups of multicast, which do not leave the link.
        rules += ["-p igmp -j ACCEPT"]
        served = [f"tcp --dport {self.server.port}", "udp --dport 53", "tcp --dport 53"]
        rules += [f"-d {self.gateway} -p {port} -j ACCEPT" for port in served] + ["-j REJECT"]
        self.sandbox.alter(node, "\n".join(f"iptables -A OUTPUT {rule}" for rule in rules))

    def refused_packets(self, node: str) -> int:
        """Return how often a node that is cut off has tried to reach something else."""
        listing = self.sandbox.ask(node, "iptables -L OUTPUT -vnx")
        (line,) = [line for line in listing.splitlines() if "REJECT" in line]
        return int(line.split()[0])

    # Hooks

    def run(self, node: str, hook: str, command: str, environment: str = "") -> Ended:
        """Run a hook's command on a node, as the platform would: no terminal, hardly an environment."""
        script = f"cd /tmp && env -i PATH=/usr/bin:/bin {environment} {command} </dev/null 2>&1"
        execute = partial(self.sandbox.execute, node, seconds=HOOK_SECONDS)
        measured = measure(execute, self.sandbox.cluster.node(node).id, node, hook, script)
        took = f"{measured.took.wall:.0f} s ({measured.took.nodes:.0f} s of processors)"
        sys.stdout.write(f"--- {hook} on {node}: exit {measured.code} after {took}\n{measured.output[-8000:]}\n")
        return Ended(**vars(measured))

    def run_everywhere(self, names: Iterable[str], hook: str, command: str, environment: str = "") -> dict[str, Ended]:
        """Run a hook on several nodes, started in the same moment."""
        wanted = list(names)
        with ThreadPoolExecutor(len(wanted)) as pool:
            ended = list(pool.map(lambda node: self.run(node, hook, command, environment), wanted))
        return {item.node: item for item in ended}

    def single(self, hook: str, *arguments: str) -> str:
        """Return the command of a platform that hands over one file under a random name, and deletes it."""
        fetch = f"curl -sS -o $f {self.url}/{self.bundle.script.name}"
        words = " ".join([hook, *arguments])
        return f"bash -c 'f=$(mktemp); {fetch} && chmod +x $f && $f {words}; c=$?; rm -f $f; exit $c'"

    def container_job(self, node: str) -> None:
        """A container job of an ordinary account runs in its image on a node."""
        job = f"timeout 120 /opt/slurm/bin/srun --nodelist={node} --container-image={IMAGE} cat /etc/os-release"
        result = self.sandbox.execute("login1", job, "member", 150)
        assert "ID=slipway-test" in result.stdout, f"{node}: {result.output}"
        assert "error: spank" not in result.output, result.output

    def wait_idle(self, names: Iterable[str], seconds: float = 90) -> None:
        """Wait until Slurm has nodes ready for jobs."""
        wanted, deadline, found = set(names), time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            found = self.sandbox.execute("head", "/opt/slurm/bin/sinfo -hN -o '%N %T'").stdout
            if wanted <= {line.split()[0] for line in found.splitlines() if line.endswith((" idle", " mixed"))}:
                return
            time.sleep(1)
        raise AssertionError(f"not idle after {seconds} s: {found}")

    def until(self, node: str, condition: str, seconds: float = 60) -> None:
        """Wait until a shell's condition holds on a node."""
        deadline = time.monotonic() + seconds
        while self.sandbox.execute(node, condition).code != 0:
            assert time.monotonic() < deadline, f"{node}: not after {seconds} s: {condition}"
            time.sleep(1)

    def service(self, node: str, unit: str) -> str:
        return self.sandbox.execute(node, f"systemctl is-active {unit}").stdout.strip()


def bring_up(settings: Settings, server: Server, platform: str) -> Nodes:
    """Bring up a sandbox that is not converged, with its artifacts locked."""
    driver("down", {"SANDBOX_NAME": settings.name})
    driver("up", {"SANDBOX_NAME": settings.name, "SANDBOX_COMPUTE": str(settings.compute or COMPUTE)})
    bundles.lock(settings)
    made = Nodes(Sandbox(settings), server, platform)
    for node in made.sandbox.nodes:
        made.mirror_directly(node)
    return made
