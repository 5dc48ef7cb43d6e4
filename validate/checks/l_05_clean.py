"""L-05: the suite left nothing on the node."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="L-05",
    title="the suite left nothing",
    tier="quick",
    step="after",
    cause="pyxis did not clean up behind a step of this run",
    fix="enroot list; enroot remove NAME; container_scope and the epilog's log",
    after=("C-01", "L-01"),
    seconds=30,
)
# A step ends for srun before pyxis has deleted its container, which takes time on a slow disk.
PATIENCE = 20.0


def observe(node: Node) -> Any:
    """List this job's containers that stay."""
    deadline = time.monotonic() + PATIENCE
    while (found := containers(node)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def containers(node: Node) -> list[str]:
    """Return what pyxis unpacked for this job."""
    job = os.environ.get("SLURM_JOB_ID", "-")
    paths, found = reading.enroot_paths(node), []
    for key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH"):
        place = Path(paths[key])
        if os.access(place, os.R_OK | os.X_OK) and place.is_dir():
            found += [str(path) for path in place.iterdir() if path.name.startswith(f"pyxis_{job}.")]
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Nothing."""
    if not isinstance(observed, list):
        return errored(f"no list: {str(observed)[:80]!r}")
    return failed("; ".join(observed[:5]), "nothing") if observed else passed("nothing")
