"""What Docker's services need so that they run what their files say: pure, what was seen in, steps out.

Nothing is remembered from run to run. A daemon that is older than its file has not read it; the file's modification
time is that of the last change that only a restart makes effective (see the module docker_daemon_config), its change
time that of any change, and systemd knows when it last reloaded the daemon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping

DOCKER, SOCKET, CONTAINERD = "docker.service", "docker.socket", "containerd.service"
UNITS = (DOCKER, SOCKET, CONTAINERD)
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "MainPID",
    "ExecMainStartTimestamp",
    "StateChangeTimestamp",
)
TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))? UTC")

# Under live-restore containers outlive dockerd, but only while these stay as they are
# (https://docs.docker.com/engine/daemon/live-restore/). What `docker info` shows of them is compared in `obstacle`.
NOT_LIVE = frozenset((
    "bip",
    "bridge",
    "default-gateway",
    "default-gateway-v6",
    "exec-root",
    "fixed-cidr",
    "fixed-cidr-v6",
    "hosts",
    "iptables",
    "ip6tables",
    "mtu",
    "storage-opts",
    "userns-remap",
))  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A unit as systemd shows it; times are seconds since 1970, 0 where there is none."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    file_state: str = ""
    stale: bool = False
    process: int = 0
    started: float = 0
    changed: float = 0

    @property
    def installed(self) -> bool:
        """Whether the node has the unit, masked or not."""
        return self.load in ("loaded", "masked")

    @property
    def running(self) -> bool:
        """Whether it is up, or just now re-reads its configuration."""
        return self.active in ("active", "reloading")


@dataclass(frozen=True)
class Seen:
    """What was found on the node: times of files in seconds since 1970, 0 where a file is missing."""

    units: Mapping[str, Unit]
    config_modified: float = 0
    config_changed: float = 0
    containerd_modified: float = 0
    socket_exists: bool = True
    replaced: frozenset[str] = frozenset()  # daemons whose program was replaced on disk since they started

    def unit(self, name: str) -> Unit:
        """Return a unit; one that was not asked about is not there."""
        return self.units.get(name, Unit(name))


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order, and why."""

    unmask: list[str] = field(default_factory=list)
    reread: bool = False  # systemctl daemon-reload
    enable: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    reload: bool = False
    reasons: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.unmask or self.reread or self.enable or self.restart or self.start or self.reload)

    @property
    def disturbs(self) -> bool:
        """Whether running containers may notice.

        Re-reading the units counts: with the systemd cgroup driver it takes the GPUs from running containers
        (https://github.com/NVIDIA/nvidia-container-toolkit/issues/48).
        """
        return bool(self.restart or self.reread)

    def undisturbing(self) -> Plan:
        """Return what is left to be done while containers run."""
        return Plan(enable=self.enable if not self.unmask else [], start=self.start, reload=self.reload)

    def at_boot(self) -> Plan:
        """Return what makes the next boot bring everything, and starts nothing now."""
        return Plan(unmask=self.unmask, reread=self.reread, enable=self.enable, reasons=self.reasons)


