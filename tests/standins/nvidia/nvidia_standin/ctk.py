"""nvidia-ctk: config, cdi generate, cdi list, runtime configure."""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import StandinError, devices, toml, version

CONFIG = "/etc/nvidia-container-runtime/config.toml"
SPEC_DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
DAEMON = "/etc/docker/daemon.json"
KIND = "nvidia.com/gpu"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(path)


def config(options: argparse.Namespace) -> None:
    path = Path(options.config_file)
    settings = toml.parse(path.read_text(encoding="utf-8")) if path.is_file() else copy.deepcopy(toml.DEFAULTS)
    for assignment in options.set:
        toml.assign(settings, assignment)
    output = options.config_file if options.in_place else options.output
    if output:
        write(Path(output), toml.dump(settings))
    else:
        sys.stdout.write(toml.dump(settings))


def specification() -> dict[str, Any]:
    """The CDI specification of the simulated GPUs, by index, by UUID, and all of them."""
    found = devices()
    if not found:
        raise StandinError("failed to generate CDI spec: failed to initialize NVML: Driver Not Loaded")
    names: dict[str, list[str]] = {str(device.index): [str(device.path)] for device in found}
    names |= {device.uuid: [str(device.path)] for device in found}
    names["all"] = [str(device.path) for device in found]
    return {
        "cdiVersion": "0.5.0",
        "kind": KIND,
        "devices": [
            {"name": name, "containerEdits": {"deviceNodes": [{"path": path} for path in paths]}}
            for name, paths in names.items()
        ],
        "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
    }


def generate(options: argparse.Namespace) -> None:
    # JSON is YAML.
    text = json.dumps(specification(), indent=2) + "\n"
    output = options.output or os.environ.get("NVIDIA_CTK_CDI_OUTPUT_FILE_PATH")
    if output:
        write(Path(output), text)
    else:
        sys.stdout.write(text)


def listing(_options: argparse.Namespace) -> None:
    for directory in SPEC_DIRECTORIES:
        for path in sorted(Path(directory).glob("*.yaml")):
            content = json.loads(path.read_text(encoding="utf-8"))
            for device in content["devices"]:
                print(f"{content['kind']}={device['name']}")


def configure(options: argparse.Namespace) -> None:
    path = Path(options.config)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    settings = json.loads(text or "{}")
    runtimes = settings.setdefault("runtimes", {})
    runtimes["nvidia"] = {"args": [], "path": "nvidia-container-runtime"}
    if options.set_as_default:
        settings["default-runtime"] = "nvidia"
    if options.cdi_enabled:
        settings.setdefault("features", {})["cdi"] = True
    write(path, json.dumps(settings, indent=4) + "\n")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="nvidia-ctk")
    text = f"NVIDIA Container Toolkit CLI version {version()}\nSTAND-IN of Slipway's sandbox"
    top.add_argument("--version", "-v", action="version", version=text)
    top.add_argument("--quiet", action="store_true")
    commands = top.add_subparsers(required=True)

    command = commands.add_parser("config")
    command.add_argument("--config-file", "--config", "-c", default=CONFIG)
    command.add_argument("--set", action="append", default=[])
    command.add_argument("--in-place", "-i", action="store_true")
    command.add_argument("--output", "-o", default="")
    command.set_defaults(act=config)

    cdi = commands.add_parser("cdi").add_subparsers(required=True)
    command = cdi.add_parser("generate")
    command.add_argument("--output", default="")
    command.set_defaults(act=generate)
    cdi.add_parser("list").set_defaults(act=listing)

    command = commands.add_parser("runtime").add_subparsers(required=True).add_parser("configure")
    command.add_argument("--runtime", choices=["docker"], default="docker")
    command.add_argument("--config", default=DAEMON)
    command.add_argument("--set-as-default", action="store_true")
    command.add_argument("--cdi.enabled", dest="cdi_enabled", action="store_true")
    command.set_defaults(act=configure)
    return top


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        options.act(options)
    except StandinError as error:
        print(f'level=error msg="{error}"', file=sys.stderr)
        return 1
    return 0
