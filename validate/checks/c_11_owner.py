"""C-11: what a container writes belongs to the account that submitted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-11",
    title="files written inside belong to the submitter",
    tier="quick",
    step="after",
    cause="the user is remapped in the container, or the token was never written",
    fix="srun --no-container-remap-root; grep -r ENROOT_REMAP_ROOT /etc/enroot: it should say no",
    after=("C-01", "C-09"),
    # It writes the file.
    beside=("C-09",),
)


def observe(node: Node) -> Any:
    """Look from outside at the file that C-09 wrote."""
    path = Path(node.scratch, "token")
    try:
        return {"uid": path.stat().st_uid, "text": path.read_text(encoding="utf-8")[:100], "me": os.getuid()}
    except OSError as error:
        return {"problem": str(error.strerror), "me": os.getuid()}


def judge(observed: Any, context: Context) -> Finding:
    """It is there, whole, and the submitter's; inside the same number was seen."""
    inside = (context.others.get("C-09") or {}).get("uid")
    if observed.get("problem"):
        return failed(f"the file written inside: {observed['problem']}", "a file on the node")
    if observed["text"] != "slipway-validate-token" or observed["uid"] != observed["me"]:
        return failed(f"owner {observed['uid']}, text {observed['text']!r}", f"owner {observed['me']} and the token")
    if inside is not None and inside != observed["me"]:
        return failed(f"uid {inside} inside", f"uid {observed['me']}")
    return passed(f"uid {observed['uid']} inside and outside")
