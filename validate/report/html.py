"""One self-contained page: a map of nodes and checks to filter, and the details of each node. Usable at 1,000 nodes."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

from validate import arrived
from validate.catalogue import load
from validate.report.terminal import OUTCOME, since
from validate.results import Judged

TEMPLATE = Path(__file__).with_name("page.html")


def render(judged: Judged) -> str:
    """Return the page. The data travels as JSON; the script draws only what is looked at."""
    document = judged.document
    described = (*arrived.CHECKS.values(), *(entry.check for entry in load().values()))
    titles = {check.id: check.title for check in described}
    checks = list(dict.fromkeys(verdict.check for verdict in judged.verdicts))
    cells: dict[str, dict[str, list[str]]] = {node: {} for node in judged.nodes}
    for verdict in judged.verdicts:
        texts = [
            verdict.status, verdict.observed, verdict.expected, verdict.cause, verdict.fix, verdict.who, verdict.by,
        ]  # fmt: skip
        while texts and not texts[-1]:
            texts.pop()
        cells[verdict.node][verdict.check] = texts
    data = {
        "nodes": [
            {"name": name, "status": status, "cells": cells[name], "since": since(judged, name)}
            for name, status in judged.nodes.items()
        ],
        "checks": [{"id": check, "title": titles.get(check, "")} for check in checks],
        "fleet": [dataclasses.asdict(problem) for problem in judged.fleet_problems],
        "notes": document["notes"],
        "outcome": OUTCOME[judged.exit_code],
        "accepted": judged.exit_code == 0,
        "run": f"{document['cluster'].get('name') or 'cluster'}, tier {document['tier']}, "
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(document['finished']))}, "
        f"{document['finished'] - document['started']:.0f} s",
    }
    # A text may hold </script> or <!--, which would end or hide the data.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("__DATA__", text)
