"""P-06: DCGM's own diagnosis passes."""

from __future__ import annotations

import json
import os
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="P-06",
    title="DCGM diagnosis",
    tier="deep",
    step="host",
    cause="DCGM found a fault of the hardware or the software",
    fix="dcgmi diag -r 3; docs.nvidia.com/datacenter/dcgm names the remedy of each error",
    after=("N-04",),
    needs=("nvidia", "root"),
    seconds=400,
    usual=120,
)


def observe(node: Node) -> Any:
    """Run level 2, which takes about two minutes."""
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    output = node.run([*become, "dcgmi", "diag", "-r", "2", "-j"], 380)
    return {"code": output.code, "results": read(output.stdout), "said": output.text[-500:]}


def read(text: str) -> list[list[str]]:
    """Return [test, status, warning] of everything that is in DCGM's tree of categories (3.x and 4.x)."""
    try:
        tree = json.loads(text[text.index("{") :])
    except ValueError:
        return []
    top = tree.get("DCGM Diagnostic") or tree.get("DCGM GPU Diagnostic") or {}
    found = []
    for category in top.get("test_categories", []):
        for test in category.get("tests", []):
            for result in test.get("results", []):
                warnings = result.get("warnings") or []
                first = warnings[0] if isinstance(warnings, list) and warnings else warnings
                said = first.get("warning", "") if isinstance(first, dict) else str(first or "")
                found.append([str(test.get("name", "")), str(result.get("status", "")), said[:300]])
    return found


def judge(observed: Any, context: Context) -> Finding:
    """Nothing failed, and something ran."""
    status = [result[1].lower() for result in observed["results"]]
    bad = [f"{name}: {said or state}" for name, state, said in observed["results"] if state.lower() in ("fail", "warn")]
    if bad:
        return failed("; ".join(dict.fromkeys(bad))[:600], "pass")
    if "pass" not in status:
        return errored(observed["said"].strip()[-300:] or "dcgmi said nothing")
    return passed(f"{status.count('pass')} tests")
