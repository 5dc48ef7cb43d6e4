"""Podman: argument lists (pure), and the one object that runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .process import Result, Runner
from .state import write_atomically

LABEL = "slipway.sandbox"
# The most that is asked for; podman's own defaults are higher than some hosts allow.
NOFILE_CEILING = 1048576
SYSTEMD = "/lib/systemd/systemd"


def containers_conf(flavour: str, nofile: int, nproc: int, pid_max: int) -> str:
    """The sandbox's own podman settings; the machine's stay untouched.

    crun refuses v1 hierarchies. A limit above the hard one is refused without CAP_SYS_RESOURCE
    (-1 is "no limit"), so the machine's own limits are passed on; podman itself lowers its
    process limit to the kernel's highest process number.
    """
    runtime = "crun" if flavour == "v2" else "runc"
    files = NOFILE_CEILING if nofile < 0 else min(nofile, NOFILE_CEILING)
    processes = pid_max if nproc < 0 else min(nproc, pid_max)
    return (
        "[containers]\n"
        # A node's /etc/hosts must not begin with the names of the machine.
        'base_hosts_file = "none"\n'
        f'default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
        "[engine]\n"
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        f'runtime = "{runtime}"\n'
        "[network]\n"
        'network_backend = "netavark"\n'
        # Newer ones take nftables by themselves, and leave a table behind that `down` does not know.
        'firewall_driver = "iptables"\n'
    )


@dataclass(frozen=True)
class NodeContainer:
    """What `podman run` must know to start a node."""

    node: str
    role: str
    address: str
    image: str
    network: str
    identity: str
    sandbox: str
    distribution: str
    state: Path
    flavour: str

    @property
    def name(self) -> str:
        return f"{self.sandbox}-{self.node}"

    def labels(self) -> dict[str, str]:
        return {
            LABEL: self.identity,
            f"{LABEL}.node": self.node,
            f"{LABEL}.role": self.role,
            f"{LABEL}.address": self.address,
            f"{LABEL}.distribution": self.distribution,
        }


def label_arguments(labels: Mapping[str, str]) -> list[str]:
    return [f"--label={key}={value}" for key, value in labels.items()]


def flavour_arguments(flavour: str) -> tuple[list[str], list[str]]:
    """Podman's options and systemd's command line.

    On a v1 host podman must not know that it runs systemd: it would mount the host's systemd
    hierarchy into the node, and enroot's cgroups hook fails there.
    """
    if flavour == "v2":
        return ["--systemd=always"], [SYSTEMD]
    legacy = ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0"]
    return ["--systemd=false"], [SYSTEMD, *legacy]


def run_arguments(node: NodeContainer) -> list[str]:
    options, command = flavour_arguments(node.flavour)
    return [
        "run",
        "--detach",
        f"--name={node.name}",
        f"--hostname={node.node}",
        f"--network={node.network}:ip={node.address},alias={node.node}",
        *label_arguments(node.labels()),
        "--privileged",
        *options,
        "--cgroupns=private",
        "--tmpfs=/run:mode=755,exec",
        "--tmpfs=/run/lock",
        "--tmpfs=/tmp:mode=1777,exec",
        "--env=container=podman",
        "--stop-signal=SIGRTMIN+3",
        # The node's own disk: layers need extended attributes and device nodes, which the root's overlay refuses.
        "--volume=/scratch",
        f"--volume={node.state}/home:/home",
        f"--volume={node.state}/images:/images",
        f"--volume={node.state}/seed:/etc/slipway-sandbox:ro",
        node.image,
        *command,
    ]


def exec_arguments(container: str, command: Sequence[str], user: str = "root", interactive: bool = False) -> list[str]:
    """A command as a user sees it after login; podman itself would leave HOME at root's."""
    home = "/root" if user == "root" else f"/home/{user}"
    return [
        "exec",
        *(["--interactive", "--tty"] if interactive else []),
        f"--user={user}",
        f"--workdir={home}",
        f"--env=HOME={home}",
        f"--env=USER={user}",
        f"--env=LOGNAME={user}",
        "--env=SHELL=/bin/bash",
        "--env=LANG=C.UTF-8",
        container,
        *command,
    ]


@dataclass(frozen=True)
class Podman:
    runner: Runner
    configuration: Path

    @classmethod
    def prepare(cls, runner: Runner, directory: Path, text: str) -> Podman:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / "containers.conf"
        write_atomically(path, text)
        return cls(runner, path)

    @property
    def environment(self) -> dict[str, str]:
        return {"CONTAINERS_CONF": str(self.configuration)}

    def __call__(self, *arguments: str, timeout: float = 300, accept: Sequence[int] | None = (0,)) -> Result:
        return self.runner.run(["podman", *arguments], environment=self.environment, timeout=timeout, accept=accept)

    def execute(
        self,
        container: str,
        *command: str,
        user: str = "root",
        timeout: float = 120,
        accept: Sequence[int] | None = (0,),
    ) -> Result:
        return self(*exec_arguments(container, command, user), timeout=timeout, accept=accept)

    def query(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--format=json").stdout or "[]") or []

    def containers(self, identity: str) -> list[dict[str, Any]]:
        filters = f"--filter=label={LABEL}={identity}"
        found: list[dict[str, Any]] = self.query("ps", "--all", filters)
        return found

    def networks_in_use(self) -> bool:
        return any(container.get("Networks") for container in self.query("ps"))
