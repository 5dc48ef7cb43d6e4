"""Starts node containers and waits until they are up."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from .errors import CommandError, SandboxError
from .plan import Existing, Plan, addresses, survey
from .podman import LABEL, NodeContainer, Podman, run_arguments
from .settings import Settings

READY_SECONDS = 180
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Network:
    """The sandbox's network, and the address of each node in it."""

    name: str
    subnet: str
    addresses: dict[str, str]


def in_parallel(function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    workers = min(8, 2 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            return list(pool.map(function, items))
        except BaseException:
            # After an error or an interrupt the rest need not even begin.
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def refuse_foreign(podman: Podman, settings: Settings) -> None:
    """Names of containers are the machine's, so two checkouts may want the same ones."""
    for container in podman.query("ps", "--all", f"--filter=name=^{settings.name}-head$"):
        owner = (container.get("Labels") or {}).get(LABEL, "")
        if owner != settings.identity:
            raise SandboxError(
                f"a container named {settings.name}-head exists already and is not this sandbox's"
                f"{f' (it is of {owner})' if owner else ''}: "
                "choose another name with SANDBOX_NAME, or take that sandbox down from its checkout"
            )


def ensure_network(podman: Podman, settings: Settings, roles: Iterable[str]) -> Network:
    """The name and subnet of the sandbox's own network; podman picks a subnet nobody uses.

    The name is new each time: podman keeps the addresses of a network under its name until the
    next boot, and those that a killed podman had taken are never free again.
    """
    label = f"label={LABEL}={settings.identity}"
    found = podman.query("network", "ls", f"--filter={label}")
    if not found:
        podman("network", "create", f"--{label}", f"{settings.name}-{secrets.token_hex(2)}")
        found = podman.query("network", "ls", f"--filter={label}")
    subnet = found[0]["subnets"][0]["subnet"]
    return Network(found[0]["name"], subnet, addresses(subnet, roles))


def start(
    podman: Podman,
    settings: Settings,
    plan: Plan,
    images: Mapping[str, str],
    network: Network,
    flavour: str,
) -> None:
    def create(node: str) -> None:
        role = plan.roles[node]
        container = NodeContainer(
            node=node,
            role=role,
            address=network.addresses[node],
            image=images[role],
            network=network.name,
            identity=settings.identity,
            sandbox=settings.name,
            distribution=plan.distribution,
            state=settings.state,
            flavour=flavour,
        )
        podman(*run_arguments(container))

    in_parallel(lambda node: podman("start", plan.existing[node].id), plan.stopped)
    in_parallel(create, plan.missing)


def complaint(podman: Podman, node: Existing, state: str) -> str:
    failed = podman.execute(node.id, "systemctl", "--failed", "--no-legend", "--plain", accept=None).stdout
    units = [line.split()[0] for line in failed.splitlines() if line.strip()]
    text = f"{node.node} is `{state or 'not answering'}`"
    for unit in units:
        journal = podman.execute(
            node.id,
            "journalctl",
            "--no-pager",
            "--output=cat",
            "--lines=5",
            f"--unit={unit}",
            accept=None,
        ).stdout
        text += f"\n  {unit} failed:\n    " + "\n    ".join(journal.strip().splitlines())
    return text


def wait_ready(podman: Podman, nodes: Iterable[Existing]) -> None:
    """Every node's systemd has started everything, and nothing failed."""
    deadline = time.monotonic() + READY_SECONDS

    def wait(node: Existing) -> str:
        state = ""
        while time.monotonic() < deadline:
            try:
                answer = podman.execute(node.id, "systemctl", "is-system-running", accept=None, timeout=30)
            except CommandError as error:
                return f"{node.node}: {error}"
            state = answer.stdout.strip()
            if state == "running":
                return ""
            if state == "degraded" or "not running" in answer.stderr:
                break
            time.sleep(0.3)
        return complaint(podman, node, state)

    complaints = [text for text in in_parallel(wait, nodes) if text]
    if complaints:
        raise SandboxError("\n".join(complaints))


def current(podman: Podman, identity: str) -> list[Existing]:
    return survey(podman.containers(identity))
