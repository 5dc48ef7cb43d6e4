"""L-03: the second start of an image downloads nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="L-03",
    title="second start uses the cache",
    tier="standard",
    step="sample",
    cause="the cache path is new for each job, or cannot be written by users",
    fix="ENROOT_CACHE_PATH in enroot.conf: one directory for each user, or shared; ls -ld it",
    after=("C-01", "N-10", "C-20", "C-16", "C-07"),
    needs=("network",),
    seconds=400,
)


def observe(node: Node) -> Any:
    """Start an image of the registry twice, and compare what lies in the cache."""
    image = str(node.settings.get("online_image") or "")
    if not image:
        return {"image": ""}
    place = Path(reading.enroot_paths(node)["ENROOT_CACHE_PATH"])
    seen, codes, said = [], [], ""
    for _ in range(2):
        output = node.contained(["true"], image=image, seconds=180)
        codes.append(output.code)
        said = output.stderr[-500:]
        seen.append(layers(place))
    return {"image": image, "codes": codes, "said": said, "path": str(place), "first": seen[0], "second": seen[1]}


def layers(place: Path) -> dict[str, list[int]]:
    """Return the layers in a cache: name -> number of the file and when it was written; tokens are no layers."""
    try:
        found = {path.name: path.stat() for path in place.iterdir() if path.is_file() and not path.name.startswith(".")}
    except OSError:
        return {}
    return {
        name: [state.st_ino, state.st_mtime_ns] for name, state in sorted(found.items()) if state.st_uid == os.getuid()
    }


def judge(observed: Any, context: Context) -> Finding:
    """The layers are there after the first start, and none was written again."""
    if not observed["image"]:
        return skipped("validate_online_image names none")
    if any(code != 0 for code in observed["codes"]):
        return errored(observed["said"].strip()[-300:] or "the image did not start")
    if not observed["first"]:
        return failed(f"no layer of this account in {observed['path']}", "layers that stay there")
    again = [name for name, state in observed["second"].items() if observed["first"].get(name) != state]
    if again:
        return failed(f"{len(again)} layers written again in {observed['path']}", "none")
    return passed(f"{len(observed['first'])} layers in {observed['path']}, used again")
