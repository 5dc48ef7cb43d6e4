"""A text file for node_exporter's collector: only what is not accepted has a series of its own, and the counts."""

from __future__ import annotations

from collections import Counter

from validate.model import ACCEPTED, SEVERITY
from validate.results import Judged


def render(judged: Judged) -> str:
    """Return the exposition; 45,000 series a run would be a cost that nobody wants."""
    lines = [
        "# HELP validate_node_status A check of a host that was not accepted; 1 for each.",
        "# TYPE validate_node_status gauge",
    ]
    for verdict in judged.verdicts:
        if verdict.status not in ACCEPTED:
            labels = f'node="{label(verdict.node)}",check="{label(verdict.check)}",status="{verdict.status}"'
            lines.append(f"validate_node_status{{{labels}}} 1")
    total = Counter(judged.nodes.values())
    lines += ["# HELP validate_nodes Expected hosts by verdict.", "# TYPE validate_nodes gauge"]
    lines += [f'validate_nodes{{status="{status}"}} {total[status]}' for status in SEVERITY]
    lines += [
        "# HELP validate_last_run_timestamp_seconds When the run ended.",
        "# TYPE validate_last_run_timestamp_seconds gauge",
        f"validate_last_run_timestamp_seconds {judged.document['finished']:.0f}",
        "# HELP validate_exit_code 0 accepted, 1 a host failed, 2 not everything was measured.",
        "# TYPE validate_exit_code gauge",
        f"validate_exit_code {judged.exit_code}",
    ]
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """Return a label's value, escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
