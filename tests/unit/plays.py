"""Runs a play on this machine, for what only Ansible itself can tell of a role's variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def run(directory: Path, play: Mapping[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a play from a directory of its own, with the collection of this repository."""
    place = directory / "play.yml"
    place.write_text(json.dumps([play]))
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", *options, str(place)],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "HOME": str(directory),
        },
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
