"""C-10: every file system that the site declares is there, and the home directory where the other nodes have it."""

from __future__ import annotations

import os
import pwd
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, failed, majority, passed
from validate.probing import Node

CHECK = Check(
    id="C-10",
    title="home and the site's file systems on the node",
    tier="quick",
    step="host",
    cause="a mount is missing on this node, or its server does not answer",
    fix="findmnt PATH; systemctl list-units '*.mount' --failed; mount PATH",
    after=("N-30",),
)


HOME = "home"


def observe(node: Node) -> Any:
    """List each one, then find what is mounted there: an automounter mounts it only then."""
    home = account_home()
    places = {**{name: name for name in node.settings.get("site_mounts") or ()}, HOME: home}
    problems = {name: problem(path) for name, path in places.items()}
    table, found = reading.mounts(node), {}
    for name, path in places.items():
        mount = reading.mount_of(os.path.realpath(path), table)
        found[name] = {"problem": problems[name], "mount": mount["point"]}
        if name == HOME:
            found[name] |= {"path": home, "type": mount["type"]}
    return found


def problem(path: str) -> str:
    """Return why a directory cannot be listed, '' where it can."""
    try:
        os.listdir(path or "/nonexistent")  # noqa: PTH208 - an automounter wants a real access
    except OSError as error:
        return str(error.strerror)
    return ""


def account_home() -> str:
    """Return the home directory of the account as this node has it, '' for an account that it does not know."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def judge(observed: Any, context: Context) -> Finding:
    """Each is a mount and can be read."""
    bad = [f"{name}: {seen['problem'] or 'not mounted, it lies on ' + seen['mount']}"
           for name, seen in observed.items()
           if name != HOME and (seen["problem"] or seen["mount"] == "/")]  # fmt: skip
    if bad:
        return failed("; ".join(bad), "mounted and readable")
    # An account may have no home directory; that only one node lacks it is a fault.
    usual, count = majority(context.fleet, lambda seen: said(seen[HOME]))
    own = said(observed[HOME])
    if count > 1 and own != usual:
        return failed(f"home: {own}", f"{usual}, as on {count} nodes")
    return passed("; ".join([f"home: {own}", *(name for name in observed if name != HOME)]))


def said(home: dict[str, str]) -> str:
    """Return what a home directory is and lies on."""
    what = f"{home['path']}, {home['problem']}" if home["problem"] else home["path"]
    return f"{what} on {home['mount']} ({home['type']})"
