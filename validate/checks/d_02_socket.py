"""D-02: Docker's socket is open to its group alone."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="D-02",
    title="docker's socket closed to other users",
    tier="quick",
    step="host",
    cause="a socket that everybody may write to makes everybody root",
    fix="chmod 0660 /var/run/docker.sock; chown root:docker; look for who opened it: systemctl cat docker.socket",
)


def observe(node: Node) -> Any:
    """Look at the sockets that are there."""
    found = {}
    for name in ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock"):
        path = node.path(name)
        if path.exists():
            seen = path.stat()
            found[str(path.resolve())] = [seen.st_mode & 0o7777, seen.st_uid, seen.st_gid]
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Nothing for others, whether or not the site installs docker."""
    wide = [f"{name} {mode:04o}" for name, (mode, _uid, _gid) in observed.items() if mode & 0o007]
    if wide:
        return failed("; ".join(wide), "0660 or closer")
    return passed("; ".join(f"{name} {mode:04o}" for name, (mode, *_ids) in observed.items()) or "no such socket")
