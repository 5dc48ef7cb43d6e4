"""C-17: an image becomes a program that runs by itself (enroot bundle)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-17",
    title="bundle .run",
    tier="deep",
    step="sample",
    cause="the temporary directory is noexec, or has no room",
    fix="findmnt -no OPTIONS -T ${TMPDIR:-/tmp}; df -h ${TMPDIR:-/tmp}; ENROOT_TEMP_PATH in enroot.conf",
    after=("N-08", "N-10"),
    seconds=320,
)


def observe(node: Node) -> Any:
    """Make one in the job's scratch directory and have it print its system."""
    image, path = str(node.settings.get("image") or ""), Path(node.scratch, "bundle.run")
    if not image.startswith("/"):
        return {"image": ""}
    made = node.run(["enroot", "bundle", "--output", str(path), image], 200)
    ran = node.run([str(path), "cat", "/etc/os-release"], 100) if made.code == 0 else made
    path.unlink(missing_ok=True)
    return {"image": image, "host": node.read("/etc/os-release") or "", "made": made.record(), "ran": ran.record()}


def judge(observed: Any, context: Context) -> Finding:
    """The image's system answers."""
    if not observed["image"]:
        return skipped("validate_image is not a file")
    for what in ("made", "ran"):
        if observed[what]["code"] != 0:
            said = (observed[what]["stderr"] or observed[what]["stdout"]).strip()[-400:]
            return failed(f"{what}: {said or observed[what]['code']}", "made, and run")
    if (
        not re.search(r"^ID=", observed["ran"]["stdout"], re.MULTILINE)
        or observed["ran"]["stdout"].strip() == observed["host"].strip()
    ):
        return failed(observed["ran"]["stdout"][:200] or "nothing", "the image's os-release")
    return passed("it runs")
