"""What Slurm's epilog says about the containers that jobs left behind, by the file as it is on a node."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

GOLDEN = Path(__file__).parents[1] / "render/golden/any/docker/usr/local/lib/slipway/epilog.d/50-docker"
LEFT = '[{"Id": "0123456789abcdef", "HostConfig": {"RestartPolicy": {"Name": "no"}}, "Config": {"Labels": null}}]'
DOCKER = """#!/bin/sh
case "$1" in
ps) echo 0123456789abcdef; exit %(ps)d ;;
inspect) echo '%(left)s' ;;
rm) echo 'Error: device or resource busy' >&2; exit %(rm)d ;;
esac
"""


def run(place: Path, monkeypatch: pytest.MonkeyPatch, ps: int = 0, rm: int = 0) -> list[tuple[int, str]]:
    """Run it with a docker that answers so, and return (priority, text) of what it logs."""
    logged: list[tuple[int, str]] = []

    def syslog(*words: object) -> None:
        logged.append((int(str(words[0])) if len(words) == 2 else 6, str(words[-1])))

    monkeypatch.setitem(sys.modules, "syslog", SimpleNamespace(syslog=syslog, openlog=lambda _name: None, LOG_ERR=3))
    (place / "docker").write_text(DOCKER % {"left": LEFT, "ps": ps, "rm": rm})
    (place / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    # Other jobs of this machine are none of its own.
    exec(compile(GOLDEN.read_text().replace("/proc/", f"{place}/proc/"), "50-docker", "exec"), {})
    return logged


def test_what_was_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, monkeypatch) == [(6, "removed container 0123456789ab, left behind when job 7 ended")]


def test_what_could_not_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((priority, text),) = run(tmp_path, monkeypatch, rm=1)
    assert priority == 3 and "removed container" not in text
    assert "0123456789ab" in text and "could not be removed: Error: device or resource busy" in text


def test_a_docker_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((priority, text),) = run(tmp_path, monkeypatch, ps=1)
    assert priority == 3 and text.startswith("containers of jobs were not cleared away")
