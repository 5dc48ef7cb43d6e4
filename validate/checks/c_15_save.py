"""C-15: a container can be saved as an image."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-15",
    title="save a container as an image",
    tier="deep",
    step="sample",
    cause="no room where the image is written, or the path is not on the node",
    fix="--container-save needs a path that exists on the node; df -h",
    after=("C-01",),
    seconds=310,
)


# Upstream's enroot 4.1.2: where an image lacks a place to mount on, it makes a directory of mode 0000, which its export
# then reads.
CLOSED = re.compile(r"find: '\S+?/pyxis_[^/']+(/[^']+)': Permission denied")
MOUNT_POINT = (
    "the image has no {0}, so that enroot made a directory there that the account cannot read, and cannot export it",
    "choose an image that has {0} (validate_image), as most have",
    "user",
)


def observe(node: Node) -> Any:
    """Save it into the job's scratch directory and read how the file begins."""
    path, head, size = Path(node.scratch, "saved.sqsh"), "", 0
    options = ["--overlap", "--ntasks=1", f"--container-save={path}"]
    output = node.contained(["true"], options, seconds=300)
    with contextlib.suppress(OSError):
        with path.open("rb") as stream:
            head = stream.read(4).decode("latin-1")
        size = path.stat().st_size
        path.unlink()
    return {**output.record(), "magic": head, "size": size}


def judge(observed: Any, context: Context) -> Finding:
    """A squashfs file."""
    if observed["code"] != 0:
        return failed(observed["stderr"].strip()[-400:] or f"exit code {observed['code']}", "saved")
    # Slurm takes a job whose container could not be saved for a good one.
    if not observed["size"]:
        lines = [line.partition("pyxis: ")[2].strip() for line in observed["stderr"].splitlines() if "pyxis: " in line]
        said = [line for line in lines if re.search("denied|rror|annot|failed to export", line)]
        closed = CLOSED.search(observed["stderr"])
        if closed:
            cause, fix, who = MOUNT_POINT
            return failed(closed.group(), "saved", cause.format(closed.group(1)), fix.format(closed.group(1)), who)
        return failed("; ".join(said[-2:]) or "no file, and no word of it", "saved")
    if observed["magic"] != "hsqs":
        return failed(f"a file that begins with {observed['magic']!r}", "a squashfs image")
    return passed(f"{observed['size'] / 1e6:.0f} MB")
