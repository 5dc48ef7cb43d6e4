"""What the toolkit and the driver leave on a node, judged from values.

The texts of the driver and of nvidia-ctk are not recorded, because neither runs here. Their form is taken from
NVIDIA's documentation (driver 550 and 560, nvidia-ctk 1.18) and from the source of nvidia-container-toolkit 1.20.
"""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import nvidia_toolkit as toolkit

CLOSED = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024
GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)
"""
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  (dvs-builder@U16-I3)\n"
SPECIFICATION = """---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidia-modeset
  - path: /dev/nvidia-uvm
  - path: /dev/nvidiactl
  hooks:
  - args: [nvidia-cdi-hook, create-symlinks, --link, libcuda.so.550.54.15::/usr/lib/libcuda.so.1]
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/card1
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
    - path: /dev/nvidia-caps/nvidia-cap12
  name: "1:0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
  name: all
kind: nvidia.com/gpu
"""


@pytest.mark.parametrize(
    ("text", "version"), [(CLOSED, "550.54.15"), (OPEN, "560.35.03"), ("", ""), ("something else 1.2.3 x\n", "")]
)
def test_the_loaded_driver(text: str, version: str) -> None:
    assert toolkit.driver_version(text) == version


def test_the_gpus_device_nodes() -> None:
    names = ["null", "nvidia0", "nvidia12", "nvidiactl", "nvidia-uvm", "nvidia-caps", "nvidia1x"]
    assert toolkit.gpu_numbers(names) == {0, 12}


@pytest.mark.case("E10")
@pytest.mark.parametrize(
    ("text", "gpus", "driver", "mig", "problem"),
    [
        (SPECIFICATION, {0, 1}, "550.54.15", 1, ""),
        # Where no driver says its version, there is nothing to compare.
        (SPECIFICATION, {0, 1}, "", 1, ""),
        ("", {0}, "550.54.15", 0, "there is none"),
        (SPECIFICATION, {0}, "550.54.15", 1, "it names the GPUs 0, 1, and the node has 0"),
        (SPECIFICATION, {0, 1, 2}, "550.54.15", 1, "it names the GPUs 0, 1, and the node has 0, 1, 2"),
        (SPECIFICATION, {0, 1}, "560.35.03", 1, "it is for driver 550.54.15, and 560.35.03 is loaded"),
        (SPECIFICATION, {0, 1}, "550.54.15", 7, "it has 1 MIG devices, and the node has 7"),
        ("kind: nvidia.com/gpu\n", {0}, "", 0, "it names the GPUs none, and the node has 0"),
        ('{"devices": [{"path": "/dev/nvidia0"}, {"path": "/dev/nvidia1"}]}', {0, 1}, "1.2", 0, ""),
        ('{"name": "0:1", "path": "/dev/nvidia0"}', {0}, "", 1, ""),
    ],
)
def test_whether_a_specification_is_of_now(text: str, gpus: set[int], driver: str, mig: int, problem: str) -> None:
    assert toolkit.specification_problem(text, gpus, driver, mig) == problem


@pytest.mark.case("P10")
def test_keys_as_nvidia_ctk_takes_them() -> None:
    config = {
        "nvidia-container-cli.no-cgroups": False,
        "nvidia-container-runtime.mode": "legacy",
        "nvidia-container-runtime.runtimes": ["crun", "runc"],
    }
    assert toolkit.set_arguments(config) == [
        "--set=nvidia-container-cli.no-cgroups=false",
        "--set=nvidia-container-runtime.mode=legacy",
        "--set=nvidia-container-runtime.runtimes=crun:runc",
    ]


@pytest.mark.parametrize("value", [None, {"no-cgroups": True}, "two\nlines", ["a:b"]])
def test_a_value_that_nvidia_ctk_cannot_take(value: object) -> None:
    with pytest.raises(ValueError, match=r"the value of nvidia-container-cli\.x"):
        toolkit.set_arguments({"nvidia-container-cli.x": value})


def unit(name: str, load: str = "loaded", active: str = "active", file: str = "enabled") -> str:
    return "Id=%s\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n" % (name, load, active, file)


PERSISTENCED, PATH, SERVICE = "nvidia-persistenced.service", "nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service"


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        (unit(PATH) + "\n" + unit(SERVICE, active="inactive") + "\n" + unit(PERSISTENCED), []),
        (unit(PATH, "not-found", "inactive", ""), []),
        ("", []),
        (unit(PATH, active="inactive", file="disabled"), [("enable", PATH), ("start", PATH)]),
        (unit(SERVICE, active="inactive", file="disabled"), [("enable", SERVICE)]),
        (unit(PERSISTENCED, active="inactive", file="disabled"), [("enable", PERSISTENCED), ("start", PERSISTENCED)]),
        (unit(PERSISTENCED, active="failed", file="static"), [("start", PERSISTENCED)]),
        (unit(PERSISTENCED, load="masked", active="inactive", file="masked"), []),
    ],
)
def test_what_is_done_to_the_units(text: str, actions: list[tuple[str, str]]) -> None:
    assert toolkit.unit_actions(toolkit.parse_units(text), persistence=True, driver=True, started=True) == actions


def test_the_persistence_daemon_is_left_alone() -> None:
    units = toolkit.parse_units(unit(PERSISTENCED, active="inactive", file="disabled"))
    assert toolkit.unit_actions(units, persistence=False, driver=True, started=True) == []
    assert toolkit.unit_actions(units, persistence=True, driver=False, started=True) == [("enable", PERSISTENCED)]
