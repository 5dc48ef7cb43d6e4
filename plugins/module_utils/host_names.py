"""Many host names in few words: node1, node2, node3 becomes node[1-3]."""

from __future__ import annotations

import re
from typing import Iterable

NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)\Z", re.DOTALL)
# Longer numbers are no counters (serial numbers, hashes), and not worth folding.
LONGEST_NUMBER = 9


def fold(names: Iterable[str]) -> str:
    """Return host names as Slurm writes them, folded by their last number; every name appears exactly once."""
    plain: set[str] = set()
    numbered: dict[tuple[str, str, int], set[int]] = {}
    for name in set(names):
        match = NUMBERED.match(name)
        if match is None or len(match.group(2)) > LONGEST_NUMBER:
            plain.add(name)
            continue
        prefix, digits, suffix = match.groups()
        # node9 and node10 are one series, node09 and node9 are not: the width counts only with a leading zero.
        width = len(digits) if digits.startswith("0") and len(digits) > 1 else 0
        numbered.setdefault((prefix, suffix, width), set()).add(int(digits))
    _join_padded(numbered)
    folded = [_series(*key, numbers) for key, numbers in numbered.items()]
    return ",".join(sorted([*plain, *folded]))


def _join_padded(numbered: dict[tuple[str, str, int], set[int]]) -> None:
    """Let node08, node09 and node10 be one series: 10 has the width of its padded neighbours."""
    for prefix, suffix, width in sorted(numbered):
        loose = numbered.get((prefix, suffix, 0))
        if not width or not loose:
            continue
        fitting = {number for number in loose if len(str(number)) == width}
        numbered[prefix, suffix, width] |= fitting
        loose -= fitting
        if not loose:
            del numbered[prefix, suffix, 0]


def _series(prefix: str, suffix: str, width: int, numbers: set[int]) -> str:
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    parts = [
        "%0*d" % (width, low) if low == high else "%0*d-%0*d" % (width, low, width, high)
        for low, high in ranges
    ]
    text = ",".join(parts)
    return "%s%s%s" % (prefix, text if len(numbers) == 1 else "[%s]" % text, suffix)
