"""Several faults at once, chosen at random: whatever comes together, each host is judged and each cause is named."""

from __future__ import annotations

import random

import pytest

from tests.faults import bench, good_results
from validate.model import BLOCKED, ERROR, FAIL, NO_RESULT

FAULTS = bench.load("replayed")


@pytest.mark.parametrize("seed", range(40))
def test_what_is_blocked_is_blocked_by_what_is_itself_not(seed):
    chance = random.Random(seed)
    base = chance.choice(list(good_results.BASES))
    fitting = [fault for fault in FAULTS if fault.content.get("base", "simulated") == base]
    chosen = chance.sample(fitting, min(len(fitting), chance.randint(2, 6)))
    document = good_results.BASES[base]()
    for fault in chosen:
        judged = bench.replay(fault, document)
        document = judged.document
    cells = {(cell.node, cell.check): cell for cell in judged.verdicts}
    assert len(cells) == len(judged.verdicts)
    assert list(judged.nodes) == [entry["name"] for entry in document["roster"]]
    names = [fault.name for fault in chosen]
    for cell in judged.verdicts:
        if cell.status == BLOCKED:
            # On this host, or, of a check that this host does not have, on those of the other role.
            by = [
                cells.get((node, cell.by)) for node in ([cell.node] if (cell.node, cell.by) in cells else judged.nodes)
            ]
            assert {one.status for one in by if one} & {FAIL, NO_RESULT, ERROR}, (names, bench.line(cell), cell.by)
        elif cell.status in (FAIL, NO_RESULT, ERROR):
            assert cell.observed and cell.cause and cell.fix, (names, bench.line(cell))
