"""N-12: enroot's hooks are there and can be executed."""

from __future__ import annotations

import os
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="N-12",
    title="enroot's hooks installed and executable",
    tier="quick",
    step="host",
    cause="a hook was not enabled on this node, or lost its x bit",
    fix="playbooks/site.yml; by hand: chmod 0755, or link it from /usr/share/enroot/hooks.d",
    after=("N-05", "N-10"),
)


HOOKS = "/etc/enroot/hooks.d"
# In the place of a hook's name: the directory that keeps users out.
CLOSED = "/"


def observe(node: Node) -> Any:
    """List them with what is wrong, and the directory that keeps this account from them."""
    found = {}
    # From above, and no Path.exists: both raise where a directory is closed.
    for path in sorted(node.path("/").glob(f"{HOOKS.lstrip('/')}/*.sh")):
        problem = "" if os.access(path, os.X_OK) else "not executable"
        found[path.name] = problem if os.path.exists(path) else "leads nowhere"  # noqa: PTH110
    closed = reading.closed(node, HOOKS)
    return {**found, CLOSED: closed} if closed else found


def judge(observed: Any, context: Context) -> Finding:
    """All that the site declares, and all that are there can run."""
    if "enroot" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name enroot")
    if observed.get(CLOSED):
        return failed(
            f"{observed[CLOSED]} keeps users out",
            "a directory that users can enter and read",
            f"users cannot enter {observed[CLOSED]}: enroot runs no hook for them, and says nothing",
            f"chmod 0755 {observed[CLOSED]}",
        )
    problems = [f"{name}: {problem}" for name, problem in observed.items() if problem]
    problems += [f"{name}: missing" for name in context.settings["hooks"] if name not in observed]
    expected = "executable, among them " + ", ".join(context.settings["hooks"])
    return failed("; ".join(problems), expected) if problems else passed(f"{len(observed)} hooks")
