"""C-09: bind mounts work, and one that is read-only is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-09",
    title="bind mounts rw and ro",
    tier="quick",
    step="container",
    cause="the path is not the account's inside, or the mount was not made",
    fix="srun --container-mounts=DIR:/mnt on this node; root_squash on shared directories",
    after=("C-01", "N-07"),
    files=CONTAINER_FILES,
)


TOKEN = "slipway-validate-token"


def observe(node: Node) -> Any:
    """Write through both mounts of the job's scratch directory."""
    return {"rw": attempt("/validate/rw/token"), "ro": attempt("/validate/ro/refused"), "uid": os.getuid()}


def attempt(name: str) -> str:
    """Return why a file cannot be written, '' where it was."""
    try:
        Path(name).write_text(TOKEN, encoding="utf-8")
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "EIO")
    return ""


def judge(observed: Any, context: Context) -> Finding:
    """Written through one, refused by the other."""
    if observed["rw"]:
        return failed(f"writing through the mount: {observed['rw']}", "written")
    if observed["ro"] != "EROFS":
        return failed(f"writing through :ro: {observed['ro'] or 'written'}", "EROFS")
    return passed("written through rw, refused by ro")
