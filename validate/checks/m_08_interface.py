"""M-08: the interface that NCCL is told to use is there (LUMI's hsn0-3)."""

from __future__ import annotations

import os
import re
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="M-08",
    title="NCCL_SOCKET_IFNAME resolves",
    tier="standard",
    step="host",
    cause="the site's NCCL_SOCKET_IFNAME names no interface of this node that is up",
    fix="ip -br link; NCCL_SOCKET_IFNAME in environ.d or nccl.conf: the fabric's interfaces (LUMI: hsn)",
    after=("N-07",),
    files=("/etc/enroot/environ.d/",),
    beside=("N-04",),
)


FILES = ("/etc/nccl.conf", "/etc/enroot/environ.d/*.env")


def observe(node: Node) -> Any:
    """Read what is set, by the job or the site, and which interfaces are up."""
    given = os.environ.get("NCCL_SOCKET_IFNAME", "")
    for pattern in FILES:
        for path in sorted(node.path("/").glob(pattern.lstrip("/"))):
            text = node.read("/" + str(path.relative_to(node.root))) or ""
            found = re.search(r"^\s*NCCL_SOCKET_IFNAME\s*=\s*(\S+)", text, re.MULTILINE)
            given = given or (found.group(1) if found else "")
    links = {}
    for path in sorted(node.path("/sys/class/net").glob("*")):
        links[path.name] = (node.read(f"/sys/class/net/{path.name}/operstate") or "").strip()
    return {"given": given, "links": links}


def judge(observed: Any, context: Context) -> Finding:
    """Every name (NCCL takes prefixes, ^ for all but these, = for exact names) is an interface that is up."""
    links = observed["links"]
    if not observed["given"]:
        if "fabric" in context.profile.has:
            return warned(
                "not set", "NCCL_SOCKET_IFNAME of the fabric", "NCCL may choose the management network, and hang"
            )
        return skipped("NCCL_SOCKET_IFNAME is not set, and these nodes have no fabric")
    text = observed["given"]
    names = [name for name in text.lstrip("^=").split(",") if name]
    if text.startswith("^"):
        matching = {"all others": [link for link in links if link != "lo" and not link.startswith(tuple(names))]}
    else:
        exact = text.startswith("=")
        matching = {
            name: [link for link in links if link == name or (not exact and link.startswith(name))] for name in names
        }
    bad = [f"{name}: missing" for name, found in matching.items() if not found]
    bad += [
        f"{link}: {links[link]}"
        for found in matching.values()
        for link in found
        if links[link] not in ("up", "unknown")
    ]
    return failed("; ".join(bad), f"{text} up") if bad else passed(text)
