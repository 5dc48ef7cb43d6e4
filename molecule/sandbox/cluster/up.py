"""`up`: the steps from a bare machine to a cluster that runs jobs."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass

from . import host, host_settings, image_cache, nodes, plan, podman, registry, removal, seed, slurm, slurm_config, state
from .nodes import Network
from .plan import Existing, Plan
from .podman import Podman
from .process import Runner
from .settings import NAMES, Settings
from .state import Cluster, Node
from .steps import Steps


def open_podman(runner: Runner, settings: Settings, flavour: str) -> Podman:
    text = podman.containers_conf(
        flavour,
        resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        resource.getrlimit(resource.RLIMIT_NPROC)[1],
        int(host_settings.read("kernel.pid_max")),
    )
    return Podman.prepare(runner, settings.runtime, text)


def machine_size() -> slurm_config.Size:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)
    return slurm_config.Size.for_machine(os.cpu_count() or 1, memory)


@dataclass(frozen=True)
class Up:
    settings: Settings
    steps: Steps
    podman: Podman
    flavour: str

    def run(self) -> None:
        nodes.refuse_foreign(self.podman, self.settings)
        planned = plan.make(self.settings, self.usable())
        images = self.node_images(planned) if planned.missing else {}
        network = self.network(planned)
        grown = self.start(planned, images, network)
        self.ready()
        self.registry(planned)
        self.save(planned, network)
        self.slurm(planned, grown)

    def usable(self) -> list[Existing]:
        """The nodes that are there, once those of a `podman` that was killed are not."""
        found = nodes.current(self.podman, self.settings.identity)
        broken = [item for item in found if item.broken]
        if not broken:
            return found
        with self.steps.step("repair") as step:
            if any(item.running for item in found):
                self.podman("rm", "--force", "--time=0", *(item.id for item in broken))
                step.note = f"{len(broken)} nodes that never started"
            else:
                step.note = ", ".join(removal.remove_objects(self.podman, self.settings))
        return nodes.current(self.podman, self.settings.identity)

    def node_images(self, planned: Plan) -> Mapping[str, str]:
        with self.steps.step("node image") as step:
            recipe = image_cache.node_recipe(self.podman, planned.distribution)
            tags, cached = image_cache.ensure(self.podman, recipe, self.settings.cache, step.announce)
            name = NAMES.get(planned.distribution, planned.distribution)
            step.note = f"{name}, {'cached' if cached else 'built'}"
        return tags

    def network(self, planned: Plan) -> Network:
        with self.steps.step("network") as step:
            changed = host_settings.apply(self.settings.identity, len(planned.roles))
            network = nodes.ensure_network(self.podman, self.settings, planned.roles)
            raised = "".join(f", {key} set to {value}" for key, value in changed.items())
            step.note = f"{network.name}, {network.subnet}{raised}"
        return network

    def start(self, planned: Plan, images: Mapping[str, str], network: Network) -> bool:
        """True where nodes were added to a cluster that ran already."""
        with self.steps.step("nodes") as step:
            seed.directories(self.settings.state)
            seed.keys(self.podman.runner, self.settings.state, network.addresses)
            files = slurm_config.files(self.settings.name, planned.compute, machine_size(), self.flavour)
            changed = seed.slurm(self.settings.state, files)
            head = planned.existing.get("head")
            nodes.start(self.podman, self.settings, planned, images, network, self.flavour)
            started = len(planned.missing) + len(planned.stopped)
            step.note = f"{started} started, {len(planned.roles) - started} running already"
        return changed and head is not None

    def ready(self) -> None:
        with self.steps.step("systemd") as step:
            found = nodes.current(self.podman, self.settings.identity)
            nodes.wait_ready(self.podman, found)
            step.note = f"running on {len(found)} nodes"

    def existing(self) -> dict[str, Existing]:
        found = nodes.current(self.podman, self.settings.identity)
        return {item.node: item for item in found}

    def registry(self, planned: Plan) -> None:
        with self.steps.step("registry") as step:
            address = self.existing()["head"].address
            builder = registry.Builder(
                self.podman,
                self.settings.cache,
                registry.other_distribution(planned.distribution),
                image_cache.apt_options(self.podman),
            )
            images = registry.references(planned.distribution)
            for name, reference in images.items():
                if not registry.served(address, reference):
                    with image_cache.locked(self.settings.cache):
                        blobs = builder.build(name, step.announce)
                    registry.push(self.podman, blobs, address, reference)
            step.note = ", ".join(images.values())

    def save(self, planned: Plan, network: Network) -> None:
        previous = state.load(self.settings.state)
        extra = dict(previous.vars) if previous else {}
        extra["sandbox_images"] = registry.references(planned.distribution)
        found = self.existing()
        members = tuple(Node(name, planned.roles[name], found[name].address, found[name].id) for name in planned.roles)
        cluster = Cluster(
            name=self.settings.name,
            distribution=planned.distribution,
            cgroup=self.flavour,
            network=network.name,
            nodes=members,
            vars=extra,
        )
        state.save(self.settings.state, cluster)

    def slurm(self, planned: Plan, grown: bool) -> None:
        with self.steps.step("slurm") as step:
            found = self.existing()
            head, login = found["head"].id, found["login1"].id
            computes = slurm_config.compute_names(planned.compute)
            if grown:
                before = [found[node] for node in planned.existing]
                files = seed.names(("slurm.conf", "gres.conf", "cgroup.conf"))
                slurm.adopt(self.podman, before, files, head)
            states = slurm.wait(self.podman, head, computes)
            if len(states.listing({"idle"})) == planned.compute:
                slurm.prove(self.podman, login, computes)
                step.note = f"answers: {planned.compute} nodes idle, a job's GPUs confined"
            else:
                step.note = f"answers: {states.describe()}; no job tried"


def up(settings: Settings) -> None:
    steps = Steps(settings.state / "log")
    seed.directories(settings.state)
    with steps.step("host tools") as step:
        flavour = host.detect_cgroup(steps.runner)
        installed = host.require_tools(steps.runner, flavour, settings.distribution)
        step.note = f"installed {', '.join(installed)}" if installed else f"cgroup {flavour}"
    Up(settings, steps, open_podman(steps.runner, settings, flavour), flavour).run()
    print(f"{steps.total():6.1f}s  in all")
