"""N-30: the node has its right name, and account, names, network and programs' environment of the other nodes."""

from __future__ import annotations

import os
import pwd
import re
import socket
import time
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="N-30",
    title="name, account, names and network as on the other nodes",
    tier="quick",
    step="host",
    cause="the node was set up otherwise than the others of its kind",
    fix="compare the node with another one",
)


# What is compared: words for it, cause, fix.
PARTS = {
    "own_name": (
        "its hostname is what Slurm calls it", "the hostname was changed: slurmd will not start after a reboot",
        "hostnamectl set-hostname NAME; scontrol show node: NodeHostName",
    ),
    "account": (
        "account of the run", "the directory of accounts does not answer this node: no job of a user can start",
        "getent passwd USER; systemctl status sssd; /etc/nsswitch.conf",
    ),
    "resolved": (
        "names that resolve", "DNS or /etc/hosts of this node is broken",
        "getent hosts NAME; resolvectl status; /etc/resolv.conf, /etc/hosts",
    ),
    "mtu": (
        "MTU towards the submit host", "the interface was set up with another MTU: large messages are lost",
        "ip link; set the MTU of the other nodes in the network's configuration",
    ),
    "zone": ("time zone", "the time zone was set by hand: logs do not fit together", "timedatectl set-timezone ZONE"),
    "preload": (
        "libraries loaded into every program", "LD_PRELOAD or /etc/ld.so.preload puts a library into every program",
        "cat /etc/ld.so.preload; where does a job's LD_PRELOAD come from?",
    ),
}  # fmt: skip


UNKNOWN = "unknown here"


def observe(node: Node) -> Any:
    """Ask the node about itself, in words that are the same on every node of its kind."""
    own = socket.gethostname().partition(".")[0]
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = UNKNOWN
    names = {"its own name": own, "the controller": controller(node), **registries(node)}
    resolved = [what for what, name in names.items() if name and node.run(["getent", "hosts", name], 3).code == 0]
    return {
        "hostname": own, "own_name": own == os.environ.get("SLURMD_NODENAME", ""), "account": account,
        "resolved": resolved, "mtu": mtu(node), "zone": time.strftime("%Z %z"),
        "preload": f"{os.environ.get('LD_PRELOAD', '')} {node.read('/etc/ld.so.preload') or ''}".strip(),
    }  # fmt: skip


def controller(node: Node) -> str:
    """Return the name of Slurm's controller, as this node's own configuration has it."""
    text = node.read(reading.slurm_conf(node)) or ""
    found = re.search(r"^\s*SlurmctldHost\s*=\s*([^\s(,]+)", text, re.IGNORECASE | re.MULTILINE)
    return found.group(1) if found else ""


def registries(node: Node) -> dict[str, str]:
    """Return the hosts of the registries that the site's images name."""
    images = [str(node.settings.get(name) or "") for name in ("image", "online_image", "newest_image")]
    found = [re.match(r"([\w.-]+\.[\w.-]+|[\w-]+(?=:\d))(?::\d+)?[/#]", image) for image in images]
    return {f"the registry {match.group(1)}": match.group(1) for match in found if match}


def mtu(node: Node) -> str:
    """Return the MTU of the interface towards the submit host, '' where that is not known."""
    address = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "")
    route = node.run(["ip", "-o", "route", "get", address], 3).stdout if address else ""
    interface = re.search(r"\bdev (\S+)", route)
    return (node.read(f"/sys/class/net/{interface.group(1)}/mtu") or "").strip() if interface else ""


def judge(observed: Any, context: Context) -> Finding:
    """A known account, and all of it as on most nodes of the kind."""
    if observed["account"] == UNKNOWN:
        return failed(f"{PARTS['account'][0]}: {UNKNOWN}", "an account with a name", *PARTS["account"][1:])
    usual, count = majority(context.fleet, compared)
    if count < 2:
        return passed(f"{observed['hostname']}; too few nodes alike to compare")
    other = [part for part in PARTS if observed[part] != usual[part]]
    if not other:
        return passed(f"{observed['hostname']}, as on {count} nodes")
    own = "; ".join(f"{PARTS[part][0]}: {said(observed[part])}" for part in other)
    if "own_name" in other:
        own += f" (it is {observed['hostname']})"
    wanted = "; ".join(f"{PARTS[part][0]}: {said(usual[part])}" for part in other)
    return failed(own, f"{wanted}, as on {count} nodes", *PARTS[other[0]][1:])


def compared(seen: Any) -> dict[str, Any]:
    """Return what must be the same on all nodes."""
    return {part: seen[part] for part in PARTS}


def said(value: Any) -> str:
    """Return a value for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value) or "none"
