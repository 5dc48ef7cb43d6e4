"""nvidia-container-runtime-hook: what `docker run --gpus` has runc call before a container's first process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from . import Device, StandinError, devices, select
from .runtime import environment

CGROUP = Path("/sys/fs/cgroup")


def allow(process: int, device: Device) -> None:
    """Let the container use a device. In cgroup v2 that is a program in the kernel, which this is not made for."""
    for line in Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8").splitlines():
        _number, controllers, path = line.split(":", 2)
        if "devices" in controllers.split(","):
            rules = CGROUP / "devices" / path.lstrip("/") / "devices.allow"
            rules.write_text(f"c {device.major}:{device.minor} rwm", encoding="ascii")


def make(process: int, root: Path, device: Device) -> None:
    """Make the device node in the mount namespace of the container, where its root is not / yet."""
    node = f"{root}{device.path}"
    command = ["mknod", "-m", "666", node, "c", str(device.major), str(device.minor)]
    subprocess.run(["nsenter", f"--target={process}", "--mount", *command], check=True)


def prestart() -> None:
    state = json.load(sys.stdin)
    bundle = Path(state.get("bundle") or state["bundlePath"])
    specification = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    root = Path(os.path.join(bundle, specification["root"]["path"]))
    for device in select(environment(specification).get("NVIDIA_VISIBLE_DEVICES", ""), devices()):
        make(state["pid"], root, device)
        allow(state["pid"], device)


def main(arguments: list[str]) -> int:
    if arguments[-1:] == ["prestart"]:
        try:
            prestart()
        except (StandinError, OSError, subprocess.CalledProcessError) as error:
            print(f"nvidia-container-runtime-hook: {error}", file=sys.stderr)
            return 1
    return 0
