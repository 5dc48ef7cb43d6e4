"""CPU seconds: of the programs that this process has started, and of the sandbox's nodes."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """What something took, in seconds: by the clock, and of processors here and on the nodes."""

    wall: float
    control: float
    nodes: float


def of_children() -> float:
    """Return the CPU seconds of all programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_containers(identities: Iterable[str], cgroups: Path = CGROUPS) -> float:
    """Return the CPU seconds of containers since their start, under either version of control groups."""
    return sum(_of_container(identity, cgroups) for identity in identities)


def _of_container(identity: str, cgroups: Path) -> float:
    for directory in sorted(cgroups.glob(f"cpuacct/**/libpod-{identity}*")):
        return int((directory / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
    for directory in sorted(cgroups.glob(f"**/libpod-{identity}*")):
        if (directory / "cpu.stat").exists():
            fields = dict(line.split() for line in (directory / "cpu.stat").read_text(encoding="ascii").splitlines())
            return int(fields["usage_usec"]) / 1e6
    return 0.0
