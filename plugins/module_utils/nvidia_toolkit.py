"""What the NVIDIA container toolkit and the driver leave on a node, judged.

Pure: the module ``nvidia_container_toolkit`` reads, runs and writes.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

# /proc/driver/nvidia/version: "… Kernel Module  550.54.15  …", "… Open Kernel Module for x86_64  560.35.03  …".
DRIVER = re.compile(r"^NVRM version: .*?Kernel Module.*?\s([0-9]+(?:\.[0-9]+)+)\s", re.MULTILINE)
GPU_NODE = re.compile(r"nvidia([0-9]+)")
# A CDI specification is YAML or JSON, and a node's Python may have no YAML.
SPEC_NODE = re.compile(r"/dev/nvidia([0-9]+)(?![\w-])")
SPEC_MIG = re.compile(r"""\bname["']?:\s*["']?([0-9]+:[0-9]+)["']?""")
SPEC_DRIVER = re.compile(r"lib(?:cuda|nvidia-ml)\.so\.([0-9]+(?:\.[0-9]+)+)")

PERSISTENCE_UNIT = "nvidia-persistenced.service"
REFRESH_UNITS = ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service")


def driver_version(text: str) -> str:
    """Return the version of the loaded driver, '' where none is loaded."""
    found = DRIVER.search(text)
    return found.group(1) if found else ""


def gpu_numbers(names: Iterable[str]) -> set[int]:
    """Return the numbers of the GPUs' device nodes among the names below /dev."""
    return {int(found.group(1)) for name in names if (found := GPU_NODE.fullmatch(name))}


def specification_problem(text: str, gpus: set[int], driver: str, mig_devices: int) -> str:
    """Return why a CDI specification is not that of this node now, '' when it is.

    ``text`` is the specification, '' for none. ``gpus`` are the numbers of the device nodes, ``driver`` is the loaded
    driver's version or '', and ``mig_devices`` how many MIG compute instances there are.
    """
    if not text.strip():
        return "there is none"
    named = {int(number) for number in SPEC_NODE.findall(text)}
    if named != gpus:
        return "it names the GPUs %s, and the node has %s" % (_listing(named), _listing(gpus))
    versions = set(SPEC_DRIVER.findall(text))
    if driver and versions and driver not in versions:
        return "it is for driver %s, and %s is loaded" % (", ".join(sorted(versions)), driver)
    found = len(set(SPEC_MIG.findall(text)))
    if found != mig_devices:
        return "it has %d MIG devices, and the node has %d" % (found, mig_devices)
    return ""


def _listing(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"


def set_arguments(config: Mapping[str, Any]) -> list[str]:
    """Return the options of `nvidia-ctk config` for dotted keys; raises ValueError for what it cannot say."""
    return ["--set=%s=%s" % (key, _value(str(key), config[key])) for key in sorted(config)]


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        texts = [str(item) for item in value]
        # nvidia-ctk separates a list at colons.
        if any(":" in text or "\n" in text for text in texts):
            raise ValueError("the value of %s has a colon in it, at which nvidia-ctk would part it" % key)
        return ":".join(texts)
    if value is None or isinstance(value, Mapping) or "\n" in str(value):
        raise ValueError("the value of %s is neither text, number, boolean nor list" % key)
    return str(value)


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """Return what `systemctl show` says, by unit."""
    units = {}
    for block in text.strip().split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in fields:
            units[fields["Id"]] = fields
    return units


def unit_actions(
    units: Mapping[str, Mapping[str, str]], persistence: bool, driver: bool, started: bool
) -> list[tuple[str, str]]:
    """Return (systemctl's verb, unit) of what is to be done to the units.

    A unit that is not there or that an admin masked is left alone; one that another unit starts (static) is not
    enabled. The persistence daemon does not start without a driver, and nothing does unless it is to be ``started``.
    """
    wanted = [*REFRESH_UNITS, *([PERSISTENCE_UNIT] if persistence else [])]
    actions = []
    for name in wanted:
        unit = units.get(name, {})
        if unit.get("LoadState") != "loaded":
            continue
        if unit.get("UnitFileState") == "disabled":
            actions.append(("enable", name))
        runs = unit.get("ActiveState") in ("active", "activating")
        if started and not runs and (name.endswith(".path") or (name == PERSISTENCE_UNIT and driver)):
            actions.append(("start", name))
    return actions


def settled(found: Mapping[str, Any] | None, config: Mapping[str, Any], persistence: bool, started: bool) -> bool:
    """Return whether the facts of a node show that nothing is to be done besides its packages and files.

    Keys of config.toml are compared by nvidia-ctk alone. A node without GPUs has no such facts; it is asked all the
    same, because ansible-core up to 2.18 evaluates both sides of an `or`.
    """
    if not found or config or found["units"] is None:
        return False
    uses = bool(found["driver"] or found["gpus"])
    return (
        (found["cuda_device"] or not found["driver"])
        and not (uses and found["specification_problem"])
        and not unit_actions(found["units"], persistence, uses, started)
    )
