"""What a lifecycle hook costs: the bytes of its bundle, and its seconds on nodes.

`bench/run.py bundle` prints the size of a site's bundle. The seconds need nodes that a bundle lies on: ``measure``
takes a way to run a command on one of them. Nothing calls it yet: tests/lifecycle times its runs itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MEBIBYTE = 1 << 20
ROW = "{:<36} {:>8} {:>8}"
WHEELS = "wheels"


@dataclass(frozen=True)
class HookRun:
    """One run of a hook on a node; ``seconds`` with the bootstrap, ``steps`` by name as the report has them."""

    node: str
    seconds: float
    changed: bool
    steps: Mapping[str, float]


def measure(ask: Callable[[str], str], node: str, hook: str, command: str) -> HookRun:
    """Run a hook once and read its report; raises what ``ask`` raises where the hook fails.

    ``ask`` runs a shell command on the node and returns what it prints; ``command`` starts the hook.
    """
    begin = time.monotonic()
    ask("%s > /dev/null" % command)
    seconds = time.monotonic() - begin
    report = json.loads(ask("cat /var/log/slipway/%s.json" % hook))
    return HookRun(node, seconds, report["changed"], {step["name"]: step["duration"] for step in report["steps"]})


def sizes(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each part of a bundle, from its manifest: code, wheels, artifacts, site, plugins."""
    found: dict[str, int] = {}
    for name, entry in manifest["files"].items():
        part = name.partition("/")[0]
        found[part] = found.get(part, 0) + entry["size"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def unpacked(manifest: Mapping[str, Any], kind: str) -> int:
    """Return the bytes of the wheels that a node of a kind (``3.13/x86_64``) unpacks, still packed."""
    return sum(manifest["files"]["%s/%s" % (WHEELS, name)]["size"] for name in manifest["wheels"][kind])


def size_table(manifest: Mapping[str, Any], bundle_bytes: int) -> str:
    """Return the size of a bundle as a table, in MiB."""
    lines = [ROW.format("bundle", "MiB", "files")]
    names = list(manifest["files"])
    for part, count in sizes(manifest).items():
        files = sum(name.startswith(part + "/") for name in names)
        lines.append(ROW.format("  " + part, "%.1f" % (count / MEBIBYTE), files))
    for kind in manifest["wheels"]:
        wheels = manifest["wheels"][kind]
        lines.append(ROW.format("    wheels of " + kind, "%.1f" % (unpacked(manifest, kind) / MEBIBYTE), len(wheels)))
    lines.append(ROW.format("the whole tar", "%.1f" % (bundle_bytes / MEBIBYTE), len(names)))
    return "\n".join(lines)


def run_table(runs: list[HookRun]) -> str:
    """Return the hooks' seconds as a table, the first run of a node and those that change nothing apart."""
    lines = [ROW.format("hook", "seconds", "changed")]
    for run in runs:
        lines.append(ROW.format(run.node, "%.1f" % run.seconds, "yes" if run.changed else "no"))
        lines += [ROW.format("  " + name, "%.1f" % seconds, "") for name, seconds in run.steps.items()]
    return "\n".join(lines)
