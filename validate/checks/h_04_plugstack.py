"""H-04: Slurm's plugin stack is safe for users on the submit host."""

from __future__ import annotations

import errno
import os
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed
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
    return reading.plugstack(node)


def judge(observed: Any, context: Context) -> Finding:
    """Every file that Slurm includes is readable and a .conf, and pyxis is named exactly once."""
    main = observed["main"]
    # An absent slurm.conf is looked for elsewhere, an absent plugstack.conf beside it is not.
    if observed["files"].get(main) == os.strerror(errno.ENOENT):
        if "pyxis" not in context.settings["runtimes"]:
            return passed("no plugin stack, and no pyxis is declared")
        return failed(
            f"{main}: {observed['files'][main]}",
            "the plugin stack of the configuration that this host fetched or the site shares",
            f"this host reads {main}: a stray slurm.conf beside the one it fetched, or that file was removed",
            "ls -l /etc/slurm/slurm.conf /run/slurm/conf: remove the slurm.conf that is not the site's; where "
            "plugstack.conf is gone, playbooks/site.yml",
        )
    unreadable = [f"{name}: {problem}" for name, problem in observed["files"].items() if problem]
    strange = [name for name in observed["files"] if not name.endswith(".conf")]
    if unreadable or strange:
        return failed(
            "; ".join([*unreadable, *(f"{name} is included and no .conf" for name in strange)]),
            "every included file readable for users and named *.conf",
            "Slurm refuses every job of a user who cannot read one file of the plugin stack (aws-parallelcluster#6459)",
            "remove the stray file, or give it mode 0644; include *.conf only",
        )
    lines = [f"{line['file']}: {line['flag']} {line['plugin']}" for line in observed["pyxis"]]
    if "pyxis" not in context.settings["runtimes"] and not lines:
        return passed("no pyxis, as declared")
    if len(lines) != 1:
        return failed("; ".join(lines) or f"no pyxis in {observed['main']}", "exactly one line naming pyxis")
    if observed["pyxis"][0]["flag"] != "required":
        return failed(
            lines[0],
            "a required line",
            "under optional a job runs on the node itself where the plugin fails",
            "write required into that line, then playbooks/reconfigure.yml",
        )
    return passed(lines[0])
