"""N-30: the node has its right name, and account, names, network and programs' environment of the other nodes."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import socket
import time
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, Opinion, compare, failed, passed, undecided, warned
from validate.probing import NOT_STARTED, Node

CHECK = Check(
    id="N-30",
    title="name, account, names and network as on the other nodes",
    tier="quick",
    step="host",
    cause="the node was set up otherwise than the others of its kind",
    fix="compare the node with another one",
    after=("N-33", "N-28"),
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
        "getent passwd USER; ls -l /etc/passwd /etc/nsswitch.conf: 0644; systemctl status sssd",
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
# What works on its own: between two nodes that differ in it, one of them is known to be right.
SAID_NONE = "none of "
PRELOAD = "/etc/ld.so.preload"
UNKNOWN = "unknown here"
ANSWERS = "answers"
# A question for the name servers of the root: any name server answers it, and be it that it will not say.
QUESTION = b"sv\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x00\x00\x02\x00\x01"
DNS_PORT, DNS_SECONDS = 53, 2.0
UNREACHED = (
    "this node does not reach slurmctld: /etc/hosts, firewall port 6817, or another slurm.conf",
    "scontrol ping; getent hosts CONTROLLER; ls -l /etc/slurm/slurm.conf /run/slurm/conf; iptables -S",
)
MUNGE = (
    "users' programs do not reach munge on this node, and without it no command of Slurm works",
    "ls -ld /run/munge: of munge, 0755; ls -l /run/munge/munge.socket.2: 0777; systemctl restart munge",
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
        "uid": os.getuid(),
        "lookup": lookup(node), "resolved": resolved, "nameserver": nameserver(node),
        "controller": names["the controller"], "address": " ".join(addresses), **reached(node),
        "mtu": mtu(node), "zone": time.strftime("%Z %z"),
        "preload": f"{os.environ.get('LD_PRELOAD', '')} {node.read(PRELOAD) or ''}".strip(),
        "preload_missing": missing_libraries(node),
    }  # fmt: skip


def missing_libraries(node: Node) -> list[str]:
    """Return what /etc/ld.so.preload names and is not there; a bare name is looked for by the loader itself."""
    text = re.sub(r"#.*", "", node.read(PRELOAD) or "")
    names = [name for name in re.split(r"[\s:]+", text) if name.startswith("/") and "$" not in name]
    return [name for name in names if not node.path(name).exists()]


def controller(node: Node) -> str:
    """Return the name of Slurm's controller, as this node's own configuration has it."""
    text = node.read(slurm.conf(node)) or ""
    found = re.search(r"^\s*SlurmctldHost\s*=\s*([^\s(,]+)", text, re.IGNORECASE | re.MULTILINE)
    return found.group(1) if found else ""


def reached(node: Node) -> dict[str, Any]:
    """Return whether slurmctld answers this node, None where scontrol cannot be asked, and what was said instead."""
    for _attempt in range(2):
        output = node.run(["scontrol", "ping"], 5)
        if " is UP" in output.stdout:
            return {"reached": True}
    return {"reached": None if output.code == NOT_STARTED else False, "ping": output.text[:500]}


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
        lines = [line.strip() for line in str(observed.get("ping") or "").splitlines() if line.strip()]
        # Its advice to start munged otherwise says less than what could not be opened.
        munge = sorted((line for line in lines if "munge" in line.lower()), key=lambda line: "socket" not in line)
        if munge:
            return failed(f"scontrol ping: {munge[0]}", "slurmctld is UP", *MUNGE)
        told = f": {lines[-1]}" if lines and "DOWN" not in lines[-1] else ""
        return failed(f"scontrol ping: slurmctld is not UP ({said_of}){told}", "slurmctld is UP", *words)
    if observed.get("preload_missing"):
        names = ", ".join(observed["preload_missing"])
        return failed(
            f"{PRELOAD} names {names}, which is not there",
            "libraries that are there",
            f"{PRELOAD} puts a library into every program that is missing: each program complains, and some fail",
            f"remove {names} from {PRELOAD}, or install its package",
        )
    mine = compared(observed)
    beside = compare(context.fleet, mine, compared, merit=merit)
    other = [part for part in PARTS if part in beside.other]
    if other:
        own = "; ".join(f"{PARTS[part][0]}: {said(mine[part])}" for part in other)
        wanted = "; ".join(f"{PARTS[part][0]}: {said(beside.other[part].usual)}" for part in other)
        if "own_name" in other:
            own += f" (it is {observed['hostname']})"
        name = other[0]
        words = of_another(observed, beside.other[name]) if name == "account" else PARTS[name][1:]
        return failed(own, f"{wanted}, {beside.on}", *words)
    if beside.nodes < 2:
        return alone(observed, mine, context)
    if beside.split:
        return undecided(beside, PARTS[next(iter(beside.split))][2], said)
    return passed(f"{observed['hostname']}, as on {beside.nodes} nodes")


def of_another(observed: Any, seen: Opinion) -> tuple[str, str]:
    """Return cause and fix where the run's number has another name here than on the other nodes."""
    number, here, usual = observed.get("uid", "NUMBER"), observed["account"], seen.usual
    fix = (
        f"getent passwd {number} {usual}, here and on {seen.like}; usermod -u OTHER {here} frees the number, then "
        f"usermod -u {number} {usual} where it exists here, else useradd -M -u {number} -g GROUP {usual}, or the "
        f"site's directory of accounts; find / -xdev -uid {number} shows whose files stay"
    )
    return (
        f"the number {number} of {usual} is {here}'s here: what {usual} runs and owns on this node counts as {here}'s",
        fix,
    )


def alone(observed: Any, mine: dict[str, Any], context: Context) -> Finding:
    """Judge a node without another one of its kind: what does not work by itself is said."""
    called = str(context.slurm.get("hostname") or "").partition(".")[0]
    if called and observed["hostname"] not in (called, context.node.partition(".")[0]):
        return failed(f"its hostname is {observed['hostname']}", f"{called}, as Slurm has it", *PARTS["own_name"][1:])
    if str(mine.get("nameserver", "")).startswith(SAID_NONE):
        words = PARTS["nameserver"]
        return warned(f"{words[0]}: {mine['nameserver']}", "one that answers", *words[1:])
    return passed(f"{observed['hostname']}; no other node of its kind to compare with")


def compared(seen: Any) -> dict[str, Any]:
    """Return what must be the same on all nodes."""
    # Results stored before these parts were looked at have none of them, and what was not found out says nothing.
    return {part: seen[part] for part in PARTS if part not in LATER or seen.get(part, "") != ""}


def merit(part: str, value: Any) -> float:
    """Return how well a part works by itself; of most parts only a comparison says something."""
    if part == "resolved":
        return len(value)
    if part == "preload":
        return -len(value)
    if part == "account":
        return float(value != UNKNOWN)
    return float(value is True or value == ANSWERS)


def said(value: Any) -> str:
    """Return a value for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value) or "none"
