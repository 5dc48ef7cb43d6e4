"""What earlier runs measured on each node, a small file a run, and how each host was when it was last accepted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validate import changes, stragglers
from validate.model import ACCEPTED, PASS
from validate.results import Judged
from validate.stored import write

DIRECTORY = "history"
RUNS = 50
ACCEPTANCE = "accepted.json"


def accepted(output: Path) -> dict[str, Any]:
    """Return host -> how it was when it was last accepted {at, observed}; a damaged file counts for nothing."""
    try:
        content = json.loads((output / DIRECTORY / ACCEPTANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def load(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Return node -> its earlier accepted runs {run, rates, odd}, the last first; a damaged file counts for nothing."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((output / DIRECTORY).glob("[0-9]*.json"), reverse=True)[:RUNS]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for node, entry in content.items() if isinstance(content, dict) else ():
            if isinstance(entry, dict) and _numbers(entry.get("rates")):
                past = found.setdefault(node, [])
                past += [entry] if len(past) < stragglers.KEPT else []
    return found


def _numbers(rates: Any) -> bool:
    """Return whether these are rates: a text among them would end a run that has measured for hours."""
    return isinstance(rates, dict) and all(isinstance(value, (int, float)) for value in rates.values())


def entry(judged: Judged) -> dict[str, dict[str, Any]]:
    """Return what is to be kept of a run: the accepted nodes that measured something or were odd."""
    odd = {
        item.node for item in judged.verdicts if item.check == stragglers.FLEET and item.status != PASS and item.cause
    }
    kept = {}
    for node, status in judged.nodes.items():
        rates = stragglers.rates(judged.document["hosts"].get(node) or {"checks": {}})
        if (status in ACCEPTED or node in odd) and (rates or node in odd):
            kept[node] = {"run": judged.document["run"], "rates": rates, "odd": node in odd}
    return kept


def save(judged: Judged, output: Path) -> None:
    """Keep a run; the oldest beyond the last fifty are removed.

    One of chosen checks (``only``) is not kept: it accepts no host as a whole, and what it did not measure would be
    lost of the earlier runs.
    """
    if judged.document["settings"].get("only"):
        return
    now = changes.baseline(judged.document, judged.nodes, judged.verdicts)
    if now:
        write(output / DIRECTORY / ACCEPTANCE, json.dumps({**accepted(output), **now}) + "\n")
    kept: Mapping[str, Any] = entry(judged)
    if not kept:
        return
    name = f"{judged.document['started']:.0f}-{judged.document['run']}.json"
    write(output / DIRECTORY / name, json.dumps(kept) + "\n")
    for path in sorted((output / DIRECTORY).glob("[0-9]*.json"), reverse=True)[RUNS:]:
        # Another run may tidy up as well.
        path.unlink(missing_ok=True)
