"""D-02: only the group docker may use docker, which is root on the node."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="D-02",
    title="docker closed to other users",
    tier="quick",
    step="host",
    cause="a socket that everybody may write to makes everybody root",
    fix="chmod 0660 /var/run/docker.sock; chown root:docker /var/run/docker.sock; look for who opened it: systemctl "
    "cat docker.socket",
)


# Where dockerd listens once it is told `-H tcp://…`; others are read from its command line.
PORT = 2375
PROGRAMS = ("/usr/bin/docker", "/usr/local/bin/docker", "/bin/docker")


def observe(node: Node) -> Any:
    """Look at the sockets that are there, at the client's own rights, and knock at the ports of the daemon."""
    sockets = {}
    for name in ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock"):
        path = node.path(name)
        if path.exists():
            seen = path.stat()
            sockets[str(path.resolve())] = [seen.st_mode & 0o7777, seen.st_uid, seen.st_gid]
    clients = dict.fromkeys(str(node.path(name).resolve()) for name in (node.which("docker"), *PROGRAMS) if name)
    programs = {name: Path(name).stat().st_mode & 0o7777 for name in clients if Path(name).is_file()}
    return {"sockets": sockets, "programs": programs, "ports": [port for port in ports(node) if answers(port)]}


def ports(node: Node) -> list[int]:
    """Return where a daemon of docker's may listen, by its command line and by custom."""
    found = {PORT}
    for path in node.path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if words[0].rpartition("/")[2] == "dockerd":
            found |= {int(port) for port in re.findall(r"tcp://[^/\s]*:(\d{1,5})", " ".join(words))}
    return sorted(found)


def answers(port: int) -> bool:
    """Return whether a daemon of docker's answers anybody on a port of this node, without TLS."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n")
            said = connection.recv(4096)
    except OSError:
        return False
    return b" 200 " in said[:20] and b"api-version:" in said.lower()


def judge(observed: Any, context: Context) -> Finding:
    """Nothing for others, whether or not the site installs docker."""
    # Results stored before clients and ports were looked at have the sockets alone.
    sockets = observed if all(name.startswith("/") for name in observed) else observed["sockets"]
    wide = [f"{name} {mode:04o}" for name, (mode, _uid, _gid) in sockets.items() if mode & 0o007]
    if wide:
        return failed("; ".join(wide), "0660 or closer")
    raised = {name: mode for name, mode in observed.get("programs", {}).items() if mode & 0o6000}
    if raised:
        return failed(
            "; ".join(f"{name} {mode:04o}" for name, mode in raised.items()),
            "a client with the rights of who calls it: 0755",
            "the client runs as root or in the group docker for everybody, who is root by it",
            f"chmod u-s,g-s {' '.join(raised)}; chgrp root it; whoever needs docker belongs into its group",
        )
    if observed.get("ports"):
        return failed(
            f"docker answers on port {', '.join(map(str, observed['ports']))} without TLS",
            "its socket only",
            "the daemon listens on a port: whoever reaches it, is root on this node",
            "take tcp:// out of hosts in /etc/docker/daemon.json and of systemctl cat docker; systemctl restart docker",
        )
    return passed("; ".join(f"{name} {mode:04o}" for name, (mode, *_ids) in sockets.items()) or "no such socket")
