"""The stand-in for the NVIDIA container toolkit: the same commands and files, and simulated GPUs."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DEV = Path("/dev")
ALL, VOID = "all", ("", "void")


class StandinError(Exception):
    """Ends a command with a message."""


def version() -> str:
    """The version of the package that this file came with."""
    return (Path(__file__).parent / "version").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Device:
    """A simulated GPU: a device node with numbers of its own."""

    index: int
    path: Path
    major: int
    minor: int

    @property
    def uuid(self) -> str:
        return f"GPU-00000000-0000-0000-0000-{self.index:012d}"


def devices(directory: Path = DEV) -> list[Device]:
    """The node's simulated GPUs, in their order."""
    found = []
    for path in directory.glob("nvidia[0-9]*"):
        status = path.stat()
        if re.fullmatch("nvidia[0-9]+", path.name) and stat.S_ISCHR(status.st_mode):
            numbers = os.major(status.st_rdev), os.minor(status.st_rdev)
            found.append(Device(int(path.name.removeprefix("nvidia")), path, *numbers))
    return sorted(found, key=lambda device: device.index)


def select(wanted: str, present: Iterable[Device]) -> list[Device]:
    """What NVIDIA_VISIBLE_DEVICES names; raises StandinError for a device that is not there."""
    known = list(present)
    if wanted in (*VOID, "none"):
        return []
    if wanted == ALL:
        return known
    names = {str(device.index): device for device in known} | {device.uuid: device for device in known}
    unknown = [name for name in wanted.split(",") if name not in names]
    if unknown:
        raise StandinError(f"device error: {unknown[0]}: unknown device")
    return [names[name] for name in wanted.split(",")]
