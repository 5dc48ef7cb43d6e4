"""C-12: a container in which the user is root writes files that are the user's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-12",
    title="root inside, the submitter outside",
    tier="standard",
    step="nested",
    cause="user namespaces are limited, or the id map is wrong",
    fix="sysctl user.max_user_namespaces; srun --container-remap-root --container-image=… id",
    after=("C-01", "C-09", "N-08"),
    seconds=70,
)


def observe(node: Node) -> Any:
    """Write as root inside, and look from outside."""
    options = ["--overlap", "--ntasks=1", "--container-remap-root", f"--container-mounts={node.scratch}:/validate"]
    output = node.contained(["sh", "-c", "id -u; echo token > /validate/c12"], options)
    owner = None
    with contextlib.suppress(OSError):
        owner = Path(node.scratch, "c12").stat().st_uid
    return {**output.record(), "owner": owner, "me": os.getuid()}


def judge(observed: Any, context: Context) -> Finding:
    """0 inside; the submitter owns the file."""
    if observed["code"] != 0:
        return failed(observed["stderr"].strip()[-400:] or f"exit code {observed['code']}", "a container that starts")
    said = f"uid {observed['stdout'].strip()} inside, owner {observed['owner']} outside"
    if observed["stdout"].strip() == "0" and observed["owner"] == observed["me"]:
        return passed(said)
    return failed(said, f"uid 0 inside, owner {observed['me']} outside")
