"""What this machine is, and the tools it must have."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import CommandError, SandboxError
from .process import Runner

ADMINISTRATION_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"
HELPERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman")


@dataclass(frozen=True)
class Tool:
    """A program or file the sandbox uses, and the package that brings it."""

    probe: str
    apt: str
    dnf: str


TOOLS = (
    Tool("podman", "podman", "podman"),
    Tool("netavark", "netavark", "netavark"),
    Tool("aardvark-dns", "aardvark-dns", "aardvark-dns"),
    Tool("iptables", "iptables", "iptables-nft"),
    Tool("mmdebstrap", "mmdebstrap", "mmdebstrap"),
    Tool(
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
        "debian-keyring",
    ),
    Tool("skopeo", "skopeo", "skopeo"),
    Tool("dpkg-scanpackages", "dpkg-dev", "dpkg-dev"),
    Tool("gpg", "gnupg", "gnupg2"),
    Tool("ssh-keygen", "openssh-client", "openssh-clients"),
)
RPMBUILD = Tool("rpmbuild", "rpm", "rpm-build")
RUNTIMES = {"v1": Tool("runc", "runc", "runc"), "v2": Tool("crun", "crun", "crun")}


def cgroup_flavour(filesystem: str) -> str:
    """`tmpfs` holds v1 hierarchies (alone or beside an empty v2 one); runc is for those."""
    return "v2" if filesystem == "cgroup2fs" else "v1"


def detect_cgroup(runner: Runner) -> str:
    return cgroup_flavour(runner.run(["stat", "-fc", "%T", "/sys/fs/cgroup"]).stdout.strip())


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {key: value.strip("\"'") for key, separator, value in pairs if separator}


def present(tool: Tool) -> bool:
    if tool.probe.startswith("/"):
        return Path(tool.probe).exists()
    # An ordinary PATH may lack the directories where firewall tools are kept.
    path = f"{os.environ.get('PATH', '')}:{ADMINISTRATION_PATHS}:{':'.join(HELPERS)}"
    return shutil.which(tool.probe, path=path) is not None


def missing_tools(flavour: str, distribution: str | None) -> list[Tool]:
    wanted = [*TOOLS, RUNTIMES[flavour], *([RPMBUILD] if distribution == "rocky" else [])]
    return [tool for tool in wanted if not present(tool)]


def install_command(release: Mapping[str, str], tools: Iterable[Tool]) -> list[str]:
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if family & {"debian", "ubuntu"}:
        return ["apt-get", "install", "-y", *(tool.apt for tool in tools)]
    if family & {"fedora", "rhel"}:
        return ["dnf", "install", "-y", *(tool.dnf for tool in tools)]
    names = ", ".join(tool.apt for tool in tools)
    raise SandboxError(f"these programs are missing, by Debian's package names: {names}")


def require_tools(runner: Runner, flavour: str, distribution: str | None) -> list[str]:
    """Install what is missing where that is this program's business; return the package names."""
    missing = missing_tools(flavour, distribution)
    if not missing:
        return []
    command = install_command(os_release(), missing)
    if os.geteuid() != 0 or command[0] != "apt-get":
        raise SandboxError(f"programs are missing; install them with: sudo {' '.join(command)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    bare = [*command[:3], "--no-install-recommends", *command[3:]]
    try:
        runner.run(bare, environment=environment)
    except CommandError:
        # Most often the package lists are old or were never fetched.
        runner.run(["apt-get", "update"], environment=environment)
        runner.run(bare, environment=environment)
    return command[3:]


def require_root() -> None:
    if os.geteuid() != 0:
        raise SandboxError("the sandbox needs root: its nodes run systemd and confine jobs with cgroups; use sudo")
    if platform.system() != "Linux":
        raise SandboxError("the sandbox runs on Linux only")
