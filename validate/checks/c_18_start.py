"""C-18: a container starts in the time that it takes on the other nodes."""

from __future__ import annotations

from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="C-18",
    title="container start time",
    tier="quick",
    step="container",
    cause="the image is not local, the disk is slow, a hook waits, or the driver is initialised on every start",
    fix="time srun --container-image=… true on this node and on another; ls /etc/enroot/hooks.d; iostat -x 1",
    after=("C-01", "N-04", "N-07"),
    files=CONTAINER_FILES,
)


FACTOR, SLACK = 3.0, 10.0


def observe(node: Node) -> Any:
    """Nothing to do: the launcher's clock has it."""
    return {}


def judge(observed: Any, context: Context) -> Finding:
    """Within the site's limit, and no outlier."""
    step = context.steps["container"]
    seconds = step["received"] - step["hello"]["began"]
    limit = context.settings["container_start"]
    if seconds > limit:
        return failed(f"{seconds:.1f} s", f"{limit} s")
    typical = context.cluster.get("container_seconds")
    if typical and seconds > typical * FACTOR + SLACK:
        return warned(f"{seconds:.1f} s", f"about {typical:.1f} s, as on the other nodes")
    return passed(f"{seconds:.1f} s")
