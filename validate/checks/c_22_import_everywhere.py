"""C-22: every node imports an image as a user, not only the one that C-16 takes for its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-22",
    title="import as a user, on every node",
    tier="deep",
    step="nested",
    cause="enroot's temporary path on this node cannot hold what the layers need, or its helpers lack capabilities",
    fix="enroot import docker://IMAGE on this node as the account; df -h and findmnt -T of ENROOT_TEMP_PATH",
    after=("N-08", "N-09", "N-10", "N-11", "N-30", "C-20", "C-16"),
    needs=("network",),
    seconds=330,
)


def observe(node: Node) -> Any:
    """Import it into the job's scratch directory."""
    image = str(node.settings.get("online_image") or "")
    if not image:
        return {"image": ""}
    path = Path(node.scratch, "c22.sqsh")
    done = node.run(["enroot", "import", "--output", str(path), f"docker://{image}"], 300)
    size = path.stat().st_size if path.is_file() else 0
    path.unlink(missing_ok=True)
    return {"image": image, **done.record(), "size": size}


def judge(observed: Any, context: Context) -> Finding:
    """There is a file."""
    # Only the control node has it.
    from validate import diagnosis  # noqa: PLC0415 - see above

    if not observed["image"]:
        return skipped("validate_online_image names none")
    if observed["code"] != 0 or not observed["size"]:
        found = diagnosis.of_container(observed["stderr"] or observed["stdout"])
        return failed(found.line, "imported", found.cause, found.fix, found.who)
    return passed(f"{observed['image']}, {observed['size'] / 1e6:.0f} MB")
