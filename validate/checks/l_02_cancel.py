"""L-02: a container whose step is cancelled leaves nothing behind."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="L-02",
    title="cancel cleans up",
    tier="standard",
    step="sample",
    cause="nobody removes the containers of steps that were killed (pyxis#161)",
    fix="an epilog that removes pyxis_$SLURM_JOB_ID*; enroot remove NAME",
    after=("C-01", "L-01"),
    seconds=200,
    usual=20,
)


SECONDS = 60
HOWS: tuple[tuple[str, list[str]], ...] = (("asked", []), ("killed", ["--signal=KILL"]))


def observe(node: Node) -> Any:
    """Cancel a container's step by asking and by killing, and see how long its files stay."""
    return {how: cancel(node, how, options) for how, options in HOWS}


def cancel(node: Node, how: str, options: list[str]) -> dict[str, Any]:
    """Return {started, left: what is still there after a minute, seconds}."""
    token, job = Path(node.scratch, f"l02-{how}"), os.environ.get("SLURM_JOB_ID", "")
    words = ["sh", "-c", f"echo $SLURM_STEP_ID > /validate/{token.name}; exec sleep 120"]
    with ThreadPoolExecutor(1) as pool:
        mount = f"--container-mounts={node.scratch}:/validate"
        running = pool.submit(node.contained, words, ["--overlap", "--ntasks=1", mount], "", 110)
        while not running.done() and not (token.exists() and token.read_text(encoding="utf-8").strip()):
            time.sleep(0.2)
        step = token.read_text(encoding="utf-8").strip() if token.exists() else ""
        if not step:
            return {"started": False, "said": running.result().stderr[-500:]}
        node.run(["scancel", *options, f"{job}.{step}"], 15)
        running.result()
    began, left = time.monotonic(), ["?"]
    while left and time.monotonic() - began < SECONDS:
        time.sleep(0.5)
        left = remains(node, f"pyxis_{job}.{step}")
    for name in left:
        node.run(["enroot", "remove", "--force", name], 20)
    return {"started": True, "left": left, "seconds": round(time.monotonic() - began, 1)}


def remains(node: Node, prefix: str) -> list[str]:
    """Return the containers of that step that are still there."""
    paths = reading.enroot_paths(node)
    found = []
    for key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH"):
        place = Path(paths[key])
        if os.access(place, os.R_OK | os.X_OK) and place.is_dir():
            found += [
                path.name for path in place.iterdir() if path.name == prefix or path.name.startswith(f"{prefix}.")
            ]
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Nothing is left, both times."""
    for how, _options in HOWS:
        if not observed[how]["started"]:
            return errored(observed[how]["said"].strip()[-300:] or "the container did not start")
    left = [f"{how}: {', '.join(observed[how]['left'])}" for how, _options in HOWS if observed[how]["left"]]
    if left:
        return failed("; ".join(left), f"nothing after {SECONDS} s")
    return passed("; ".join(f"{how}: gone after {observed[how]['seconds']} s" for how, _options in HOWS))
