"""nvidia-container-cli: what enroot's hook calls in a container's namespaces, and what people look with."""

from __future__ import annotations

import sys

from . import StandinError, devices, select, version

USAGE = "usage: nvidia-container-cli [--user] [--load-kmods] info|list|configure|--version"


def information() -> str:
    lines = ["NVRM version:   0.0 (STAND-IN)", "CUDA version:   0.0 (STAND-IN)", ""]
    for device in devices():
        lines += [
            f"Device Index:   {device.index}",
            f"Device Minor:   {device.minor}",
            "Model:          STAND-IN for a GPU",
            f"GPU UUID:       {device.uuid}",
            "",
        ]
    return "\n".join(lines)


def configure(words: list[str]) -> None:
    """Judges the call only: enroot shows the node's /dev to every container, as long as it is not restricted."""
    wanted = [word.removeprefix("--device=") for word in words if word.startswith("--device=")]
    if not words or words[-1].startswith("--"):
        raise StandinError("missing argument: ROOTFS")
    for names in wanted:
        select(names, devices())


def main(arguments: list[str]) -> int:
    words = [word for word in arguments if word not in ("--user", "--load-kmods", "-k", "-u")]
    command, rest = (words or [""])[0], words[1:]
    try:
        if command in ("--version", "-V"):
            print(f"cli-version: {version()}\nlib-version: {version()}\nSTAND-IN of Slipway's sandbox")
        elif command == "info":
            print(information())
        elif command == "list":
            print("\n".join(str(device.path) for device in devices()))
        elif command == "configure":
            configure(rest)
        else:
            raise StandinError(USAGE)
    except StandinError as error:
        print(f"nvidia-container-cli: {error}", file=sys.stderr)
        return 1
    return 0
