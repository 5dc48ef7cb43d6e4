"""C-21: home and the site's file systems can be mounted into a container, and are those of the node."""

from __future__ import annotations

import json
import os
import pwd
from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-21",
    title="home and the site's file systems in a container",
    tier="standard",
    step="nested",
    cause="the mount does not reach containers: root may not enter it (root_squash), or it is mounted too late",
    fix="srun --container-image=… --container-mount-home --container-mounts=PATH:PATH ls -la PATH on this node",
    after=("C-01", "C-10", "N-07"),
    files=CONTAINER_FILES,
    seconds=70,
)


PROGRAM = r"""
import json, os, sys
found = {}
for name in sys.argv[1:]:
    try:
        seen = os.stat(name)
        os.listdir(name)
        found[name] = [seen.st_dev, seen.st_ino]
    except OSError as error:
        found[name] = error.strerror
print(json.dumps(found))
"""


def observe(node: Node) -> Any:
    """Ask for them as a user does, and compare device and inode with those outside."""
    home, site = home_of(), [str(name) for name in node.settings.get("site_mounts") or ()]
    outside = {name: identity(name) for name in dict.fromkeys([*([home] if home else []), *site])}
    asked = [name for name, seen in outside.items() if isinstance(seen, list)]
    if not asked:
        return {"outside": {}}
    options = ["--overlap", "--ntasks=1", *(["--container-mount-home"] if home in asked else [])]
    mounts = [f"{name}:{name}" for name in asked if name != home]
    options += [f"--container-mounts={','.join(mounts)}"] if mounts else []
    output = node.contained(["python3", "-I", "-c", PROGRAM, *asked], options)
    try:
        inside = json.loads(output.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        inside = None
    return {"outside": {name: outside[name] for name in asked}, "inside": inside, "said": output.stderr[-1500:]}


def home_of() -> str:
    """Return the account's home directory, '' where it has none worth mounting."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
    return home if home not in ("", "/") and os.environ.get("HOME") == home else ""


def identity(name: str) -> Any:
    """Return device and inode of a directory, or why it cannot be listed; C-10 says that."""
    try:
        os.listdir(name)  # noqa: PTH208 - the access is what is wanted
        seen = os.stat(name)  # noqa: PTH116 - as inside
    except OSError as error:
        return str(error.strerror)
    return [seen.st_dev, seen.st_ino]


def judge(observed: Any, context: Context) -> Finding:
    """The same directories."""
    # Only the control node has it.
    from validate import diagnosis  # noqa: PLC0415 - see above

    if not observed["outside"]:
        return skipped("the account has no home directory here, and validate_site_mounts names none")
    if observed["inside"] is None:
        if not observed["said"].strip():
            return errored("the container said nothing")
        found = diagnosis.of_container(observed["said"])
        return failed(found.line, "a container with them", found.cause, found.fix, found.who)
    other = {name: observed["inside"].get(name) for name, seen in observed["outside"].items()
             if observed["inside"].get(name) != seen}  # fmt: skip
    bad = [f"{name}: {seen if isinstance(seen, str) else 'another directory'}" for name, seen in other.items()]
    return failed("; ".join(bad), "as on the node") if bad else passed(", ".join(observed["outside"]))
