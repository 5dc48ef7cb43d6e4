"""As much TOML as config.toml has: tables one level deep, texts, numbers, booleans and lists of texts."""

from __future__ import annotations

import json
import re
from typing import Any

import tomllib

# The defaults that NVIDIA documents, without its comments.
DEFAULTS: dict[str, Any] = {
    "disable-require": False,
    "supported-driver-capabilities": "compat32,compute,display,graphics,ngx,utility,video",
    "nvidia-container-cli": {"environment": [], "ldconfig": "@/sbin/ldconfig", "load-kmods": True},
    "nvidia-container-runtime": {"log-level": "info", "mode": "auto", "runtimes": ["runc", "crun"]},
    "nvidia-container-runtime-hook": {"path": "nvidia-container-runtime-hook", "skip-mode-detection": False},
    "nvidia-ctk": {"path": "nvidia-ctk"},
}


def parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def dump(settings: dict[str, Any]) -> str:
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [f"{key} = {value_text(plain[key])}" for key in sorted(plain)]
    for name in sorted(tables):
        lines += ["", f"[{name}]", *(f"{key} = {value_text(tables[name][key])}" for key in sorted(tables[name]))]
    return "\n".join(lines) + "\n"


def value_text(value: Any) -> str:
    # JSON's texts, numbers, booleans and lists are TOML's.
    return json.dumps(value)


def assign(settings: dict[str, Any], assignment: str) -> None:
    """Do what `--set key=value` does: a key without a value is true, and a list is separated by colons."""
    key, separator, text = assignment.partition("=")
    table, _dot, name = key.rpartition(".")
    place = settings.setdefault(table, {}) if table else settings
    old = place.get(name)
    if not separator or text in ("true", "false"):
        place[name] = text != "false"
    elif isinstance(old, list):
        place[name] = re.split("[:,]", text)
    else:
        place[name] = text