def seconds(text: str) -> float:
    """Return a timestamp of `systemctl show --timestamp=us+utc` as seconds since 1970, 0 for none."""
    match = TIMESTAMP.search(text)
    if not match:
        return 0
    *parts, fraction = match.groups()
    moment = datetime(*map(int, parts), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    return moment.timestamp() + float("0." + (fraction or "0"))


def parse_units(text: str) -> dict[str, Unit]:
    """Return the units in the output of `systemctl show` by name."""
    units = {}
    for block in text.split("\n\n"):
        found = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        name = found.get("Id", "")
        if name:
            units[name] = Unit(
                name=name,
                load=found.get("LoadState", ""),
                active=found.get("ActiveState", ""),
                file_state=found.get("UnitFileState", ""),
                stale=found.get("NeedDaemonReload") == "yes",
                process=int(found.get("MainPID") or 0),
                started=seconds(found.get("ExecMainStartTimestamp", "")),
                changed=seconds(found.get("StateChangeTimestamp", "")),
            )
    return units


def masked(seen: Seen) -> list[str]:
    """Return the units that an admin masked; those that an interrupted installation masked are not among them."""
    return [name for name in UNITS if seen.unit(name).file_state == "masked"]


def judge(seen: Seen, started: bool = True) -> Plan:
    """Return what is to be done; with ``started`` false a daemon that does not run is left alone."""
    units = [unit for unit in map(seen.unit, UNITS) if unit.installed]
    if not any(unit.name == DOCKER for unit in units):
        return Plan()
    docker, containerd = seen.unit(DOCKER), seen.unit(CONTAINERD)
    reasons: list[str] = []
    restart: list[str] = []
    if containerd.running:
        because = []
        if seen.containerd_modified > containerd.started:
            because.append("containerd's configuration changed since it started")
        if CONTAINERD in seen.replaced:
            because.append("containerd was upgraded since it started")
        restart += [CONTAINERD] if because else []
        reasons += because
    if docker.running:
        because = []
        if seen.config_modified > docker.started:
            because.append("daemon.json changed since Docker started")
        if DOCKER in seen.replaced:
            because.append("Docker was upgraded since it started")
        restart += [DOCKER] if because else []
        if not seen.socket_exists:
            because.append("Docker's socket is gone")
            restart = [name for name in restart if name != DOCKER] + [SOCKET, DOCKER]
        reasons += because
    reload = docker.running and DOCKER not in restart and seen.config_changed > docker.changed
    reasons += ["daemon.json has keys that Docker has not read"] if reload else []
    unmask = [unit.name for unit in units if unit.file_state == "masked-runtime"] if started else []
    reread = [unit.name for unit in units if unit.stale]
    reasons += ["systemd has not read %s" % ", ".join(reread)] if reread else []
    start = [unit.name for unit in (containerd, docker) if unit.installed and not unit.running] if started else []
    reasons += ["%s does not run" % name for name in start]
    # A masked unit does not say whether it is enabled.
    enable = [unit.name for unit in units if unit.file_state in ("disabled", "masked-runtime")] if started else []
    reasons += ["%s is not enabled" % name for name in enable]
    return Plan(unmask, bool(reread or unmask), enable, restart, start, reload, reasons)


def obstacle(plan: Plan, running: int, info: Mapping[str, Any] | None, keys: Mapping[str, Any]) -> str:
    """Return why a plan has to wait, '' where it can be carried out.

    ``running`` is the number of containers, ``info`` what Docker says about itself (None where it does not answer),
    ``keys`` what daemon.json says.
    """
    if not running or not plan.disturbs:
        return ""
    if CONTAINERD in plan.restart:
        return "%s, and containerd is to be restarted" % count(running)
    if plan.reread:
        return "%s, and systemd would take their GPUs away while it reads its units again" % count(running)
    if info is None:
        return "%s, and Docker does not say whether they would survive" % count(running)
    if not info.get("LiveRestoreEnabled"):
        return "%s, and live-restore is not in effect" % count(running)
    differing = [
        key
        for key, shown in (("data-root", "DockerRootDir"), ("storage-driver", "Driver"))
        if key in keys and keys[key] != info.get(shown)
    ]
    # Whether these changed since the daemon started cannot be seen.
    unseen = sorted((NOT_LIVE & set(keys)) | ({"default-address-pools"} & set(keys) if _pools(info, keys) else set()))
    if differing or unseen:
        changes = ", ".join(differing + unseen)
        return "%s, and live-restore does not carry them over a change of %s" % (count(running), changes)
    return ""


def leaves_data(info: Mapping[str, Any] | None, keys: Mapping[str, Any]) -> str:
    """Return what an admin is to know about images that a change of data-root leaves behind, '' for nothing."""
    root = (info or {}).get("DockerRootDir")
    if not info or "data-root" not in keys or keys["data-root"] == root or not (info["Images"] or info["Containers"]):
        return ""
    return (
        "Docker's data moves from %s to %s, and %d images and %d containers stay behind unused: pull and create them "
        "anew, then delete %s" % (root, keys["data-root"], info["Images"], info["Containers"], root)
    )


def count(running: int) -> str:
    """Return in words how many containers run."""
    return "1 container runs" if running == 1 else "%d containers run" % running


def _pools(info: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Tell whether the address pools in the file differ from those in use."""

    def plain(pools: Any) -> list[tuple[str, int]]:
        pools = pools if isinstance(pools, list) else []
        return [(str(pool.get("base", pool.get("Base"))), int(pool.get("size", pool.get("Size", 0)))) for pool in pools]

    return plain(keys.get("default-address-pools")) != plain(info.get("DefaultAddressPools"))
