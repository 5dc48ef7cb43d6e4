"""Stored results with one value replaced by another: they are judged, or refused in words, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.validate.conftest import NOW, cluster
from validate import kinds
from validate.command import main

DEPTH = 5
OTHERS: tuple[Any, ...] = (None, [], {}, "x", 5)
# Of a few checks only: there are thousands of documents.
CHECKS = ("N-06", "N-07", "C-01", "P-01", "H-01")
SILENT: dict[str, Any] = {"steps": {}, "checks": {}, "said": {}, "refused": None, "job": None}


def small() -> dict[str, Any]:
    """Good results of a few checks, with all that a document may have besides."""
    document = cluster(4)
    login, good, busy, _dead, drained = document["roster"]
    hosts = document["hosts"]
    for host in hosts.values():
        host["checks"] = {check: record for check, record in host["checks"].items() if check in CHECKS}
    hosts["gpu001"]["checks"]["N-06"] = {
        "check": "N-06", "step": "host", "error": "hung", "timeout": True, "received": NOW, "seconds": 1.0,
    }  # fmt: skip
    hosts[busy["name"]] = {**SILENT, "refused": {"said": "salloc: error: x", "jobs": [["4711", "eve", "R"]]}}
    hosts["gpu003"] = {**SILENT, "said": {"host": "srun: error: x"}}
    hosts.pop(drained["name"])
    drained.update(unusable="drained", reason="disk", reason_by="ops", reason_at="T", unreached="")
    document["cluster"].update(afterwards={"gpu001": "drained"}, afterwards_unknown="", interrupted=False)
    document["settings"].update(kind="", workloads=[])
    profiles = {name: document["profiles"][name] for name in kinds.GENERAL}
    before = {"N-07": {"/etc/enroot/enroot.conf": "f" * 16}}
    return {
        **document,
        "checks": list(CHECKS),
        "roster": [login, good, busy, document["roster"][3], drained],
        "profiles": profiles,
        "accepted": {"gpu001": {"at": NOW, "observed": before}},
        "history": {"gpu001": [{"run": "00000001", "rates": {"GEMM (TFLOP/s)": 1.0}, "odd": False}]},
    }


def places(value: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Yield each object or list in a value, with each key or index of it, down to some depth."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth > 1:
            yield from places(value[key], depth - 1)


def test_whatever_is_damaged_is_judged_or_refused_in_words(tmp_path: Path, capsys):
    document = small()
    path, tried = tmp_path / "results.json", {0: 0, 1: 0, 2: 0, 3: 0}
    for where, key in list(places(document, DEPTH)):
        good = where[key]
        for other in OTHERS:
            where[key] = other
            path.write_text(json.dumps(document))
            code = main(["report", str(path)])
            said = capsys.readouterr().err
            assert code != 3 or "is no results file of this suite" in said, (key, other, said)
            tried[code] += 1
        where[key] = good
    assert tried[2] > 100 and tried[3] > 100, tried
