"""What nvidia-smi prints, and what it means where it prints no value. Part of the probe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from validate.model import ERROR, Finding, failed

# What nvidia-smi prints in the place of a value that the driver cannot read; [N/A] says that there is none.
UNREAD = re.compile(r"Unknown Error|ERR!|requires reset|is lost", re.IGNORECASE)
ABSENT = ("[N/A]", "N/A", "[Not Supported]", "[Not Available]", "[Insufficient Permissions]")
# With this exit code it answers as well, and says once "WARNING: infoROM is corrupted at gpu 0000:9B:00.0".
CORRUPTED = 14
ANSWERED = (0, CORRUPTED)
LOST = (
    "drain; dmesg -T | grep -i xid; power the node off and on, because a reboot may not bring it back; where it is "
    "lost again: reseat or return it"
)


def listed_gpus(text: str) -> int:
    """Return how many GPUs ``nvidia-smi -L`` lists."""
    return len(re.findall(r"^GPU \d+:", text, re.MULTILINE))


def csv(text: str) -> list[list[str]]:
    """Return the fields of what nvidia-smi prints with ``--format=csv,noheader``, without its warnings."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING:")]
    return [[field.strip() for field in line.split(",")] for line in lines]


def of_gpus(observed: Mapping[str, Any], fields: int) -> tuple[list[list[str]], Finding | None]:
    """Return the lines of a query of nvidia-smi that begins with the index, and why they cannot be judged."""
    rows = csv(observed["stdout"])
    if observed["code"] not in ANSWERED or not rows or any(len(row) != fields or not row[0].isdigit() for row in rows):
        said = (observed["stderr"] or observed["stdout"]).strip()[:200]
        return rows, unlike(said or "nvidia-smi said nothing")
    for row in rows:
        word = next((value for value in row[1:] if UNREAD.search(value)), "")
        if word:
            return rows, unread(row[0], word)
    return rows, None


def unread(gpu: str, word: str) -> Finding:
    """Return that the driver cannot read a GPU: ``word`` is what nvidia-smi prints in the place of a value."""
    lost = "lost" in word.lower()
    fix = f"drain; nvidia-smi --gpu-reset -i {gpu}, as root, when nothing uses it; where that fails: reboot"
    return failed(
        f"GPU {gpu}: {word}",
        "a value for every GPU",
        f"the driver cannot read GPU {gpu}" + ": it fell off the bus (Xid 79)" * lost,
        LOST if lost else fix,
    )


def unlike(said: str) -> Finding:
    """Return that nvidia-smi's answer is of no known form."""
    cause = "nvidia-smi fails, or prints another form than the known ones"
    return Finding(ERROR, said, "an observation", cause, "nvidia-smi -q on the node; keep the results file")


def of_all(rows: Sequence[Any], gpus: int) -> Finding | None:
    """Return that nvidia-smi did not answer for all GPUs: what is good on some of them says nothing of the others."""
    if len(rows) == gpus:
        return None
    cause = "a GPU was lost since nvidia-smi listed them, or its answer was cut off"
    return Finding(ERROR, f"{len(rows)} GPUs", f"an observation of {gpus} GPUs", cause, "nvidia-smi -L; run it again")
