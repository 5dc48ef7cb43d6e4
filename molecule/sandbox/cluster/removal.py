"""Removes a sandbox's containers and network, and what a podman that was killed left of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from .podman import LABEL, Podman
from .process import Runner
from .settings import Settings

NAMESPACES = Path("/run/netns")
FIREWALL_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def in_subnet(subnet: str, text: str) -> bool:
    """From `ip -o -4 address`: whether any address is one of the subnet's."""
    network = ipaddress.ip_network(subnet)
    found = re.findall(r"inet (\d+\.\d+\.\d+\.\d+)", text)
    return any(ipaddress.ip_address(address) in network for address in found)


def subnet_rules(table: str, rules: str, subnet: str) -> list[list[str]]:
    """From `iptables -t TABLE -S`: the commands that remove what belongs to one subnet."""
    base = ["iptables", "-w", "-t", table]
    lines = [line.split() for line in rules.splitlines() if line.startswith("-A ")]
    ours = [line for line in lines if subnet in line]
    # A network's own chain is the one its source rule jumps to.
    chains = [line[-1] for line in ours if line[-1].startswith("NETAVARK-")]
    outer = [line for line in ours if line[1] not in chains]
    return [
        *([*base, "-D", *line[1:]] for line in outer),
        *([*base, action, chain] for chain in chains for action in ("-F", "-X")),
    ]


def sweep(runner: Runner, interface: str, subnet: str) -> None:
    """Podman takes these away by itself, unless it was killed while it started a container."""
    if not interface or not Path("/sys/class/net", interface).exists():
        return
    for namespace in sorted(NAMESPACES.glob("netns-*")):
        inside = ["nsenter", f"--net={namespace}", "ip", "-o", "-4", "address"]
        if in_subnet(subnet, runner.run(inside, accept=None).stdout):
            runner.run(["umount", str(namespace)], accept=None)
            namespace.unlink(missing_ok=True)
    runner.run(["ip", "link", "delete", interface], accept=None)
    environment = {"PATH": FIREWALL_PATH}
    for table in ("filter", "nat"):
        rules = runner.run(["iptables", "-w", "-t", table, "-S"], environment=environment, accept=None)
        for command in subnet_rules(table, rules.stdout, subnet):
            runner.run(command, environment=environment, accept=None)


def remove_networks(podman: Podman, label: str) -> Iterable[str]:
    for network in podman.query("network", "ls", label):
        podman("network", "rm", "--force", network["name"])
        sweep(podman.runner, network.get("network_interface", ""), network["subnets"][0]["subnet"])
        yield f"network {network['name']}"


def remove_objects(podman: Podman, settings: Settings) -> list[str]:
    """Everything that carries the sandbox's label; returns what it was, for people."""
    removed = []
    ids = [container["Id"] for container in podman.containers(settings.identity)]
    if ids:
        podman("rm", "--force", "--time=0", "--volumes", *ids, timeout=600)
        removed.append(f"{len(ids)} nodes")
    label = f"--filter=label={LABEL}={settings.identity}"
    removed += remove_networks(podman, label)
    volumes = [volume["Name"] for volume in podman.query("volume", "ls", label)]
    if volumes:
        podman("volume", "rm", "--force", *volumes)
        removed.append(f"{len(volumes)} volumes")
    return removed
