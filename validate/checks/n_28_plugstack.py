"""N-28: Slurm's plugin stack is safe for users on the node."""

from __future__ import annotations

from typing import Any

from validate import reading, slurm
from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="N-28",
    title="plugin stack on the node readable, pyxis registered once",
    tier="quick",
    step="host",
    cause="pyxis is not registered exactly once in what this node reads",
    fix="playbooks/site.yml keeps exactly one line; delete others by hand, then scontrol reconfigure",
    after=("H-04",),
)


def observe(node: Node) -> Any:
    """Read it as the account that submits, and whether that may read the plugin."""
    found = slurm.plugstack(node)
    for line in found["pyxis"]:
        # A bare name is looked for in PluginDir, and one that is not there stops slurmd itself.
        if line["plugin"].startswith("/") and node.problem(line["plugin"]) == slurm.CLOSED:
            line["closed"] = reading.obstacle(line["plugin"])["path"]
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Every file that Slurm includes is readable and a .conf, and pyxis is named exactly once."""
    declared = "pyxis" in context.settings["runtimes"]
    finding = slurm.unreadable(observed, declared)
    if finding:
        return finding
    lines = [slurm.shown(line) for line in observed["pyxis"]]
    if not declared and not lines:
        return passed("no pyxis, as declared")
    if len(lines) != 1:
        if lines:
            cause = "pyxis is registered twice: Slurm refuses the second"
            return failed("; ".join(lines), "exactly one line naming pyxis", cause)
        return failed(
            f"no pyxis in {observed['main']}",
            "exactly one line naming pyxis",
            "this node reads a plugstack.conf that names no pyxis: its jobs silently run on the host",
            "compare it with the controller's; scontrol reconfigure, or systemctl restart slurmd, fetches it anew; "
            "else playbooks/site.yml, which registers pyxis",
        )
    shut = observed["pyxis"][0].get("closed")
    if shut:
        return failed(
            f"{observed['pyxis'][0]['plugin']}: {slurm.CLOSED}",
            "a plugin that users can read",
            f"users cannot read the plugin, because of {shut}: srun of a job on this node fails, slurmd itself runs",
            f"chmod {'0644' if shut.endswith('.so') else '0755'} {shut}; the umask of root's shell may be 077",
        )
    return slurm.optional(observed["pyxis"][0]) or passed(lines[0])
