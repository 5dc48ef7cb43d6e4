"""The chains netavark leaves in the firewall after its last network is gone."""

from __future__ import annotations

import re
import shutil

from .host import ADMINISTRATION_PATHS
from .process import Runner


def leftover_commands(table: str, rules: str) -> list[list[str]]:
    """From `iptables -t TABLE -S`: first the jumps into netavark's chains, then the chains.

    Empty while a network still has a chain or rule of its own, which is then none of our business.
    """
    lines = [line for line in rules.splitlines() if "NETAVARK" in line]
    if any(re.search(r"NETAVARK-[0-9A-F]{8,}|\s-[sd]\s", line) for line in lines):
        return []
    base = ["iptables", "-w", "-t", table]
    chains = [line.split()[1] for line in lines if line.startswith("-N ")]
    jumps = [
        # iptables prints a comment in quotes, which are not part of it.
        [*base, "-D", *(part.strip('"') for part in re.findall(r'"[^"]*"|\S+', line)[1:])]
        for line in lines
        if line.startswith("-A ") and not line.startswith("-A NETAVARK")
    ]
    flushes = [[*base, "-F", chain] for chain in chains]
    return [*jumps, *flushes, *([*base, "-X", chain] for chain in chains)]


def clean(runner: Runner) -> None:
    if shutil.which("iptables", path=ADMINISTRATION_PATHS) is None:
        return
    environment = {"PATH": f"{ADMINISTRATION_PATHS}:/usr/bin:/bin"}
    for table in ("filter", "nat"):
        rules = runner.run(["iptables", "-w", "-t", table, "-S"], environment=environment, accept=None)
        for command in leftover_commands(table, rules.stdout):
            runner.run(command, environment=environment, accept=None)
