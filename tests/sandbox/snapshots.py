"""What a node holds, file by file, and how two such pictures differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.sandbox.harness import Sandbox

Snapshot = dict[str, str]

# Runs on the node. A path's value is its type, mode, owner, capabilities, and what it holds or leads to.
LOOK = r"""
import hashlib, json, os, stat, subprocess, sys
roots, skipped = json.loads(sys.argv[1]), tuple(json.loads(sys.argv[2]))

def skip(path):
    return any(path == base or path.startswith(base + "/") for base in skipped)

def describe(path):
    info = os.lstat(path)
    text = "%s %04o %d:%d" % (stat.filemode(info.st_mode)[0], stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)
    if stat.S_ISLNK(info.st_mode):
        return text + " -> " + os.readlink(path)
    if stat.S_ISREG(info.st_mode):
        try:
            text += " capability=" + os.getxattr(path, "security.capability").hex()
        except OSError:
            pass
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
        text += " " + digest.hexdigest()[:16]
    return text

found = {}
for root in roots:
    if root.endswith("/") and root != "/":
        found[root] = describe(root) if os.path.lexists(root) else "absent"
        continue
    device = os.lstat(root).st_dev if os.path.lexists(root) else None
    if device is not None and not skip(root):
        found[root] = describe(root)
    for base, directories, names in os.walk(root):
        whole = [os.path.join(base, name) for name in directories + names]
        for path in whole:
            if not skip(path):
                try:
                    found[path] = describe(path)
                except FileNotFoundError:
                    pass
        directories[:] = [
            name for name in directories
            if not skip(os.path.join(base, name)) and os.lstat(os.path.join(base, name)).st_dev == device
        ]
packages = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Version} ${Status}\n"],
                          capture_output=True, text=True).stdout
found.update(("package " + line.split("\t")[0], line.split("\t")[1]) for line in packages.splitlines())
print(json.dumps(found))
"""

# Files that a machine that is on changes by itself, or that only record what was done.
NOISE = (
    "/proc", "/sys", "/dev", "/tmp", "/home", "/images",
    "/var/log", "/var/tmp",
    "/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/cache/debconf", "/var/lib/ucf",  # the package manager's
    "/etc/ld.so.cache", "/var/cache/ldconfig",  # made again whenever a library comes or goes
    "/var/lib/slurm",  # Slurm's own state, jobs among it
    "/var/lib/systemd", "/var/lib/private", "/etc/machine-id", "/var/lib/docker-registry",
    "/root/.ansible", "/root/.bash_history",  # Ansible's temporary directory of the account it connects as
    "/usr/lib/python3", "/usr/share/python3",  # compiled as it is used
    "/etc/slipway-sandbox", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname",  # bound in by podman
)  # fmt: skip

# Every place that a role writes to.
OURS = (
    "/etc/enroot", "/etc/tmpfiles.d", "/etc/slurm", "/usr/local/lib/slipway", "/usr/share/enroot", "/usr/bin",
    "/usr/lib/enroot", "/run/slipway", "/run/slurm/conf/plugstack.conf", "/var/cache/slipway", "/var/lib/slipway",
    "/etc/apptainer", "/etc/apt", "/etc/profile.d", "/etc/subuid", "/etc/subgid",
    "/etc/docker", "/etc/containerd", "/etc/systemd/system", "/etc/group", "/run/docker.sock/",
    # A slash: itself, and not what jobs put into it.
    "/scratch/slipway/pyxis/",
    "/scratch/slipway/enroot/data/", "/scratch/slipway/enroot/cache/", "/scratch/slipway/enroot/tmp/", "/run/enroot/",
    "/scratch/slipway/apptainer/cache/", "/scratch/slipway/apptainer/tmp/",
)  # fmt: skip


def take(sandbox: Sandbox, node: str, roots: Iterable[str], skipped: Iterable[str] = ()) -> Snapshot:
    """Return what lies below some directories of a node, and its packages."""
    found: Any = sandbox.podman.execute(
        sandbox.cluster.node(node).id, "python3", "-c", LOOK, json.dumps(list(roots)), json.dumps(list(skipped))
    ).stdout
    return dict(json.loads(found))


def whole(sandbox: Sandbox) -> dict[str, Snapshot]:
    """Return everything on every node, but for what changes by itself."""
    roots = ("/", "/scratch", "/run/slipway", "/run/enroot")
    return {node: take(sandbox, node, roots, NOISE) for node in sandbox.nodes}


def managed(sandbox: Sandbox) -> dict[str, Snapshot]:
    """Return what the roles keep on every node."""
    found = {node: take(sandbox, node, OURS, ("/usr/bin/__pycache__",)) for node in sandbox.nodes}
    for snapshot in found.values():
        # Made when a package is to be installed, deleted when it is empty and a role is removed; never missed.
        snapshot.pop("/var/cache/slipway", None)
    return found


def difference(before: Snapshot, after: Snapshot) -> dict[str, tuple[str, str]]:
    """Return (before, after) of each path that differs."""
    paths = sorted({*before, *after})
    return {
        path: (before.get(path, "absent"), after.get(path, "absent"))
        for path in paths
        if before.get(path) != after.get(path)
    }
