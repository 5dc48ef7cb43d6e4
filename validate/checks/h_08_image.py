"""H-08: the image of the run is whole, and the one whose sum lies beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="H-08",
    title="image intact and readable",
    tier="quick",
    step="submit",
    cause="the image was copied half, or users cannot read it",
    fix="stage it again; mode 0644; unsquashfs -s FILE",
    # Large images take long to read.
    seconds=120,
)


def observe(node: Node) -> Any:
    """Read the beginning of a squashfs file, and all of it where the sum that it must have lies beside it."""
    image = str(node.settings.get("image") or "")
    if not image.startswith(("/", "./")):
        return {"file": ""}
    problem = node.problem(image)
    if problem:
        return {"file": image, "problem": problem}
    with node.path(image).open("rb") as stream:
        head = stream.read(48)
    size = node.path(image).stat().st_size
    # squashfs 4.0: magic at 0, bytes used at 40 (little endian).
    used = int.from_bytes(head[40:48], "little")
    wanted = (node.read(f"{image}.sha256") or "").split()[:1]
    return {
        "file": image, "magic": head[:4].decode("latin-1"), "size": size, "used": used,
        "wanted": wanted[0] if wanted else "", "sum": digest(node.path(image)) if wanted else "",
    }  # fmt: skip


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def judge(observed: Any, context: Context) -> Finding:
    """It is a squashfs and as long as its superblock says."""
    if not observed["file"]:
        return skipped(f"{context.settings['image'] or 'no image'} is not a file: its registry is asked by C-01")
    if observed.get("problem"):
        return failed(f"{observed['file']}: {observed['problem']}", "a readable file")
    if observed["magic"] != "hsqs":
        return failed(f"{observed['file']} begins with {observed['magic']!r}", "a squashfs image")
    if observed["size"] < observed["used"]:
        return failed(f"{observed['size']} bytes", f"at least the {observed['used']} bytes that its superblock names")
    if observed.get("sum") != observed.get("wanted"):
        return failed(
            f"SHA-256 {observed['sum'][:16]}…",
            f"{observed['wanted'][:16]}…, as {observed['file']}.sha256 says",
            "the image was damaged after it was made, or replaced without its sum",
            "stage it again, or make the sum anew: sha256sum FILE > FILE.sha256",
        )
    return passed(f"{observed['size'] / 1e6:.0f} MB{', with the sum beside it' if observed.get('sum') else ''}")
