"""A-06: apptainer runs in the mode that most nodes have."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, majority, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="A-06",
    title="apptainer: one version, one mode",
    tier="quick",
    step="host",
    cause="an upgrade replaced the setuid package by the other, or half of the nodes",
    fix="install the package that the site declares; apptainer --version; ls -l starter-suid",
    after=("N-05", "N-30"),
)


def observe(node: Node) -> Any:
    """Ask for its version, and look for the setuid starter."""
    if not node.which("apptainer"):
        return {}
    starters = [path for pattern in ("usr/libexec/*/bin/starter-suid", "usr/lib/*/apptainer/bin/starter-suid")
                for path in node.path("/").glob(pattern)]  # fmt: skip
    suid = any(path.stat().st_mode & 0o4000 for path in starters)
    return {"version": node.run(["apptainer", "--version"], 8).stdout.strip(), "mode": "suid" if suid else "userns"}


def judge(observed: Any, context: Context) -> Finding:
    """As on the other nodes."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed or not observed["version"]:
        return failed("no apptainer", "apptainer installed")
    usual, count = majority(context.fleet)
    said = f"{observed['version']}, {observed['mode']}"
    if count > 1 and usual != observed:
        return failed(said, f"{usual.get('version')}, {usual.get('mode')}, as on {count} nodes")
    return passed(said)
