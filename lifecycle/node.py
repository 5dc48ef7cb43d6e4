"""What a hook reads of its node; below another root, for tests and images."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from .fitness import Space
from .plan import Slurm

METADATA = "http://169.254.169.254"
METADATA_SECONDS = 2.0
COMMAND_SECONDS = 10.0
SLURM_PROGRAMS = ("opt/slurm*/bin/srun", "opt/aws/pcs/scheduler/slurm-*/bin/srun", "usr/bin/srun", "usr/local/bin/srun")
# Where the images of HyperPod and ParallelCluster have theirs.
PLUGINS = ("opt/slurm*/lib/slurm/spank_pyxis.so", "usr/local/lib/slurm/spank_pyxis.so")
SHARED_FILESYSTEMS = ("nfs", "nfs4", "lustre", "efs", "fuse.efs", "wekafs", "gpfs", "beegfs", "ceph")


class Node:
    """The node below ``root``; every method reads, none changes anything."""

    def __init__(self, root: str | Path = "/", metadata: str = METADATA) -> None:
        self.root = Path(root)
        self.metadata = metadata

    def path(self, absolute: str) -> Path:
        """Return where a path of the node lies."""
        return self.root / absolute.lstrip("/")

    def read(self, absolute: str) -> bytes | None:
        """Return a file's content, None where there is no such file; raises PermissionError."""
        try:
            return self.path(absolute).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def text(self, absolute: str) -> str:
        """Return a file's text, '' where there is none."""
        return (self.read(absolute) or b"").decode("utf-8", "replace")

    def exists(self, absolute: str) -> bool:
        """Tell whether something is there."""
        return self.path(absolute).exists()

    @property
    def user(self) -> int:
        """The effective user id."""
        return os.geteuid()

    @property
    def name(self) -> str:
        """The host's own name, whether or not it can be resolved."""
        return os.uname().nodename or "localhost"

    def interfaces(self) -> list[tuple[str, str]]:
        """Return (interface, address) of every address of the node."""
        try:
            return parse_ip_addresses(_output(["ip", "-json", "address"]))
        except (OSError, ValueError, subprocess.SubprocessError):
            return parse_fib_trie(self.text("/proc/net/fib_trie"))

    def instance_identifier(self) -> str:
        """Return the EC2 instance id from the metadata service (IMDSv2), '' where it does not say in time."""
        # A proxy must never see these requests.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        ask = urllib.request.Request(self.metadata + "/latest/api/token", headers=lifetime, method="PUT")  # noqa: S310 -- http
        try:
            with opener.open(ask, timeout=METADATA_SECONDS) as answer:
                token = answer.read(4096).decode("ascii")
            address = self.metadata + "/latest/meta-data/instance-id"
            ask = urllib.request.Request(address, headers={"X-aws-ec2-metadata-token": token})  # noqa: S310 -- as above
            with opener.open(ask, timeout=METADATA_SECONDS) as answer:
                found: str = answer.read(100).decode("ascii", "replace").strip()
        except (OSError, ValueError, urllib.error.URLError):
            return ""
        return found if found.startswith("i-") else ""

    def space(self, absolute: str) -> Space:
        """Return the filesystem that holds a path, or its nearest existing parent."""
        path = self.path(absolute)
        while not path.exists():
            path = path.parent
        found = os.statvfs(path)
        return Space(
            absolute,
            found.f_bavail * found.f_frsize,
            found.f_blocks * found.f_frsize,
            found.f_favail,
            found.f_files,
            not found.f_flag & getattr(os, "ST_NOEXEC", 8),
            not found.f_flag & os.ST_RDONLY and os.access(path, os.W_OK),
        )

    def slurm(self) -> Slurm:
        """Return what of Slurm is here at this moment; mounts are looked at, never assumed."""
        installed = any(next(self.root.glob(pattern), None) for pattern in SLURM_PROGRAMS)
        shared = mount_type(self.text("/proc/self/mountinfo"), "/opt/slurm") in SHARED_FILESYSTEMS
        has_pyxis = any(next(self.root.glob(pattern), None) for pattern in PLUGINS)
        return Slurm(installed, shared, has_pyxis)

    def unit_state(self, unit: str) -> str:
        """Return systemd's ActiveState of a unit, '' where there is no such unit or no systemd."""
        try:
            text = _output(["systemctl", "show", "--property", "LoadState,ActiveState", unit])
        except (OSError, subprocess.SubprocessError):
            return ""
        values = dict(line.partition("=")[::2] for line in text.splitlines())
        return values.get("ActiveState", "") if values.get("LoadState") == "loaded" else ""

    def has_instance_store(self) -> bool:
        """Tell whether the machine has a disk of its own (EC2 names it so in the device's model)."""
        models = self.root.glob("sys/block/nvme*/device/model")
        return any("Instance Storage" in path.read_text(errors="replace") for path in models)

    def resolves(self, host: str) -> bool:
        """Tell whether a host name has an address."""
        try:
            return bool(socket.getaddrinfo(host, None))
        except OSError:
            return False

    def answers(self, host: str, port: int) -> bool:
        """Tell whether something listens there."""
        try:
            with socket.create_connection((host, port), timeout=METADATA_SECONDS):
                return True
        except OSError:
            return False


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(
        list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def parse_ip_addresses(text: str) -> list[tuple[str, str]]:
    """Return (interface, address) from ``ip -json address`` (iproute2); raises ValueError."""
    return [
        (str(link.get("ifname", "")), str(item["local"]))
        for link in json.loads(text)
        for item in link.get("addr_info", [])
        if "local" in item
    ]


def parse_fib_trie(text: str) -> list[tuple[str, str]]:
    """Return the local IPv4 addresses in /proc/net/fib_trie; it names no interfaces."""
    found, last = [], ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif words[:1] == ["/32"] and words[-1] == "LOCAL" and last:
            found.append(("", last))
    return list(dict.fromkeys(found))


def mount_type(mountinfo: str, path: str) -> str:
    """Return the filesystem type mounted at exactly a path (proc(5), mountinfo), '' where nothing is."""
    found = ""
    for line in mountinfo.splitlines():
        left, _dash, right = line.partition(" - ")
        if len(left.split()) > 4 and left.split()[4] == path and right:
            found = right.split()[0]
    return found
