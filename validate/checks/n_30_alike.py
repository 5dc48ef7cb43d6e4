"""N-30: the node has its right name, and account, names, network and programs' environment of the other nodes."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import socket
import time
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import NOT_STARTED, Node

CHECK = Check(
    id="N-30",
    title="name, account, names and network as on the other nodes",
    tier="quick",
    step="host",
    cause="the node was set up otherwise than the others of its kind",
    fix="compare the node with another one",
    seconds=40,
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
    "lookup": (
        "where names are looked up", "the line hosts: of /etc/nsswitch.conf is another: names are looked up elsewhere",
        "grep hosts: /etc/nsswitch.conf, here and on another node",
    ),
    "resolved": (
        "names that resolve", "DNS or /etc/hosts of this node is broken",
        "getent hosts NAME; resolvectl status; /etc/resolv.conf, /etc/hosts",
    ),
    "nameserver": (
        "nameservers", "no nameserver of /etc/resolv.conf answers this node: names are found slowly or not at all",
        "cat /etc/resolv.conf; resolvectl status; is UDP port 53 open from this node?",
    ),
    "address": (
        "address of the controller", "/etc/hosts or DNS of this node has another address for the controller",
        "getent hosts CONTROLLER, here and on another node; /etc/hosts",
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


LATER = ("lookup", "nameserver", "address")
UNKNOWN = "unknown here"
ANSWERS = "answers"
# A question for the name servers of the root: any name server answers it, and be it that it will not say.
QUESTION = b"sv\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x00\x00\x02\x00\x01"
DNS_PORT, DNS_SECONDS = 53, 2.0
UNREACHED = (
    "this node does not reach slurmctld: /etc/hosts, firewall port 6817, or another slurm.conf",
    "scontrol ping; getent hosts CONTROLLER; ls -l /etc/slurm/slurm.conf /run/slurm/conf; iptables -S",
)


def observe(node: Node) -> Any:
    """Ask the node about itself, in words that are the same on every node of its kind."""
    own = socket.gethostname().partition(".")[0]
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = UNKNOWN
    names = {"its own name": own, "the controller": controller(node), **registries(node)}
    found = {what: node.run(["getent", "hosts", name], 3) for what, name in names.items() if name}
    resolved = [what for what, output in found.items() if output.code == 0]
    lines = found["the controller"].stdout.splitlines() if "the controller" in resolved else []
    # The controller may know itself by an address of its own, such as Debian's 127.0.1.1.
    itself = names["the controller"].partition(".")[0] == own
    addresses = sorted({line.split()[0] for line in lines if line.split()} if not itself else ())
    return {
        "hostname": own, "own_name": own == os.environ.get("SLURMD_NODENAME", ""), "account": account,
        "lookup": lookup(node), "resolved": resolved, "nameserver": nameserver(node),
        "controller": names["the controller"], "address": " ".join(addresses), "reached": reached(node),
        "mtu": mtu(node), "zone": time.strftime("%Z %z"),
        "preload": f"{os.environ.get('LD_PRELOAD', '')} {node.read('/etc/ld.so.preload') or ''}".strip(),
    }  # fmt: skip


def controller(node: Node) -> str:
    """Return the name of Slurm's controller, as this node's own configuration has it."""
    text = node.read(reading.slurm_conf(node)) or ""
    found = re.search(r"^\s*SlurmctldHost\s*=\s*([^\s(,]+)", text, re.IGNORECASE | re.MULTILINE)
    return found.group(1) if found else ""


def reached(node: Node) -> bool | None:
    """Return whether slurmctld answers this node, None where scontrol cannot be asked."""
    for _attempt in range(2):
        output = node.run(["scontrol", "ping"], 5)
        if " is UP" in output.stdout:
            return True
    return None if output.code == NOT_STARTED else False


def lookup(node: Node) -> str:
    """Return where this node looks for the addresses of hosts, in order."""
    found = re.search(r"^\s*hosts:([^#\n]*)", node.read("/etc/nsswitch.conf") or "", re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def nameserver(node: Node) -> str:
    """Return whether one of the configured nameservers answers: which they are differs between racks."""
    servers = re.findall(r"^\s*nameserver\s+(\S+)", node.read("/etc/resolv.conf") or "", re.MULTILINE)[:3]
    if not servers:
        return "none named"
    return ANSWERS if any(asked(server) for server in servers) else f"none of {len(servers)} answers"


def asked(server: str) -> bool:
    """Return whether a nameserver says anything to a question, which is sent once more where nothing comes."""
    # A wrong address, a refusal and silence are all of this kind.
    with contextlib.suppress(OSError):
        family, kind, protocol, _name, address = socket.getaddrinfo(
            server, DNS_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind, protocol) as channel:
            channel.settimeout(DNS_SECONDS / 2)
            channel.connect(address)
            for _attempt in range(2):
                channel.send(QUESTION)
                # Before Python 3.10 it is no TimeoutError.
                with contextlib.suppress(socket.timeout):
                    return bool(channel.recv(512))
    return False


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
    if observed.get("reached") is False:
        # A name that is not found says more than the silence that follows from it.
        lost = observed["controller"] and "the controller" not in observed["resolved"]
        said_of = f"{observed['controller']} {observed['address'] or 'without an address'}".strip()
        words = PARTS["resolved"][1:] if lost else UNREACHED
        return failed(f"scontrol ping: slurmctld is not UP ({said_of})", "slurmctld is UP", *words)
    usual, count = majority(context.fleet, compared)
    if count < 2:
        return passed(f"{observed['hostname']}; too few nodes alike to compare")
    mine = compared(observed)
    other = [part for part in PARTS if differs(part, mine[part], usual[part])]
    if not other:
        return passed(f"{observed['hostname']}, as on {count} nodes")
    own = "; ".join(f"{PARTS[part][0]}: {said(mine[part])}" for part in other)
    if "own_name" in other:
        own += f" (it is {observed['hostname']})"
    wanted = "; ".join(f"{PARTS[part][0]}: {said(usual[part])}" for part in other)
    return failed(own, f"{wanted}, as on {count} nodes", *PARTS[other[0]][1:])


def compared(seen: Any) -> dict[str, Any]:
    """Return what must be the same on all nodes."""
    # Results stored before these parts were looked at have none of them.
    return {part: seen.get(part, "") if part in LATER else seen[part] for part in PARTS}


def differs(part: str, mine: Any, usual: Any) -> bool:
    """Return whether a part speaks against this node: one that was not found out does not, nor do good nameservers."""
    return mine not in (usual, ANSWERS) and not (part in LATER and "" in (mine, usual))


def said(value: Any) -> str:
    """Return a value for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value) or "none"
