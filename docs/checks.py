"""Generate docs/reference/checks.md: every check of the acceptance suite, from its file.

``make docs`` writes; the static test compares.
"""

from __future__ import annotations

from pathlib import Path

from docs.table import cell
from validate import arrived, catalogue
from validate.model import PERMISSIONS, STEPS, TIERS, WORKLOADS, Check

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("docs/reference/checks.md")
SECTIONS = {
    "H": "Head and submit hosts",
    "N": "Nodes",
    "C": "In the container",
    "I": "Isolation",
    "M": "MPI, NCCL and groups of nodes",
    "P": "Performance",
    "A": "Apptainer",
    "D": "Docker",
    "B": "Building images",
    "X": "Nodes without NVIDIA GPUs",
    "L": "Leftovers",
}
WHERE = {
    "submit": "each submit host",
    "host": "each node",
    "container": "each node, in a container",
    "one_gpu": "each node, in a container with one GPU",
    "nested": "each node, by steps of its own",
    "sample": "one node of each kind",
    "group": "all nodes of an allocation together",
    "after": "each node, afterwards",
}
HEAD = """# Checks

Generated from `validate/checks/` by `make docs`; [add-a-check.md](../develop/add-a-check.md) says how one is added.
A tier includes those above it: {counts}.
*Needs* is what the node's kind must have (`validate/profiles/`), `validate_allow` must name ({permissions}), or
`validate_workloads` must name ({workloads}); where it is lacking, the check is SKIP and says so.
"""


def checks() -> list[Check]:
    """Return all of them, in the order of their ids."""
    found = [entry.check for entry in catalogue.load().values()]
    return sorted([*found, *arrived.CHECKS.values()], key=lambda check: check.id)


def render(found: list[Check]) -> str:
    """Return the page; ValueError for a check of no section or no known place."""
    problems = [f"{check.id}: no section in docs/checks.py" for check in found if check.id[0] not in SECTIONS]
    problems += [f"step {step}: no words in docs/checks.py" for step in STEPS if step not in WHERE]
    if problems:
        raise ValueError("\n".join(problems))
    counts = ", ".join(f"{sum(check.tier == tier for check in found)} {tier}" for tier in TIERS)
    lines = [
        HEAD.format(counts=counts, permissions=", ".join(PERMISSIONS), workloads=", ".join(WORKLOADS)).rstrip("\n")
    ]
    for letter, title in SECTIONS.items():
        lines += ["", f"## {title}", "", "| Id | Proves | Tier | Where | Needs | Likely cause | Fix |"]
        lines.append("|---|---|---|---|---|---|---|")
        for check in (check for check in found if check.id[0] == letter):
            needs = ", ".join(check.needs) or "-"
            cells = (
                check.id,
                check.title,
                check.tier,
                WHERE[check.step],
                needs,
                check.cause,
                f"{check.fix} ({check.who})",
            )
            lines.append(f"| {' | '.join(map(cell, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / PAGE).write_text(render(checks()), encoding="utf-8")
