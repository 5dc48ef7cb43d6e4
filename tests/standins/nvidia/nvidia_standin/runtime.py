"""nvidia-container-runtime: gives a container the devices that its environment names, then it is runc."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from . import Device, StandinError, devices, select

LOW_LEVEL = "runc"


def environment(specification: dict[str, Any]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in specification.get("process", {}).get("env", []))
    return {key: value for key, _, value in pairs}


def add(specification: dict[str, Any], chosen: list[Device]) -> None:
    """Make the device nodes in the container, and let its cgroup use them."""
    linux = specification.setdefault("linux", {})
    nodes = linux.setdefault("devices", [])
    rules = linux.setdefault("resources", {}).setdefault("devices", [])
    for device in chosen:
        numbers = {"major": device.major, "minor": device.minor}
        nodes.append({"path": str(device.path), "type": "c", "fileMode": 0o666, "uid": 0, "gid": 0, **numbers})
        rules.append({"allow": True, "type": "c", "access": "rwm", **numbers})


def bundle_of(arguments: list[str]) -> Path:
    for number, word in enumerate(arguments):
        if word in ("--bundle", "-b"):
            return Path(arguments[number + 1])
        if word.startswith("--bundle="):
            return Path(word.removeprefix("--bundle="))
    return Path()


def prepare(bundle: Path) -> None:
    """Write the wanted devices into a bundle's config.json; raises StandinError for one that is not there."""
    path = bundle / "config.json"
    specification = json.loads(path.read_text(encoding="utf-8"))
    wanted = environment(specification).get("NVIDIA_VISIBLE_DEVICES", "")
    add(specification, select(wanted, devices()))
    path.write_text(json.dumps(specification), encoding="utf-8")


def main(arguments: list[str]) -> int:
    if {"create", "run"} & set(arguments):
        try:
            prepare(bundle_of(arguments))
        except StandinError as error:
            print(f"nvidia-container-runtime: {error}", file=sys.stderr)
            return 1
    os.execvp(LOW_LEVEL, [LOW_LEVEL, *arguments])
    return 0
