"""P-08 and P-09: a node's numbers beside those of its fleet, and beside its own of earlier runs. Pure.

Three judgements have three words: below a floor is a check's FAIL, an outlier of the fleet is P-08, and slower than its
own history is P-09. Both are WARN the first time, and P-08 is FAIL where the node was one in its last run too.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validate.checks import p_03_nbody
from validate.model import FAIL, PASS, SKIP, WARN, Verdict

FLEET, HISTORY = "P-08", "P-09"
# Fewer nodes have no outliers; so many deviations from the median make one; and at least this share of it, so that
# nodes that are nearly equal have none for nothing. A check's duration may vary more than a rate.
NODES, DEVIATIONS, SHARE, DURATION_SHARE = 8, 4.0, 0.05, 0.5
# Seconds below which a duration says nothing.
LEAST = 2.0
KEPT, SLOWER = 5, 0.95


@dataclass(frozen=True)
class Measure:
    """A number of a node, more being better: from which observation, and which ``expect`` of a profile is its floor."""

    name: str
    check: str
    read: Callable[[Any], float]
    floor: str = ""


MEASURES = (
    Measure("GEMM (TFLOP/s)", "P-01", lambda seen: min(seen["tflops"]), "gemm_tflops"),
    Measure("host to device (GB/s)", "P-02", lambda seen: min(seen["rates"]["host_to_device_memcpy_ce"]), "h2d_gbs"),
    Measure("device to host (GB/s)", "P-02", lambda seen: min(seen["rates"]["device_to_host_memcpy_ce"]), "d2h_gbs"),
    Measure("GPU memory (GB/s)", "P-02", lambda seen: min(seen["rates"]["device_local_copy"]), "hbm_gbs"),
    Measure("nbody (GFLOP/s)", "P-03", lambda seen: p_03_nbody.rate(seen["stdout"]), "nbody_gflops"),
    Measure("image read (MB/s)", "P-07", lambda seen: float(seen["rate"])),
    Measure("NCCL in the node (GB/s)", "M-04", lambda seen: float(seen["busbw"]), "nccl_busbw"),
)


def rates(host: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured on a host, more being better."""
    found = {}
    for measure in MEASURES:
        observed = (host["checks"].get(measure.check) or {}).get("observed")
        try:
            # A damaged observation may have a text there.
            found[measure.name] = float(measure.read(observed))
        except (LookupError, TypeError, ValueError):
            continue
    return found


def durations(host: Mapping[str, Any]) -> dict[str, float]:
    """Return how long each check took on a host (s); a slow answer is often the first sign of a sick node."""
    return {
        f"duration of {check} (s)": float(record["seconds"])
        for check, record in host["checks"].items()
        if isinstance(record.get("seconds"), (int, float)) and "error" not in record
    }


def outlying(values: Mapping[str, float], least: float, share: float, sign: int) -> dict[str, tuple[float, float]]:
    """Return node -> (its value, the median) for those far on the bad side; ``sign`` is 1 where less is bad."""
    if len(values) < NODES:
        return {}
    middle = statistics.median(values.values())
    deviation = 1.4826 * statistics.median(abs(value - middle) for value in values.values())
    bound = max(DEVIATIONS * deviation, share * middle, least)
    return {node: (value, middle) for node, value in values.items() if sign * (middle - value) > bound}


def verdicts(
    nodes: Sequence[str], hosts: Mapping[str, Mapping[str, Any]], history: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Verdict]:
    """Return P-08 and P-09 of the nodes of one kind; ``history`` has their earlier runs, the last first."""
    there = [node for node in nodes if (hosts.get(node) or {"checks": {}})["checks"]]
    measured = {node: rates(hosts[node]) for node in there}
    taken = {node: durations(hosts[node]) for node in there}
    odd = _odd(measured, 0.0, SHARE, 1)
    for node, said in _odd(taken, LEAST, DURATION_SHARE, -1).items():
        odd.setdefault(node, []).extend(said)
    found = []
    for node in there:
        past = list(history.get(node, ()))[:KEPT]
        found += [_beside_fleet(node, odd.get(node, []), len(there), past), _beside_itself(node, measured[node], past)]
    return found


def _odd(values: Mapping[str, Mapping[str, float]], least: float, share: float, sign: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for seen in values.values() for name in seen):
        of = {node: seen[name] for node, seen in values.items() if name in seen}
        for node, (value, middle) in outlying(of, least, share, sign).items():
            found.setdefault(node, []).append(f"{name}: {value:g}, usually {middle:g}")
    return found


def _beside_fleet(node: str, odd: Iterable[str], count: int, past: Sequence[Mapping[str, Any]]) -> Verdict:
    said, expected = "; ".join(odd), "within four deviations of its fleet"
    if count < NODES:
        return Verdict(node, FLEET, SKIP, f"{count} nodes of this kind: fewer than {NODES} have no outliers")
    if not said:
        return Verdict(node, FLEET, PASS, f"like {count} nodes", expected)
    again = bool(past and past[0].get("odd"))
    return Verdict(
        node, FLEET, FAIL if again else WARN, said + (", as in the last run" if again else ""), expected,
        "slower than others of its kind: heat, power, a link, a disk", "the check that is named says where to look; "
        "run it again, and compare with a node beside it", "admin",
    )  # fmt: skip


def _beside_itself(node: str, measured: Mapping[str, float], past: Sequence[Mapping[str, Any]]) -> Verdict:
    earlier = [run["rates"] for run in past if run.get("rates")]
    slow = []
    for name, value in measured.items():
        before = [run[name] for run in earlier if name in run]
        if before and value < SLOWER * statistics.median(before):
            slow.append(f"{name}: {value:g}, {statistics.median(before):g} before")
    if not measured or not earlier:
        return Verdict(node, HISTORY, SKIP, "nothing was measured" if not measured else "no earlier run of this node")
    expected = f"at least {SLOWER:.0%} of its last {len(earlier)} runs"
    if not slow:
        return Verdict(node, HISTORY, PASS, f"as in its last {len(earlier)} runs", expected)
    return Verdict(
        node, HISTORY, WARN, "; ".join(slow), expected, "something changed since", "compare driver, kernel and "
        "firmware of both runs: history/ beside the reports has the earlier ones", "admin",
    )  # fmt: skip
