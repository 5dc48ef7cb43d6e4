"""Floors of a site's own: what its good nodes reached, as `validate_profiles` for the inventory. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import yaml

from validate import kinds, stragglers
from validate.errors import CannotStart
from validate.results import Judged

FLOORS = {measure.name: measure.floor for measure in stragglers.MEASURES if measure.floor}


def render(runs: Sequence[Judged]) -> str:
    """Return the text for group_vars; CannotStart where no accepted node measured anything that has a floor.

    A floor is the share of the median of all accepted nodes of a kind below which P-09 calls a node slower.
    """
    reached: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        profiles = {kind: kinds.from_record(content) for kind, content in run.document["profiles"].items()}
        accepted = set(run.accepted)
        for node in run.document["roster"]:
            host = run.document["hosts"].get(node["name"])
            if node["name"] not in accepted or node["role"] != "compute" or host is None:
                continue
            of_kind = reached.setdefault(kinds.of(node, host, profiles, run.document["settings"]).kind, {})
            for name, value in stragglers.rates(host).items():
                if name in FLOORS:
                    of_kind.setdefault(FLOORS[name], []).append(value)
    found: dict[str, Any] = {
        kind: {"expect": {key: below(values) for key, values in sorted(rates.items())}}
        for kind, rates in sorted(reached.items()) if rates
    }  # fmt: skip
    if not found:
        raise CannotStart(
            "no accepted node measured a rate: the standard tier does on GPUs, P-01 by itself, the others with "
            "validate_workload_image and validate_workloads"
        )
    counts = ", ".join(f"{kind} {max(map(len, reached[kind].values()))}" for kind in found)
    days = ", ".join(f"{datetime.fromtimestamp(run.document['started'], timezone.utc):%Y-%m-%d}" for run in runs)
    said = f"# {stragglers.SLOWER:.0%} of the median of accepted nodes ({counts}) on {days}\n"
    return said + yaml.safe_dump({"validate_profiles": found}, sort_keys=False)


def below(values: Sequence[float]) -> float:
    """Return the floor to values, cut to three digits so that it stays below."""
    floor = stragglers.SLOWER * statistics.median(values)
    if floor <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(floor)) - 2)
    return float(f"{math.floor(floor / step) * step:.6g}")
