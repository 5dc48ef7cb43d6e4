"""What all tests share."""

from __future__ import annotations

import os

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the fault bench as a table: `make faults`."""
    if os.environ.get("FAULTS") != "all":
        return
    from tests.faults.bench import ROWS

    rows = [("fault", "check", "cause named", "correct"), *config.stash.get(ROWS, [])]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for title, check, cause, correct in rows:
        terminalreporter.write_line(f"{title:{widths[0]}}  {check:{widths[1]}}  {correct:7}  {cause}".rstrip())
    right = sum(row[3] == "yes" for row in rows)
    terminalreporter.write_line(f"{right} of {len(rows) - 1} correct")
