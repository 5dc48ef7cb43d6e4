"""The checks that have no file of their own, because they observe nothing: they are judged from what arrived."""

from __future__ import annotations

from validate.model import Check

_CHECKS = (
    Check(
        id="N-01", title="the node answered", tier="quick", step="host",
        cause="slurmd is dead or hung, Slurm gives the node to nobody, or it is busy: the text says which",
        fix="what Slurm or srun said of it is printed with what to type",
    ),
    Check(
        id="H-02", title="the inventory has Slurm's nodes", tier="quick", step="submit",
        cause="nodes that nobody accepts: they are missing in the inventory", fix="add them to the group compute",
    ),
    Check(
        id="P-08", title="as fast as the nodes of its kind", tier="standard", step="after",
        cause="the node is slower than others of its kind: heat, power, a link, a disk",
        fix="the check that is named says where to look",
    ),
    Check(
        id="P-09", title="as fast as in its own last runs", tier="standard", step="after",
        cause="something changed on this node since", fix="compare driver, kernel and firmware of both runs",
    ),
)  # fmt: skip
CHECKS = {check.id: check for check in _CHECKS}
