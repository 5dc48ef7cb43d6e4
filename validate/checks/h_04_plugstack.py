"""H-04: Slurm's plugin stack is safe for users on the submit host."""

from __future__ import annotations

from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="H-04",
    title="plugin stack readable, pyxis registered once",
    tier="quick",
    step="submit",
    cause="pyxis is registered twice, or not at all, or somewhere else than this host's Slurm reads",
    fix="playbooks/site.yml keeps exactly one line; delete others by hand",
    after=("H-01",),
)


def observe(node: Node) -> Any:
    """Read it as the account that submits."""
    return slurm.plugstack(node)


def judge(observed: Any, context: Context) -> Finding:
    """Every file that Slurm includes is readable and a .conf, and pyxis is named exactly once."""
    declared = "pyxis" in context.settings["runtimes"]
    if observed.get("conf") == "" and not (observed["given"] or observed["closed"]):
        # Without sackd each command keeps what it fetches in memory; H-01 says where they fetch nothing.
        return skipped(
            f"no slurm.conf here ({', '.join(observed['places'])}): commands fetch it from the controller, with the "
            "plugin stack; H-03 tries what is in it"
        )
    finding = slurm.unreadable(observed, declared)
    if finding:
        return finding
    lines = [slurm.shown(line) for line in observed["pyxis"]]
    if not declared and not lines:
        return passed("no pyxis, as declared")
    if len(lines) != 1:
        return failed("; ".join(lines) or f"no pyxis in {observed['main']}", "exactly one line naming pyxis")
    return slurm.optional(observed["pyxis"][0]) or passed(lines[0])
