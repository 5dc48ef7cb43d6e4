"""What a node with NVIDIA GPUs says about its container toolkit. Reads, changes nothing."""

from __future__ import annotations

import os
from glob import glob
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import command, nvidia_toolkit

DEVICES = "/dev"
PROC_DRIVER = "/proc/driver/nvidia"
PROGRAM = "nvidia-ctk"
CDI_FILE = "/var/run/cdi/nvidia.yaml"
UVM = "nvidia-uvm"
UNITS = (*nvidia_toolkit.REFRESH_UNITS, nvidia_toolkit.PERSISTENCE_UNIT)
UNIT_PROPERTIES = "--property=Id,LoadState,ActiveState,UnitFileState"
MIG_INSTANCES = "capabilities/gpu*/mig/gi*/ci*"
SECONDS = 30


def read(path: str) -> str:
    """Return a file's text, '' where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def driver() -> str:
    """Return the version of the loaded driver, '' where none is loaded."""
    return nvidia_toolkit.driver_version(read(os.path.join(PROC_DRIVER, "version")))


def gpus() -> set[int]:
    """Return the numbers of the GPUs' device nodes."""
    return nvidia_toolkit.gpu_numbers(os.listdir(DEVICES))


def cuda_device() -> bool:
    """Return whether CUDA's device is there."""
    return os.path.exists(os.path.join(DEVICES, UVM))


def specification_problem(path: str) -> str:
    """Return why the CDI specification in a file is not that of this node now, '' when it is."""
    instances = len(glob(os.path.join(PROC_DRIVER, MIG_INSTANCES)))
    return nvidia_toolkit.specification_problem(read(path), gpus(), driver(), instances)


def show_command() -> list[str]:
    """Return the command whose output ``nvidia_toolkit.parse_units`` reads."""
    return ["systemctl", "show", UNIT_PROPERTIES, *UNITS]


def gather(vendor: str) -> dict[str, Any] | None:
    """Return ``ansible_facts.nvidia`` (docs/develop/interfaces.md), None where the GPUs are not NVIDIA's."""
    if vendor != "nvidia":
        return None
    shown = command.run(show_command(), SECONDS)
    return {
        "driver": driver(),
        "gpus": sorted(gpus()),
        "cuda_device": cuda_device(),
        "specification_problem": specification_problem(CDI_FILE),
        "units": nvidia_toolkit.parse_units(shown.stdout) if shown.succeeded else None,
    }
