"""C-16: an ordinary user imports an image of several layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="C-16",
    title="import as a user",
    tier="standard",
    step="sample",
    cause="enroot's temporary path cannot hold what the layers need, or its helpers lack capabilities (enroot#141)",
    fix="ENROOT_TEMP_PATH on local ext4 or xfs; playbooks/site.yml reinstalls enroot+caps",
    after=("N-08", "N-09", "N-10", "N-30", "N-11", "C-01", "C-20"),
    needs=("network",),
    seconds=400,
)


def observe(node: Node) -> Any:
    """Import it, and start the file."""
    image = str(node.settings.get("online_image") or "")
    if not image:
        return {"image": ""}
    path = Path(node.scratch, "imported.sqsh")
    done = node.run(["enroot", "import", "--output", str(path), f"docker://{image}"], 300)
    started = node.contained(["true"], image=str(path), seconds=60) if done.code == 0 else done
    path.unlink(missing_ok=True)
    return {"image": image, "import": done.record(), "start": started.record()}


def judge(observed: Any, context: Context) -> Finding:
    """It was imported, and starts."""
    # Only the control node has it.
    from validate import diagnosis  # noqa: PLC0415 - see above

    if not observed["image"]:
        return skipped("validate_online_image names none")
    for what in ("import", "start"):
        if observed[what]["code"] != 0:
            found = diagnosis.of_container(observed[what]["stderr"] or observed[what]["stdout"])
            return failed(f"{what}: {found.line}", "imported and started", found.cause, found.fix, found.who)
    return passed(observed["image"])
