"""Lists of compute nodes for `srun --exclude` and its like: one name a line."""

from __future__ import annotations

from validate.results import Judged


def render(judged: Judged) -> dict[str, str]:
    """Return file name -> text."""
    compute = {node["name"] for node in judged.document["roster"] if node["role"] == "compute"}
    return {
        "passing_nodes.txt": "".join(f"{node}\n" for node in judged.accepted if node in compute),
        "failing_nodes.txt": "".join(f"{node}\n" for node in judged.refused if node in compute),
    }
