"""What the benchmark makes of its samples."""

from __future__ import annotations

from pathlib import Path

from bench import figures, usage

RECAP = """\
PLAY RECAP *********************************************************************
compute1                   : ok=21   changed=0    unreachable=0    failed=0    skipped=15   rescued=0    ignored=0
head                       : ok=22   changed=12   unreachable=0    failed=0    skipped=14   rescued=0    ignored=0
"""


def comparison(*samples: float) -> figures.Comparison:
    ours, floor = (
        tuple(usage.Usage(wall, wall / 2, wall / 4) for wall in walls) for walls in (samples, (40.0, 50.0, 90.0))
    )
    return figures.Comparison("site.yml", "floor.sh", 1.3, 4, ours, floor)


def test_medians_decide() -> None:
    measured = comparison(55.0, 60.0, 200.0)
    assert measured.overhead == 10.0
    assert measured.ratio == 1.2


def test_the_table_shows_spread_and_goal() -> None:
    text = figures.table([comparison(55.0, 60.0, 200.0), comparison(70.0, 80.0, 90.0)])
    assert "site.yml                                 55.0     60.0    200.0" in text
    assert "floor.sh                                 40.0     50.0     90.0" in text
    assert "overhead 10.0 s, ratio 1.20: within the goal of 1.3" in text
    assert "overhead 30.0 s, ratio 1.60: above the goal of 1.3" in text


def test_the_table_shows_cpu_seconds() -> None:
    text = figures.table([comparison(55.0, 60.0, 200.0)])
    assert "CPU of site.yml: control node 30.0 s (7.50 s a host), nodes 15.0 s" in text
    assert "ratio of CPU seconds 1.20" in text


def test_cpu_seconds_of_containers_under_either_version(tmp_path: Path) -> None:
    for name, file, text in (
        ("cpuacct/libpod_parent/libpod-aa11", "cpuacct.usage", "1500000000\n"),
        ("libpod_parent/libpod-bb22", "cpu.stat", "usage_usec 250000\nuser_usec 1\n"),
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / file).write_text(text)
    assert usage.of_containers(["aa11", "bb22", "cc33"], tmp_path) == 1.75


def test_a_host_that_changed_is_named() -> None:
    assert figures.changes(RECAP) == {"head": 12}


def test_both_ways_are_compared_line_by_line() -> None:
    assert figures.differences("a\nb\n", "b\nc\n") == ["+ a", "- c"]


def test_a_busy_machine_is_said() -> None:
    assert figures.busy([0.2, 1.0], 2) == ""
    assert "load 5.1 on 2 cores" in figures.busy([0.2, 5.1], 2)
