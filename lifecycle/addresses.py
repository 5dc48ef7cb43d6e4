"""IP addresses compared as addresses, never as text: 10.1.1.1 is no prefix of 10.1.1.10 here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# Bridges of container runtimes and the loopback exist on every node and identify none.
IGNORED_INTERFACES = ("lo", "docker", "podman", "cni", "virbr", "veth", "br-")


def parse(text: object) -> Address | None:
    """Return an address, or None where the text is none; a zone (%eth0) and a prefix length (/24) are dropped."""
    if not isinstance(text, str):
        return None
    try:
        return ipaddress.ip_address(text.strip().partition("/")[0].partition("%")[0])
    except ValueError:
        return None


def own(interfaces: Iterable[tuple[str, str]]) -> frozenset[Address]:
    """Return the addresses that identify this node, from pairs of interface and address."""
    found = set()
    for name, text in interfaces:
        address = parse(text)
        if address and not name.startswith(IGNORED_INTERFACES) and not (address.is_loopback or address.is_link_local):
            found.add(address)
    return frozenset(found)
