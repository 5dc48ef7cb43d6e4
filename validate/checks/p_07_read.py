"""P-07: the image is read as fast as on the other nodes."""

from __future__ import annotations

import re
import statistics
from typing import Any

from validate.model import Check, Context, Finding, errored, over, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="P-07",
    title="storage read",
    tier="standard",
    step="host",
    cause="the route or the client of the file system on this node",
    fix="dd if=IMAGE of=/dev/null bs=8M iflag=direct on this node and on another; the file system's client log",
    after=("C-01", "H-08"),
    seconds=40,
)


SHARE, NODES = 0.5, 8


def observe(node: Node) -> Any:
    """Read at most 4 GB of it past the cache (MB/s)."""
    image = str(node.settings.get("image") or "")
    if not image.startswith("/"):
        return {"image": "", "rate": None}
    words = ["dd", f"if={image}", "of=/dev/null", "bs=8M", "count=512"]
    for more in (["iflag=direct"], []):
        output = node.run([*words, *more], 30)
        found = re.search(r"(\d+) bytes.*copied, ([\d.e+-]+) s", output.stderr)
        if found:
            rate = round(int(found.group(1)) / 1e6 / max(float(found.group(2)), 1e-6), 1)
            return {"image": image, "rate": rate, "direct": bool(more)}
    return {"image": image, "rate": None, "said": output.text[-300:]}


def judge(observed: Any, context: Context) -> Finding:
    """At least half of what is usual."""
    if not observed["image"]:
        return skipped("validate_image is no file")
    if observed["rate"] is None:
        return errored(observed["said"].strip() or "dd said nothing")
    said = f"{observed['rate']:g} MB/s" + ("" if observed["direct"] else " through the cache")
    usual, count = over(context.fleet, usual_rate)
    if count < NODES:
        return passed(f"{said}; too few nodes alike to compare")
    if observed["rate"] < SHARE * usual:
        return warned(said, f"about {usual:g} MB/s, as on {count} nodes")
    return passed(said)


def usual_rate(fleet: list[Any]) -> tuple[float, int]:
    """Return the median of the nodes' rates (MB/s), and of how many."""
    rates = [seen["rate"] for seen in fleet if seen.get("rate")]
    return statistics.median(rates) if rates else 0.0, len(rates)
