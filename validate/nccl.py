"""What nccl-tests prints. Part of the probe, and of the criteria.

The form is that of nccl-tests' README and src/common.cu (2.13 to 2.17); none was recorded by us, for want of GPUs.
"""

from __future__ import annotations

import re
from typing import Any

# Sizes in bytes; floors are meant for the largest.
SIZES = ("-b", "256M", "-e", "8G", "-f", "2", "-c", "1")
ROW = re.compile(
    r"^\s*(?P<size>\d+)\s+\d+\s+\w+\s+\w+\s+-?\d+"
    r"\s+[\d.]+\s+[\d.]+\s+(?P<out>[\d.]+)\s+(?P<wrong>\d+|N/A)"
    r"\s+[\d.]+\s+[\d.]+\s+(?P<in>[\d.]+)\s+(?P<wrong_in>\d+|N/A)",
    re.MULTILINE,
)


def read(stdout: str, stderr: str, code: int | None) -> dict[str, Any]:
    """Return {busbw (GB/s at the largest size, None), size, wrong, ranks, version, code, said}."""
    rows = list(ROW.finditer(stdout))
    last = max(rows, key=lambda row: int(row["size"])) if rows else None
    version = re.search(r"(?:NCCL version |nccl-headers=)([\w.+]+)", stdout + stderr)
    wrong = [int(row[name]) for row in rows for name in ("wrong", "wrong_in") if row[name].isdigit()]
    said = [
        line for line in (stderr + "\n" + stdout).splitlines() if re.search(r"fail|error|warn", line, re.IGNORECASE)
    ]
    return {
        "busbw": max(float(last["out"]), float(last["in"])) if last else None,
        "size": int(last["size"]) if last else None,
        "wrong": sum(wrong),
        "ranks": len(re.findall(r"^#\s+Rank\s+\d+", stdout, re.MULTILINE)),
        "version": version.group(1) if version else "",
        "code": code,
        "said": "\n".join(said)[-1500:] or stderr[-500:],
    }


def good(seen: Any) -> bool:
    """Return whether a run ended, with a bandwidth and nothing wrong."""
    return isinstance(seen, dict) and seen.get("code") == 0 and bool(seen.get("busbw")) and not seen.get("wrong")


def text(seen: dict[str, Any]) -> str:
    """Return a run in words; a bandwidth without its size and version says nothing."""
    where = f"{seen['size'] / 2**20:.0f} MiB, {seen['ranks']} ranks, NCCL {seen['version'] or 'unknown'}"
    return f"{seen['busbw']:g} GB/s at {where}"


def fault(seen: dict[str, Any], floor: float | None) -> str:
    """Return what is wrong with a run, '' for nothing."""
    if seen["code"] is None:
        return "no end within its time"
    if seen["wrong"]:
        return f"{seen['wrong']} wrong numbers"
    if seen["code"] != 0 or not seen["busbw"]:
        return seen["said"].strip()[-300:] or f"exit code {seen['code']}, no bandwidth"
    return text(seen) if floor and seen["busbw"] < floor else ""
